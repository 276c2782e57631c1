import type { PipelineSpec, StepSpec } from '#contracts/pipelines';
import { placeholdersOf } from '#modules/jobs';
import type { SpecProblem } from '#platform/resource-kind';
import { outputsOf } from './pipeline-graph.ts';

/**
 * Placeholders of a step's command that would stand for nothing: the command would get their text as it is, or a path that
 * nobody looks at afterwards.
 */
export function checkPlaceholders(
  { params }: Pick<PipelineSpec, 'params'>,
  stepName: string,
  step: StepSpec,
): readonly SpecProblem[] {
  const known = [
    ...Object.keys(step.inputs ?? {}).map((name) => `inputs.${name}`),
    ...outputsOf(step).map(({ name }) => `outputs.${name}`),
    ...(step.params ?? Object.keys(params ?? {})).map((name) => `params.${name}`),
  ];
  const { run = [] } = step;
  const texts = typeof run === 'string' ? [run] : run;
  return texts.flatMap((text, index) =>
    placeholdersOf(text)
      .filter((expression) => /^(?:inputs|outputs|params)\./.test(expression) && !isKnown(expression, known))
      .map((expression) => ({
        path: ['steps', stepName, 'run', ...(typeof run === 'string' ? [] : [index])],
        message: `the step has no "${expression}"`,
        expected:
          known.length === 0 ? 'no placeholder: it declares neither inputs, outputs nor params' : known.join(', '),
        known,
      })),
  );
}

/** Of a parameter that holds an object a member may be named: `params.model.depth`. */
const isKnown = (expression: string, known: readonly string[]): boolean =>
  known.some((one) => expression === one || (one.startsWith('params.') && expression.startsWith(`${one}.`)));
