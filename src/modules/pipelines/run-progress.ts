import type { Unit } from '#platform/database';
import { cacheKey, differences, type KeyParts } from './cache-key.ts';
import { findCached, listEarlierParts, putCached } from './cache-store.ts';
import { declaredName, isItem, itemIndex, itemsOf } from './item-names.ts';
import { modelSteps, parseInput, registerStep } from './pipeline-graph.ts';
import type { PipelinesDeps } from './pipelines-deps.ts';
import { pipelinesErrors } from './pipelines-errors.ts';
import { beginItems, collectedDigest, collectedOutputs, endOfItems, nextItems } from './run-items.ts';
import { type Blocked, readiness } from './run-rules.ts';
import type { FixedRun, RunSteps } from './run-steps.ts';
import { isEnded, type Outputs, type RunBasis, type Step, type StepOutput, stepReference } from './run-types.ts';
import { startWaiting } from './start-waiting.ts';
import { decideStep, expressionSources } from './step-condition.ts';
import { jobOf, outputBehind } from './step-job.ts';

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
  const end = async (step: Step): Promise<void> => {
    steps.put(step);
    for (const dependant of fixed.dependants.get(step.name) ?? []) next.add(dependant);
    if (step.state !== 'cached') await emitFinished(unit, run, step.name, step.state);
  };
  while (next.size > 0) {
    const { ready, blocked } = readiness(next, { states: steps.states, needs, always });
    const going = [...next].filter((name) => hasItems(run, name) && steps.states.get(name) === 'running');
    next = new Set();
    await steps.load([
      ...going,
      ...blocked.flatMap(({ step, by }) => [step, ...by]),
      ...ready.flatMap((name) => [name, ...sourcesOf(run, name, steps)]),
    ]);
    for (const name of going) {
      await advanceItems(unit, deps, run, name, steps);
      const ended = endOfItems(unit, steps.get(name), steps);
      if (ended !== undefined) await end(ended);
    }
    const decided = ready.map((name) => applyCondition(unit, steps.get(name), run, steps));
    const over = [
      ...blocked.map((one) => skipBlocked(unit, one, steps)),
      ...decided.filter(({ state }) => isEnded(state)),
    ];
    for (const step of over) await end(step);
    const willRun = decided.filter(({ state }) => !isEnded(state));
    for (const step of willRun.filter(({ kind }) => kind === 'use')) {
      const parked = await startWaiting(unit, deps, run, step, steps);
      if (isEnded(parked.state)) await end(parked);
      else steps.put(parked);
    }
    for (const step of willRun.filter(({ kind }) => kind === 'foreach')) {
      const [begun, ...items] = beginItems(unit, step, run, steps);
      for (const item of items) steps.put(item);
      if (isEnded(begun.state)) await end(begun);
      else {
        steps.put(begun);
        next.add(begun.name);
      }
    }
    const jobs = willRun.filter(({ kind }) => kind !== 'use' && kind !== 'foreach');
    for (const cached of await takeOrStart(unit, deps, run, jobs, steps)) await end(cached);
  }
}

/** Answers steps from the cache, one look-up for all, and starts the rest; returns those that were answered. */
async function takeOrStart(
  unit: Unit,
  deps: PipelinesDeps,
  run: RunBasis,
  ready: readonly Step[],
  steps: RunSteps,
): Promise<readonly Step[]> {
  const keyed = ready.map((step) => withKey(step, run, steps));
  const keys = keyed.flatMap(({ key }) => key ?? []);
  const cached = run.useCache ? await findCached(unit, run.project, keys) : undefined;
  const hitOf = ({ key }: Step) => (key === undefined ? undefined : cached?.get(key));
  const taken: Step[] = [];
  for (const step of keyed) {
    const hit = hitOf(step);
    if (hit !== undefined) taken.push(await takeCached(unit, deps, run, step, hit));
  }
  const misses = keyed.filter((step) => hitOf(step) === undefined);
  for (const step of await startSteps(unit, deps, run, misses, steps)) steps.put(step);
  return taken;
}

const hasItems = (run: RunBasis, name: string): boolean => run.spec.steps[name]?.foreach !== undefined;

/** Starts as many items of a step as may run now; what the cache answers takes no place. */
async function advanceItems(
  unit: Unit,
  deps: PipelinesDeps,
  run: RunBasis,
  name: string,
  steps: RunSteps,
): Promise<void> {
  const max = run.spec.steps[name]?.max;
  for (let ready = nextItems(steps, name, max); ready.length > 0; ready = nextItems(steps, name, max)) {
    await steps.load([...ready, ...sourcesOf(run, name, steps)]);
    const taken = await takeOrStart(
      unit,
      deps,
      run,
      ready.map((item) => steps.get(item)),
      steps,
    );
    for (const item of taken) steps.put(item);
  }
}

/** The steps whose outputs a step takes, or decides by. */
function sourcesOf(run: RunBasis, name: string, steps: RunSteps): readonly string[] {
  if (name === registerStep && run.spec.model !== undefined) return modelSteps(run.spec.model);
  const spec = run.spec.steps[name];
  const inputs = Object.entries(spec?.inputs ?? {}).flatMap(([input, given]) => {
    const source = parseInput(name, input, given);
    if (source.kind === 'collected') return itemsOf(steps.states, source.step);
    return source.kind === 'step' || source.kind === 'join' ? source.step : [];
  });
  return [...inputs, ...expressionSources(spec)];
}

/** Ended as skipped or failed when its condition says so, else as it was, with what decided. */
function applyCondition(unit: Unit, step: Step, run: RunBasis, steps: RunSteps): Step {
  const spec = run.spec.steps[step.name];
  const decision = decideStep(spec, run, steps);
  if (decision === undefined) return step;
  if ('problem' in decision) {
    const { code, message } = pipelinesErrors.STEP_CONDITION_UNDECIDED(spec?.when ?? '', decision.problem);
    return { ...step, state: 'failed', error: { code, message }, endedMs: unit.nowMs };
  }
  if (decision.holds) return { ...step, why: `its condition holds: ${decision.because}` };
  return { ...step, state: 'skipped', why: `its condition does not hold: ${decision.because}`, endedMs: unit.nowMs };
}

/** Skipped because of a failure it is an error; because of a condition it is as it should be. */
function skipBlocked(unit: Unit, { step, by }: Blocked, steps: RunSteps): Step {
  const skipped: Step = { ...steps.get(step), state: 'skipped', endedMs: unit.nowMs };
  const byCondition = by.every((name) => steps.get(name).state === 'skipped' && steps.get(name).error === undefined);
  if (byCondition) return { ...skipped, why: `what it needs was skipped: ${by.join(', ')}` };
  const { code, message } = pipelinesErrors.STEP_DEPENDENCY_FAILED(by.join(', '));
  return { ...skipped, error: { code, message } };
}

/** What decided whether a step runs stands before why it did. */
const withCondition = (decided: string | undefined, why: string): string =>
  decided === undefined ? why : `${decided}; ${why}`;

function withKey(step: Step, run: RunBasis, steps: RunSteps): Step {
  if (step.kind === 'register' || step.kind === 'use') return step;
  const declared = declaredName(step.name);
  const fromSteps: Record<string, string> = {};
  for (const [name, input] of Object.entries(run.spec.steps[declared]?.inputs ?? {})) {
    const source = parseInput(declared, name, input);
    if (source.kind === 'collected')
      fromSteps[`inputs.${name}`] = collectedDigest(collectedOutputs(steps, source.step, source.output));
    const made = outputBehind(declared, name, input, steps);
    if (made !== undefined) fromSteps[`inputs.${name}`] = made.sha256;
  }
  const keyParts: KeyParts = { ...step.plan.keyParts, ...fromSteps };
  return { ...step, keyParts, ...(step.plan.cacheable && { key: cacheKey(keyParts) }) };
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
    ...partOfStep(run, step),
  ]);
  await emitFinished(unit, run, step.name, 'cached');
  return {
    ...step,
    state: 'cached',
    why: withCondition(step.why, `cached: nothing that it depends on has changed since run ${hit.runId}`),
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
    why: withCondition(step.why, reasons[index] ?? ''),
  }));
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

/** An item leads to its step, which whoever collects the items has taken. */
function partOfStep(run: RunBasis, { name }: Step) {
  if (!isItem(name)) return [];
  return [{ from: stepReference(run.id, name), to: stepReference(run.id, declaredName(name)), kind: 'part-of' }];
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
    // of an item `train.prepare.3.rows`
    const maker = isItem(step.name) ? `${declaredName(step.name)}.${itemIndex(step.name)}` : step.name;
    const dataset = `${run.pipeline}.${maker}.${name}`;
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
    ...partOfStep(run, step),
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
