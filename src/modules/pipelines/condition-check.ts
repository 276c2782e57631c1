import { mayBeCondition, parseExpression, type Reference, referencesOf } from '#contracts/condition-syntax';
import type { PipelineSpec } from '#contracts/pipelines';
import { hasValue } from '#modules/jobs';
import type { SpecProblem } from '#platform/resource-kind';
import { outputsOf } from './pipeline-graph.ts';

/** What is wrong with `when`, before anything runs: how it is written, and whether what it reads can ever be there. */
export function checkCondition(
  spec: PipelineSpec,
  text: string,
  path: readonly (string | number)[],
): readonly SpecProblem[] {
  const parsed = parseExpression(text);
  if (!parsed.ok) {
    const { at, expected } = parsed.problem;
    return [{ path, message: `the condition "${text}" cannot be read at character ${at + 1}`, expected }];
  }
  if (!mayBeCondition(parsed.expression))
    return [{ path, message: `"${text}" is never true or false`, expected: 'a condition: best.choice.auc > 0.9' }];
  return referencesOf(parsed.expression).flatMap((reference) => checkReference(spec, reference, path) ?? []);
}

/** Whether what an expression reads can ever be there. */
export function checkReference(
  spec: PipelineSpec,
  reference: Reference,
  path: readonly (string | number)[],
): SpecProblem | undefined {
  if (reference.kind === 'param') {
    const known = Object.keys(spec.params ?? {});
    if (known.includes(reference.name)) return undefined;
    return { path, message: `there is no parameter "${reference.name}"`, known };
  }
  const { step, output } = reference;
  const known = Object.keys(spec.steps);
  const found = known.includes(step) ? spec.steps[step] : undefined;
  if (found === undefined) return { path, message: `there is no step "${step}"`, known };
  if (found.foreach !== undefined)
    return {
      path,
      message: `step "${step}" runs for each of its items, so it has no one ${output}`,
      expected: `a step that takes ${step}[*].${output}`,
    };
  const outputs = outputsOf(found);
  const made = outputs.find(({ name }) => name === output);
  if (made === undefined)
    return { path, message: `step "${step}" makes no output "${output}"`, known: outputs.map(({ name }) => name) };
  if (hasValue(made.kind)) return undefined;
  return {
    path,
    message: `${step}.${output} is of kind ${made.kind}: it has no fields to decide by`,
    expected: 'an output of kind json or metrics',
  };
}
