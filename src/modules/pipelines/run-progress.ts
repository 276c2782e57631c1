import { parseDuration } from '#contracts/duration';
import type { StepSpec } from '#contracts/pipelines';
import { formatReference } from '#contracts/references';
import { type CommandInput, type JobWork, type Json, type NewJob, workerWork } from '#modules/jobs';
import type { RunInfo } from '#modules/tracking';
import type { Unit } from '#platform/database';
import { cacheKey, differences, type KeyParts } from './cache-key.ts';
import { findCached, listEarlierParts, putCached } from './cache-store.ts';
import { codeOf } from './code-files.ts';
import {
  featurePrefixes,
  joinOutput,
  modelSteps,
  outputsOf,
  parseInput,
  parseOutput,
  registerStep,
  timeColumn,
} from './pipeline-graph.ts';
import type { PipelinesDeps } from './pipelines-deps.ts';
import { pipelinesErrors } from './pipelines-errors.ts';
import { readiness } from './run-rules.ts';
import type { FixedRun, RunSteps } from './run-steps.ts';
import type { Outputs, RunBasis, Step, StepOutput } from './run-types.ts';

export const stepReference = (run: string, step: string): string => `pipeline-step:${run}/${step}`;

/**
 * All that happens in a run is one link in the chain of causes: each step follows from the one before, but a pipeline of
 * many steps must not be taken for something that reacts to itself.
 */
export const inRun = (unit: Unit, { causeDepth }: Pick<RunBasis, 'causeDepth'>): Unit =>
  unit.becauseOf({ cause: unit.context.cause, causeDepth });

/**
 * Takes a run as far as it goes now: what is ready is answered from the cache (one look-up for all) or started, what can
 * no longer run is skipped, and again, since a cached step may make others ready. The caller writes what was put.
 * @param candidates steps for which something may have changed
 */
export async function advance(
  unit: Unit,
  deps: PipelinesDeps,
  fixed: FixedRun,
  steps: RunSteps,
  candidates: Iterable<string>,
): Promise<void> {
  const { run, needs, always } = fixed;
  let next = new Set(candidates);
  while (next.size > 0) {
    const { ready, blocked } = readiness(next, { states: steps.states, needs, always });
    next = new Set();
    const end = (step: Step): void => {
      steps.put(step);
      for (const dependant of fixed.dependants.get(step.name) ?? []) next.add(dependant);
    };
    await steps.load([...blocked.map(({ step }) => step), ...ready, ...ready.flatMap((name) => sourcesOf(run, name))]);
    for (const { step, by } of blocked) {
      const { code, message } = pipelinesErrors.STEP_DEPENDENCY_FAILED(by.join(', '));
      end({ ...steps.get(step), state: 'skipped', error: { code, message }, endedMs: unit.nowMs });
      await emitFinished(unit, run, step, 'skipped');
    }
    const keyed = ready.map((name) => withKey(steps.get(name), run, steps));
    const keys = keyed.flatMap(({ key }) => key ?? []);
    const cached = run.useCache ? await findCached(unit, run.project, keys) : undefined;
    const hitOf = ({ key }: Step) => (key === undefined ? undefined : cached?.get(key));
    for (const step of keyed) {
      const hit = hitOf(step);
      if (hit !== undefined) end(await takeCached(unit, deps, run, step, hit));
    }
    const misses = keyed.filter((step) => hitOf(step) === undefined);
    for (const step of await startSteps(unit, deps, run, misses, steps)) steps.put(step);
  }
}

/** The steps whose outputs a step takes. */
function sourcesOf(run: RunBasis, name: string): readonly string[] {
  if (name === registerStep && run.spec.model !== undefined) return modelSteps(run.spec.model);
  return Object.entries(run.spec.steps[name]?.inputs ?? {}).flatMap(([input, given]) => {
    const source = parseInput(name, input, given);
    return source.kind === 'step' || source.kind === 'join' ? source.step : [];
  });
}

function withKey(step: Step, run: RunBasis, steps: RunSteps): Step {
  if (step.kind === 'register') return step;
  const spec = run.spec.steps[step.name];
  const fromSteps: Record<string, string> = {};
  for (const [name, input] of Object.entries(spec?.inputs ?? {})) {
    const made = outputBehind(step.name, name, input, steps);
    if (made !== undefined) fromSteps[`inputs.${name}`] = made.sha256;
  }
  const keyParts: KeyParts = { ...step.plan.keyParts, ...fromSteps };
  return { ...step, keyParts, ...(step.plan.cacheable && { key: cacheKey(keyParts) }) };
}

function outputBehind(
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

async function takeCached(
  unit: Unit,
  deps: PipelinesDeps,
  run: RunBasis,
  step: Step,
  hit: { readonly runId: string; readonly step: string; readonly outputs: Outputs },
): Promise<Step> {
  const reference = stepReference(run.id, step.name);
  await retainOutputs(unit, deps, run.project, reference, hit.outputs);
  await deps.lineage.record(unit, run.project, [
    { from: stepReference(hit.runId, hit.step), to: reference, kind: 'cached' },
  ]);
  await emitFinished(unit, run, step.name, 'cached');
  return {
    ...step,
    state: 'cached',
    why: `cached: nothing that it depends on has changed since run ${hit.runId}`,
    outputs: hit.outputs,
    startedMs: unit.nowMs,
    endedMs: unit.nowMs,
  };
}

/** Starts steps: one tracking run for each command, one job each, all of them written together. */
async function startSteps(
  unit: Unit,
  deps: PipelinesDeps,
  run: RunBasis,
  ready: readonly Step[],
  steps: RunSteps,
): Promise<readonly Step[]> {
  if (ready.length === 0) return [];
  const commands = ready.filter(({ kind }) => kind === 'command');
  const { trackingRunId } = run;
  const infos =
    commands.length === 0 || trackingRunId === undefined
      ? []
      : await deps.tracking.createRuns(
          unit,
          { project: run.project, experimentName: run.pipeline, parentRunId: trackingRunId },
          commands.map(({ name }) => ({
            name: `${run.pipeline}/${name}`,
            tags: [{ key: 'tidemill.step', value: stepReference(run.id, name) }],
          })),
        );
  const tracked = new Map(commands.map(({ name }, index) => [name, infos[index]]));
  const jobs = await deps.jobs.submitAll(
    unit,
    ready.map((step) => jobOf(deps, run, step, steps, tracked.get(step.name))),
  );
  const reasons = await reasonsToRun(unit, run, ready);
  return ready.map((step, index) => ({
    ...step,
    state: 'running',
    jobId: jobs[index],
    trackingRunId: tracked.get(step.name)?.runId,
    startedMs: unit.nowMs,
    why: reasons[index],
  }));
}

function jobOf(deps: PipelinesDeps, run: RunBasis, step: Step, steps: RunSteps, tracked: RunInfo | undefined): NewJob {
  const spec = run.spec.steps[step.name];
  return {
    project: run.project,
    owner: stepReference(run.id, step.name),
    tag: `pipelines.${step.kind}`,
    work:
      step.kind === 'command' && spec !== undefined
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

async function reasonsToRun(unit: Unit, run: RunBasis, steps: readonly Step[]): Promise<readonly string[]> {
  const compared = run.useCache
    ? steps.filter(({ kind, keyParts, plan }) => kind !== 'register' && keyParts !== undefined && plan.cacheable)
    : [];
  const earlier = await listEarlierParts(
    unit,
    run,
    compared.map(({ name }) => name),
  );
  return steps.map((step) => reasonToRun(run, step, earlier.get(step.name)));
}

function reasonToRun(run: RunBasis, step: Step, earlier: KeyParts | undefined): string {
  if (step.kind === 'register') return 'registers the model';
  if (!run.useCache) return 'the run was started without the cache';
  if (step.keyParts === undefined || !step.plan.cacheable) return 'it is not cached';
  if (earlier === undefined) return 'it has not run before';
  const changed = differences(earlier, step.keyParts).map(({ part }) => part);
  return changed.length === 0 ? 'no earlier result of it was kept' : `changed: ${changed.join(', ')}`;
}

function commandWork(
  deps: PipelinesDeps,
  run: RunBasis,
  step: Step,
  spec: StepSpec,
  steps: RunSteps,
  tracked: RunInfo | undefined,
): JobWork {
  const inputs = Object.entries(spec.inputs ?? {}).map(([name, input]): CommandInput => {
    const fixed = step.plan.fixedInputs?.[name];
    if (fixed !== undefined) return { name, files: fixed, as: fixed.length === 1 ? 'file' : 'folder' };
    const made = outputBehind(step.name, name, input, steps);
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
  };
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

async function retainOutputs(
  unit: Unit,
  deps: Pick<PipelinesDeps, 'artifacts'>,
  project: string,
  owner: string,
  outputs: Outputs,
): Promise<void> {
  const files = Object.values(outputs).flatMap(({ sha256, sizeBytes, tree = [] }) => [{ sha256, sizeBytes }, ...tree]);
  await deps.artifacts.retainAll(unit, { project, owner }, files);
}

/** Records the result of a step that ended well: what it made, where it came from, the cache, the event. */
export async function settleStep(
  unit: Unit,
  deps: PipelinesDeps,
  run: RunBasis,
  step: Step,
  made: Outputs,
): Promise<Step> {
  const reference = stepReference(run.id, step.name);
  await retainOutputs(unit, deps, run.project, reference, made);
  const outputs: Record<string, StepOutput> = {};
  for (const [name, output] of Object.entries(made)) {
    if (output.kind !== 'dataset') {
      outputs[name] = output;
      continue;
    }
    const dataset = `${run.pipeline}.${step.name}.${name}`;
    const { version } = await deps.datasets.record(unit, {
      project: run.project,
      name: dataset,
      files: [{ sha256: output.sha256, sizeBytes: output.sizeBytes }],
      producer: reference,
    });
    outputs[name] = { ...output, dataset: `dataset:${dataset}@${version}` };
  }
  await deps.lineage.record(unit, run.project, [
    ...step.plan.reads.map((from) => ({ from, to: reference, kind: 'consumed' })),
    ...step.needs.map((need) => ({ from: stepReference(run.id, need), to: reference, kind: 'consumed' })),
    ...Object.values(outputs).map((output) => ({
      from: reference,
      to: output.dataset ?? `artifact:${output.sha256}`,
      kind: 'produced',
    })),
    { from: reference, to: `run:${run.id}`, kind: 'part-of' },
  ]);
  if (step.key !== undefined)
    await putCached(unit, { project: run.project, key: step.key, runId: run.id, step: step.name, outputs });
  await emitFinished(unit, run, step.name, 'succeeded');
  return { ...step, state: 'succeeded', outputs, endedMs: unit.nowMs };
}

export async function emitFinished(unit: Unit, run: RunBasis, step: string, state: string): Promise<void> {
  await unit.emit({
    type: 'step.finished',
    project: run.project,
    subject: stepReference(run.id, step),
    data: { runId: run.id, pipeline: run.pipeline, step, state },
  });
}
