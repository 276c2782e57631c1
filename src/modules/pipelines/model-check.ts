import type { OutputKind } from '#contracts/jobs';
import type { ModelBlock, PipelineSpec } from '#contracts/pipelines';
import type { SpecProblem } from '#platform/resource-kind';
import { findExpressionProblem } from '#platform/sql-expression';
import { findOutput, notMade } from './output-check.ts';

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
    const text = model[key];
    if (text === undefined) continue;
    const path = ['model', key];
    const made = findOutput({ steps }, text);
    if (made === undefined) {
      problems.push(notMade({ steps }, text, path));
      continue;
    }
    if (made.spec.foreach !== undefined)
      problems.push({
        path,
        message: `step "${made.step}" runs for each of its items`,
        expected: 'an output of a step that chooses one of them',
      });
    const kinds: readonly OutputKind[] = taken[key];
    if (!kinds.includes(made.kind))
      problems.push({
        path,
        message: `"${text}" is of kind ${made.kind}`,
        expected: `an output of kind ${kinds.join(' or ')}: outputs: { ${made.name}: ${kinds[0]} }`,
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
