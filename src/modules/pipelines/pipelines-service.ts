import type { TreeFile } from '#contracts/tree';
import type { Job, JobResult } from '#modules/jobs';
import type { Reader, Unit } from '#platform/database';
import { nearestName } from '#platform/errors';
import type { PipelinesDeps } from './pipelines-deps.ts';
import { pipelinesErrors } from './pipelines-errors.ts';
import {
  findCode,
  findRun,
  findStepByToken,
  insertRun,
  insertSteps,
  listPipelines,
  listSteps,
  putRunResult,
  updateRun,
  updateStep,
} from './pipelines-store.ts';
import { propose } from './register-step.ts';
import { mergeParams, planSteps } from './run-plan.ts';
import { advance, emitFinished, inRun, settleStep } from './run-progress.ts';
import { runState } from './run-rules.ts';
import { isEnded, type Run, type RunResult, type Step } from './run-types.ts';

export interface RunRequest {
  readonly project: string;
  readonly pipeline: string;
  readonly params?: Readonly<Record<string, unknown>>;
  /** What asked for it: `user:local`, `trigger:<name>`. */
  readonly trigger: string;
  /** The person behind it, when that is not `trigger`: under four eyes they may not approve what it proposes. */
  readonly requestedBy?: string;
  /** Another code tree than the one applied last. */
  readonly code?: { readonly snapshot: string; readonly files: readonly TreeFile[] };
  readonly useCache?: boolean;
}

export type StepOutcome =
  | { readonly kind: 'succeeded'; readonly result?: RunResult }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

/** The door of `pipelines`. */
export interface PipelinesApi {
  /**
   * Starts a run in the caller's unit: versions of everything that it reads are fixed, what is cached is taken, what is
   * ready is queued. @throws PIPELINE_NOT_FOUND, PIPELINE_PARAM_UNKNOWN, PIPELINE_INPUT_MISSING
   */
  run(unit: Unit, request: RunRequest): Promise<string>;
  /** Ends a run; its running steps are ended as soon as their processes are gone. */
  cancel(unit: Unit, project: string, runId: string): Promise<void>;
  /** Answers a step that waits. @throws STEP_NOT_WAITING */
  completeStep(unit: Unit, token: string, outcome: StepOutcome): Promise<void>;
  /** @throws RUN_NOT_FOUND */
  get(reader: Reader, project: string, runId: string): Promise<{ readonly run: Run; readonly steps: readonly Step[] }>;
}

export interface PipelinesService extends PipelinesApi {
  /** The end of a job that a step waited for. */
  jobFinished(unit: Unit, job: Job): Promise<void>;
}

async function getRun(reader: Reader, project: string, runId: string) {
  const run = await findRun(reader, runId);
  if (run === undefined || run.project !== project) throw pipelinesErrors.RUN_NOT_FOUND(runId);
  return { run, steps: await listSteps(reader, runId) };
}

export function createPipelinesService(deps: PipelinesDeps): PipelinesService {
  /** Applies a change of one step, goes on as far as possible, writes what changed. */
  async function proceed(unit: Unit, run: Run, before: readonly Step[], change: Step): Promise<void> {
    const changed = before.map((step) => (step.name === change.name ? change : step));
    const after = run.state === 'running' ? await advance(unit, deps, run, changed) : changed;
    await writeSteps(unit, run, before, after);
    if (run.state === 'running') await endIfOver(unit, run, after);
  }

  async function writeSteps(unit: Unit, run: Run, before: readonly Step[], after: readonly Step[]): Promise<void> {
    const old = new Map(before.map((step) => [step.name, step]));
    for (const step of after) {
      const was = old.get(step.name);
      if (was === undefined || was === step) continue;
      await updateStep(unit, run.id, was, step);
      if (step.trackingRunId !== undefined && isEnded(step.state) && !isEnded(was.state))
        await deps.tracking.finishRun(unit, {
          project: run.project,
          runId: step.trackingRunId,
          status: trackingStatus(step.state),
        });
    }
  }

  async function endIfOver(unit: Unit, run: Run, steps: readonly Step[]): Promise<void> {
    const state = runState(steps, false);
    if (state === 'running') return;
    const failed = steps.filter((step) => step.state === 'failed').map(({ name }) => name);
    const error = state === 'failed' ? pipelinesErrors.RUN_STEPS_FAILED(failed.join(', ')) : undefined;
    await updateRun(unit, run.id, 'running', {
      state,
      ...(error && { error: { code: error.code, message: error.message } }),
      endedMs: unit.nowMs,
    });
    await emitRunFinished(unit, run, state);
  }

  async function emitRunFinished(unit: Unit, run: Run, state: Run['state']): Promise<void> {
    if (run.trackingRunId !== undefined)
      await deps.tracking.finishRun(unit, {
        project: run.project,
        runId: run.trackingRunId,
        status: trackingStatus(state),
      });
    await unit.emit({
      type: 'pipeline.run.finished',
      project: run.project,
      subject: `run:${run.id}`,
      data: { runId: run.id, pipeline: run.pipeline, state },
    });
  }

  return {
    get: getRun,

    async run(unit, request) {
      const { project, pipeline } = request;
      const known = await listPipelines(unit, project);
      const spec = known.find(({ name }) => name === pipeline)?.spec;
      if (spec === undefined) {
        const near = nearestName(
          pipeline,
          known.map(({ name }) => name),
        );
        throw pipelinesErrors.PIPELINE_NOT_FOUND(pipeline, near);
      }
      const code = request.code ?? (await findCode(unit, project)) ?? { snapshot: '', files: [] };
      const params = mergeParams(spec, request.params ?? {});
      const pending = await planSteps(unit, deps, { project, spec, params, code: code.files });
      const id = unit.newId();
      const tracked = await deps.tracking.createRun(unit, {
        project,
        experimentName: pipeline,
        name: `${pipeline}-${id.slice(-8)}`,
        tags: [
          { key: 'tidemill.run', value: `run:${id}` },
          { key: 'tidemill.trigger', value: request.trigger },
        ],
      });
      const run: Run = {
        id,
        project,
        pipeline,
        state: 'running',
        trigger: request.trigger,
        params,
        spec,
        code: code.files,
        useCache: request.useCache ?? true,
        inputs: [...new Set(pending.flatMap(({ plan }) => plan.reads))],
        snapshot: code.snapshot,
        trackingRunId: tracked.info.runId,
        causeDepth: unit.context.causeDepth,
        requestedBy: request.requestedBy ?? request.trigger,
        result: undefined,
        error: undefined,
        createdMs: unit.nowMs,
        endedMs: undefined,
      };
      await insertRun(unit, run);
      for (const { sha256, sizeBytes } of request.code?.files ?? []) // the one applied last is kept by `workspace`
        await deps.artifacts.retain(unit, { project, sha256, sizeBytes, owner: `run:${id}` });
      for (const type of ['pipeline.run.queued', 'pipeline.run.started'] as const)
        await unit.emit({
          type,
          project,
          subject: `run:${id}`,
          data: { runId: id, pipeline, trigger: request.trigger },
        });
      await deps.lineage.record(unit, project, [
        { from: `pipeline:${pipeline}`, to: `run:${id}`, kind: 'ran' },
        ...(code.snapshot === '' ? [] : [{ from: `snapshot:${code.snapshot}`, to: `run:${id}`, kind: 'code' }]),
      ]);
      const steps = await advance(unit, deps, run, pending);
      await insertSteps(unit, id, steps);
      await endIfOver(unit, run, steps);
      return id;
    },

    async cancel(unit, project, runId) {
      const { run, steps } = await getRun(unit, project, runId);
      if (run.state !== 'running') return;
      await updateRun(unit, runId, 'running', { state: 'cancelled', endedMs: unit.nowMs });
      const after: Step[] = [];
      for (const step of steps) {
        if (step.state === 'running' && step.jobId !== undefined) await deps.jobs.cancel(unit, step.jobId);
        after.push(
          isEnded(step.state) || step.state === 'running' ? step : { ...step, state: 'cancelled', endedMs: unit.nowMs },
        );
      }
      await writeSteps(unit, run, steps, after);
      await emitRunFinished(unit, run, 'cancelled');
    },

    async completeStep(asking, token, outcome) {
      const found = await findStepByToken(asking, token);
      const run = found && (await findRun(asking, found.runId));
      const steps = found === undefined ? [] : await listSteps(asking, found.runId);
      const step = steps.find(({ name }) => name === found?.step);
      if (run === undefined || step?.state !== 'waiting') throw pipelinesErrors.STEP_NOT_WAITING();
      const unit = inRun(asking, run);
      if (outcome.kind === 'succeeded') {
        if (outcome.result !== undefined) await putRunResult(unit, run.id, outcome.result);
        await emitFinished(unit, run, step.name, 'succeeded');
        await proceed(unit, run, steps, { ...step, state: 'succeeded', endedMs: unit.nowMs });
      } else await fail(unit, run, steps, step, outcome);
    },

    async jobFinished(hearing, job) {
      const [runId = '', name = ''] = job.owner.replace(/^pipeline-step:/, '').split('/');
      const run = await findRun(hearing, runId);
      const steps = run === undefined ? [] : await listSteps(hearing, runId);
      const step = steps.find((candidate) => candidate.name === name);
      if (run === undefined || step?.state !== 'running' || step.jobId !== job.id) return;
      const unit = inRun(hearing, run);
      if (job.state !== 'succeeded' || job.result === undefined) {
        const error = job.error ?? { code: 'JOB_FAILED', message: 'the job left no result' };
        if (job.state === 'cancelled')
          await proceed(unit, run, steps, { ...step, state: 'cancelled', error, endedMs: unit.nowMs });
        else await fail(unit, run, steps, step, error);
      } else if (step.kind === 'register') await register(unit, run, steps, step, job.result);
      else await proceed(unit, run, steps, await settleStep(unit, deps, run, step, outputsOfJob(step, job.result)));
    },
  };

  async function fail(
    unit: Unit,
    run: Run,
    steps: readonly Step[],
    step: Step,
    error: { readonly code: string; readonly message: string },
  ): Promise<void> {
    await emitFinished(unit, run, step.name, 'failed');
    await proceed(unit, run, steps, {
      ...step,
      state: 'failed',
      error: { code: error.code, message: error.message },
      endedMs: unit.nowMs,
    });
  }

  async function register(
    unit: Unit,
    run: Run,
    steps: readonly Step[],
    step: Step,
    described: JobResult,
  ): Promise<void> {
    const { result, token } = await propose(unit, deps, run, steps, described);
    await putRunResult(unit, run.id, result);
    if (token === undefined) {
      await emitFinished(unit, run, step.name, 'succeeded');
      await proceed(unit, run, steps, { ...step, state: 'succeeded', endedMs: unit.nowMs });
      return;
    }
    await unit.emit({
      type: 'step.waiting',
      project: run.project,
      subject: `pipeline-step:${run.id}/${step.name}`,
      data: { runId: run.id, pipeline: run.pipeline, step: step.name, use: 'register', with: { ...result }, token },
    });
    await proceed(unit, run, steps, { ...step, state: 'waiting', token });
  }
}

/** A join's file is one output of kind dataset; a command's are what it declared. */
function outputsOfJob(step: Step, result: JobResult): JobResult['files'] {
  if (step.kind !== 'join') return result.files;
  return Object.fromEntries(
    Object.entries(result.files).map(([name, file]) => [name, { ...file, kind: 'file' as const }]),
  );
}

function trackingStatus(state: string): 'FINISHED' | 'FAILED' | 'KILLED' {
  if (state === 'succeeded' || state === 'cached') return 'FINISHED';
  return state === 'cancelled' || state === 'skipped' ? 'KILLED' : 'FAILED';
}
