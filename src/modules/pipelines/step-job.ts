import { parseDuration } from '#contracts/duration';
import type { StepSpec } from '#contracts/pipelines';
import { formatReference } from '#contracts/references';
import { type CommandInput, type JobWork, type Json, type NewJob, workerWork } from '#modules/jobs';
import type { RunInfo } from '#modules/tracking';
import { codeOf } from './code-files.ts';
import { declaredName } from './item-names.ts';
import {
  type CommandSpec,
  featurePrefixes,
  isCommand,
  joinOutput,
  outputsOf,
  parseInput,
  parseOutput,
  timeColumn,
} from './pipeline-graph.ts';
import type { PipelinesDeps } from './pipelines-deps.ts';
import { collectedOutputs, specOf } from './run-items.ts';
import type { RunSteps } from './run-steps.ts';
import { type RunBasis, type Step, type StepOutput, stepReference } from './run-types.ts';

/** The job that does a step's work. */
export function jobOf(
  deps: Pick<PipelinesDeps, 'baseUrl'>,
  run: RunBasis,
  step: Step,
  steps: RunSteps,
  tracked: RunInfo | undefined,
): NewJob {
  const spec = specOf(run, step.name);
  return {
    project: run.project,
    owner: stepReference(run.id, step.name),
    tag: `pipelines.${step.kind}`,
    work:
      step.kind === 'command' && spec !== undefined && isCommand(spec)
        ? commandWork(deps, run, step, spec, steps, tracked)
        : step.kind === 'join' && step.plan.work !== undefined
          ? step.plan.work
          : describeWork(run, steps),
    ...(spec?.resources?.cpu !== undefined && { cpu: spec.resources.cpu }),
    ...(spec?.resources?.memory !== undefined && { memoryMb: toMegabytes(spec.resources.memory) }),
    ...(spec?.timeout !== undefined && { timeoutMs: parseDuration(spec.timeout) ?? 0 }),
    ...(spec?.retries !== undefined && {
      retries: {
        max: spec.retries.max,
        on: spec.retries.on ?? ['error', 'lost', 'timeout'],
        ...(spec.retries.backoff !== undefined && { backoffMs: parseDuration(spec.retries.backoff) ?? 0 }),
      },
    }),
  };
}

function commandWork(
  deps: Pick<PipelinesDeps, 'baseUrl'>,
  run: RunBasis,
  step: Step,
  spec: CommandSpec,
  steps: RunSteps,
  tracked: RunInfo | undefined,
): JobWork {
  const inputs = Object.entries(spec.inputs ?? {}).map(([name, input]): CommandInput => {
    const fixed = step.plan.fixedInputs?.[name];
    if (fixed !== undefined) return { name, files: fixed, as: fixed.length === 1 ? 'file' : 'folder' };
    const source = parseInput(declaredName(step.name), name, input);
    if (source.kind === 'collected') return { name, files: collectedFiles(steps, source), as: 'folder' };
    const made = outputBehind(declaredName(step.name), name, input, steps);
    if (made === undefined) return { name, files: [], as: 'folder' };
    if (made.tree !== undefined)
      return { name, files: made.tree.map(({ sha256, path }) => ({ sha256, name: path })), as: 'folder' };
    const kind = typeof input === 'string' ? made.kind : 'dataset'; // a join's rows
    return { name, files: [{ sha256: made.sha256, name: fileName(name, kind) }], as: 'file' };
  });
  const requirements = run.code.find(({ path }) => path === run.spec.python)?.sha256;
  return {
    kind: 'command',
    command: spec.run,
    code: codeOf(spec, run.code, run.spec.steps),
    inputs,
    outputs: outputsOf(spec),
    params:
      spec.params === undefined
        ? run.params
        : Object.fromEntries(spec.params.map((name): [string, Json] => [name, run.params[name] ?? null])),
    environment: {
      ...spec.env,
      TIDEMILL_URL: deps.baseUrl(),
      TIDEMILL_PROJECT: run.project,
      TIDEMILL_RUN: run.id,
      TIDEMILL_STEP: step.name,
      ...(tracked !== undefined && {
        MLFLOW_TRACKING_URI: `${deps.baseUrl()}/projects/${run.project}`,
        MLFLOW_TRACKING_TOKEN: `\${token}`,
        MLFLOW_EXPERIMENT_ID: tracked.experimentId,
        MLFLOW_RUN_ID: tracked.runId,
      }),
    },
    ...(spec.secrets !== undefined && {
      secrets: { grantee: formatReference('pipeline', run.pipeline), names: spec.secrets },
    }),
    ...(requirements !== undefined && { requirements }),
    ...(step.plan.each !== undefined && { each: step.plan.each }),
  };
}

/** A folder with one entry an item, a file or a folder: `00.json`, `01.json`. */
function collectedFiles(
  steps: RunSteps,
  { step, output }: { readonly step: string; readonly output: string },
): CommandInput['files'] {
  return collectedOutputs(steps, step, output).flatMap(({ entry, made }) =>
    made.tree === undefined
      ? [{ sha256: made.sha256, name: fileName(entry, made.kind) }]
      : made.tree.map(({ sha256, path }) => ({ sha256, name: `${entry}/${path}` })),
  );
}

/** Reads the model's signature and the profile of the rows that it was trained on, before it is proposed. */
function describeWork(run: RunBasis, steps: RunSteps): JobWork {
  const blob = (text: string): string => {
    const parsed = parseOutput(text);
    return `blob:${parsed === undefined ? '' : (steps.get(parsed.step).outputs[parsed.output]?.sha256 ?? '')}`;
  };
  const model = run.spec.model;
  const time = timeColumn(run.spec);
  return workerWork('describe-model', {
    modelPath: blob(model?.from ?? ''),
    trainPaths: [blob(model?.train ?? '')],
    score: model?.predicts.score ?? '',
    lookups: featurePrefixes(run.spec),
    ...(time !== undefined && { time }),
  });
}

const extensions: Readonly<Partial<Record<StepOutput['kind'], string>>> = {
  dataset: '.parquet',
  model: '.onnx',
  metrics: '.json',
  json: '.json',
};
const fileName = (name: string, kind: StepOutput['kind']): string => `${name}${extensions[kind] ?? ''}`;

function toMegabytes(text: string): number {
  return Number.parseInt(text, 10) * (text.endsWith('Gi') ? 1024 : 1);
}

/** The output of another step that an input takes; undefined when it comes from elsewhere. */
export function outputBehind(
  step: string,
  name: string,
  input: NonNullable<StepSpec['inputs']>[string],
  steps: RunSteps,
): StepOutput | undefined {
  const source = parseInput(step, name, input);
  if (source.kind === 'step') return steps.get(source.step).outputs[source.output];
  if (source.kind === 'join') return steps.get(source.step).outputs[joinOutput];
  return undefined;
}
