import { referencesOf } from '#contracts/condition-syntax';
import type { PipelineSpec, StepSpec, Use, UseWith } from '#contracts/pipelines';
import { parseReference } from '#contracts/references';
import type { SpecProblem, WorkspaceDocument } from '#platform/resource-kind';
import { checkReference } from './condition-check.ts';
import { parseText } from './step-text.ts';

type Path = readonly (string | number)[];

/** What each built-in step takes. */
const fields: Readonly<
  Record<Use, { readonly needed: readonly (keyof UseWith)[]; readonly more: readonly (keyof UseWith)[] }>
> = {
  approve: { needed: [], more: ['policy', 'message'] },
  deploy: { needed: ['deployment'], more: ['model'] },
  notify: { needed: ['message'], more: [] },
  external: { needed: [], more: ['message'] },
};

/** Fields in which `${…}` is replaced. */
const expanded: readonly (keyof UseWith)[] = ['message', 'model'];
/** Keys of a step that mean something without a command. */
const withoutCommand: readonly (keyof StepSpec)[] = ['use', 'with', 'needs', 'when', 'timeout', 'always'];

/** What is wrong with a step as far as it is a command or a built-in step. */
export function checkUse(
  spec: PipelineSpec,
  step: StepSpec,
  path: Path,
  document: WorkspaceDocument,
): readonly SpecProblem[] {
  const { use } = step;
  if (use === undefined) {
    if (step.run === undefined)
      return [{ path, message: 'the step does nothing', expected: '`run` with a command, or `use`' }];
    return step.with === undefined ? [] : [{ path: [...path, 'with'], message: '"with" belongs to `use`' }];
  }
  return [
    ...checkKeys(step, use, path),
    ...expanded.flatMap((key) => checkText(spec, step.with?.[key], [...path, 'with', key])),
    ...(use === 'deploy' ? checkDeploy(spec, step.with ?? {}, path, document) : []),
  ];
}

function* checkKeys(step: StepSpec, use: Use, path: Path): Iterable<SpecProblem> {
  const known = [...fields[use].needed, ...fields[use].more];
  const given = step.with ?? {};
  for (const key of Object.keys(step))
    if (!withoutCommand.some((one) => one === key))
      yield { path: [...path, key], message: `\`use: ${use}\` runs no command, so it has no "${key}"` };
  for (const key of Object.keys(given))
    if (!known.some((one) => one === key))
      yield {
        path: [...path, 'with', key],
        message: `\`use: ${use}\` takes no "${key}"`,
        expected: known.join(', '),
        known,
      };
  for (const key of fields[use].needed)
    if (given[key] === undefined) yield { path: [...path, 'with'], message: `\`use: ${use}\` needs "${key}"` };
  if (step.always === true && use !== 'notify')
    yield {
      path: [...path, 'always'],
      message: `\`use: ${use}\` waits for somebody, so it cannot stand at the end of every run, cancelled ones too`,
    };
}

function checkText(spec: PipelineSpec, text: string | undefined, path: Path): readonly SpecProblem[] {
  if (text === undefined) return [];
  const parsed = parseText(text);
  if (!parsed.ok) {
    const { at, expected } = parsed.problem;
    return [{ path, message: `"${text}" cannot be read at character ${at + 1}`, expected }];
  }
  return parsed.expressions.flatMap(referencesOf).flatMap((one) => checkReference(spec, one, path) ?? []);
}

function* checkDeploy(
  spec: PipelineSpec,
  { deployment, model }: UseWith,
  path: Path,
  document: WorkspaceDocument,
): Iterable<SpecProblem> {
  const deployments = document.sections['deployments'] ?? {};
  const known = Object.keys(deployments);
  const found = known.includes(deployment ?? '') ? deployments[deployment ?? ''] : undefined;
  if (deployment !== undefined && found === undefined)
    yield { path: [...path, 'with', 'deployment'], message: `there is no deployment "${deployment}"`, known };
  const serves = parseReference((found as { readonly model?: string } | undefined)?.model ?? '')?.name;
  if (model === undefined) {
    if (spec.model === undefined)
      yield {
        path: [...path, 'with'],
        message: 'which version is deployed is not said, and the pipeline registers none',
        expected: 'model: model:<name>@<version or alias>, or a `model` block of the pipeline',
      };
    else if (serves !== undefined && serves !== spec.model.name)
      yield {
        path: [...path, 'with', 'deployment'],
        message: `"${deployment}" serves ${serves}, and the pipeline makes ${spec.model.name}`,
      };
    return;
  }
  if (model.includes('${')) return;
  const reference = parseReference(model);
  if (reference?.kind !== 'model' || reference.at === undefined)
    yield {
      path: [...path, 'with', 'model'],
      message: `"${model}" has not the right form`,
      expected: 'model:<name>@<version or alias>',
    };
  else if (serves !== undefined && serves !== reference.name)
    yield { path: [...path, 'with', 'model'], message: `"${deployment}" serves ${serves}, not ${reference.name}` };
}
