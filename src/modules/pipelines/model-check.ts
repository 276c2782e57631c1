import type { OutputKind } from '#contracts/jobs';
import type { ModelBlock, PipelineSpec } from '#contracts/pipelines';
import type { SpecProblem } from '#platform/resource-kind';
import { findExpressionProblem } from '#platform/sql-expression';
import { outputsOf, parseOutput } from './pipeline-graph.ts';

/** What the registering of a version takes; `metrics` is read as JSON, which either kind is. */
const taken = {
  from: ['model'],
  train: ['dataset'],
  test: ['dataset'],
  metrics: ['metrics', 'json'],
} as const satisfies Partial<Record<keyof ModelBlock, readonly OutputKind[]>>;

/** What would only be found out after an hour of training: an output of another kind, a label that is no expression. */
export function checkModel({ model, steps }: PipelineSpec): readonly SpecProblem[] {
  if (model === undefined) return [];
  const problems: SpecProblem[] = [];
  for (const key of ['from', 'train', 'test', 'metrics'] as const) {
    const { step = '', output } = parseOutput(model[key] ?? '') ?? {};
    const spec = steps[step];
    const made = spec === undefined ? [] : outputsOf(spec);
    const kind = made.find(({ name }) => name === output)?.kind;
    const kinds: readonly OutputKind[] = taken[key];
    if (kind === undefined || kinds.includes(kind)) continue; // that it is not made is said elsewhere
    problems.push({
      path: ['model', key],
      message: `"${model[key]}" is of kind ${kind}`,
      expected: `an output of kind ${kinds.join(' or ')}: outputs: { ${output}: ${kinds[0]} }`,
    });
  }
  const label = findExpressionProblem(model.label);
  if (label !== undefined)
    problems.push({
      path: ['model', 'label'],
      message: `the label cannot be read: ${label}`,
      expected: 'one SQL expression',
    });
  return problems;
}
