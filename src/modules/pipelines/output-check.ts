import type { OutputKind } from '#contracts/jobs';
import type { PipelineSpec, StepSpec } from '#contracts/pipelines';
import type { SpecProblem } from '#platform/resource-kind';
import { outputsOf, parseOutput } from './pipeline-graph.ts';

/** The declared output that `<step>.<output>` names, and the step that makes it. */
export function findOutput(
  { steps }: Pick<PipelineSpec, 'steps'>,
  text: string,
): { readonly name: string; readonly kind: OutputKind; readonly step: string; readonly spec: StepSpec } | undefined {
  const { step = '', output } = parseOutput(text) ?? {};
  const spec = Object.hasOwn(steps, step) ? steps[step] : undefined;
  const made = spec && outputsOf(spec).find(({ name }) => name === output);
  return spec && made && { ...made, step, spec };
}

export function notMade({ steps }: Pick<PipelineSpec, 'steps'>, text: string, path: SpecProblem['path']): SpecProblem {
  const known = Object.entries(steps).flatMap(([step, spec]) => outputsOf(spec).map(({ name }) => `${step}.${name}`));
  return { path, message: `no step makes "${text}"`, expected: '<step>.<output>', known };
}
