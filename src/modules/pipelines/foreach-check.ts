import { mayBeList, parseExpression, referencesOf } from '#contracts/condition-syntax';
import type { PipelineSpec, StepSpec } from '#contracts/pipelines';
import { placeholdersOf } from '#modules/jobs';
import type { SpecProblem } from '#platform/resource-kind';
import { checkReference } from './condition-check.ts';
import { countItems, eachNames, mostItems } from './foreach-items.ts';
import { outputsOf, parseInput } from './pipeline-graph.ts';

type Path = readonly (string | number)[];

/** What is wrong with a step as far as it runs for items, or takes what the items of another have made. */
export function* checkForeach(spec: PipelineSpec, name: string, step: StepSpec, path: Path): Iterable<SpecProblem> {
  const { foreach, max } = step;
  if (foreach === undefined && max !== undefined)
    yield { path: [...path, 'max'], message: '"max" belongs to `foreach`' };
  if (typeof foreach === 'string') yield* checkExpression(spec, foreach, [...path, 'foreach']);
  const count = foreach === undefined ? 0 : (countItems(foreach) ?? 0);
  if (count > mostItems)
    yield { path: [...path, 'foreach'], message: `these are ${count} items`, expected: `at most ${mostItems}` };
  else yield* checkEach(step, path);
  for (const [input, given] of Object.entries(step.inputs ?? {}))
    yield* checkInput(spec, parseInput(name, input, given), [...path, 'inputs', input]);
}

function* checkExpression(spec: PipelineSpec, text: string, path: Path): Iterable<SpecProblem> {
  const parsed = parseExpression(text);
  if (!parsed.ok) {
    const { at, expected } = parsed.problem;
    yield { path, message: `"${text}" cannot be read at character ${at + 1}`, expected };
    return;
  }
  if (!mayBeList(parsed.expression))
    yield { path, message: `"${text}" is never a list`, expected: 'a list: plan.todo.items' };
  for (const reference of referencesOf(parsed.expression)) {
    const problem = checkReference(spec, reference, path);
    if (problem !== undefined) yield problem;
  }
}

function* checkEach({ foreach, run = [] }: StepSpec, path: Path): Iterable<SpecProblem> {
  const known = foreach === undefined ? [] : eachNames(foreach);
  if (known === undefined) return; // only the run can say
  for (const placeholder of placeholdersOf(run)) {
    const [scope, field = ''] = placeholder.split('.');
    if (scope !== 'each' || known.includes(field)) continue;
    yield foreach === undefined
      ? { path: [...path, 'run'], message: `\${${placeholder}} stands in a step without \`foreach\`` }
      : {
          path: [...path, 'run'],
          message: `no item has a field "${field}"`,
          expected: known.map((one) => `\${each.${one}}`).join(', '),
          known,
        };
  }
}

function* checkInput(spec: PipelineSpec, source: ReturnType<typeof parseInput>, path: Path): Iterable<SpecProblem> {
  if (source.kind !== 'step' && source.kind !== 'collected') return;
  const known = Object.keys(spec.steps);
  const found = known.includes(source.step) ? spec.steps[source.step] : undefined;
  const isCollected = source.kind === 'collected';
  if (found === undefined) {
    if (isCollected) yield { path, message: `there is no step "${source.step}"`, known };
    return; // else the check of outputs has said so
  }
  const { step, output } = source;
  const outputs = outputsOf(found).map((made) => made.name);
  if (isCollected && !outputs.includes(output))
    yield { path, message: `step "${step}" makes no output "${output}"`, known: outputs };
  if (isCollected === (found.foreach !== undefined)) return;
  yield isCollected
    ? { path, message: `step "${step}" has no \`foreach\``, expected: `${step}.${output}` }
    : { path, message: `step "${step}" runs for each of its items`, expected: `${step}[*].${output}` };
}
