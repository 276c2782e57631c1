import type { TreeFile } from '#contracts/tree';
import type { JobEnd, JobResult } from '#modules/jobs';
import type { Reader, Unit } from '#platform/database';
import { nearestName } from '#platform/errors';
import { declaredName } from './item-names.ts';
import type { PipelinesDeps } from './pipelines-deps.ts';
import { pipelinesErrors } from './pipelines-errors.ts';
import {
  findCode,
  findRun,
  insertRun,
  insertSteps,
  listPipelines,
  listSteps,
  putRunResult,
  updateRun,
} from './pipelines-store.ts';
import { propose } from './register-step.ts';
import { createRunKeeper, newSteps, type OpenRun } from './run-keeper.ts';
import { mergeParams, planSteps } from './run-plan.ts';
import { advance, emitFinished, inRun, settleStep } from './run-progress.ts';
import { createRunSteps, fixRun } from './run-steps.ts';
import { isEnded, parseStepReference, type Run, type Step, stepReference } from './run-types.ts';
import { createWaitingSteps, type OpenStep, type StepOutcome, type WaitingSteps } from './waiting-steps.ts';

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

/** The door of `pipelines`. */
export interface PipelinesApi {
  /**
   * Starts a run in the caller's unit: versions of everything that it reads are fixed, what is cached is taken, what is
   * ready is queued. @throws PIPELINE_NOT_FOUND, PIPELINE_PARAM_UNKNOWN, PIPELINE_INPUT_MISSING
   */
  run(unit: Unit, request: RunRequest): Promise<string>;
  /**
   * Cancels a run: its processes are ended, nothing more is started but the steps that always run; when those have ended,
   * so has the run. No effect on a run that has ended or is being cancelled. @throws RUN_NOT_FOUND
   */
  cancel(unit: Unit, project: string, runId: string): Promise<void>;
  /** Answers a step that waits by the token of its event `step.waiting`: once, and whether one waited. */
  completeStep(unit: Unit, token: string, outcome: StepOutcome): Promise<boolean>;
  /** @throws RUN_NOT_FOUND */
  get(reader: Reader, project: string, runId: string): Promise<{ readonly run: Run; readonly steps: readonly Step[] }>;
}

export interface PipelinesService extends PipelinesApi, WaitingSteps {
  /** The end of a job that a step waited for. */
  jobFinished(unit: Unit, job: JobEnd): Promise<void>;
  /** The end of a job that cannot be recorded: its step fails with the reason, since nobody else would end it. */
  refuseJob(unit: Unit, job: { readonly jobId: string; readonly owner: string }, reason: string): Promise<void>;
}

async function getRun(reader: Reader, project: string, runId: string) {
  const run = await findRun(reader, runId);
  if (run === undefined || run.project !== project) throw pipelinesErrors.RUN_NOT_FOUND(runId);
  return { run, steps: await listSteps(reader, runId) };
}

export function createPipelinesService(deps: PipelinesDeps): PipelinesService {
  const runs = createRunKeeper(deps);
  const waiting = createWaitingSteps(deps, runs);

  /** The step that runs as a job; undefined when another attempt has answered for it, or its run is gone. */
  async function openRunning(hearing: Unit, owner: string, jobId: string): Promise<OpenStep | undefined> {
    const { runId, step: name } = parseStepReference(owner);
    const open = await runs.open(hearing, runId);
    if (open?.steps.states.get(name) !== 'running') return undefined;
    const [step] = await open.steps.load([name]);
    return step?.jobId === jobId ? { unit: inRun(hearing, open.fixed.run), open, step } : undefined;
  }

  return {
    ...waiting,
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
      const pending = await planSteps(unit, deps, { project, pipeline, spec, params, code: code.files });
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
        cancelling: false,
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
      if (request.code !== undefined)
        // the one applied last is kept by `workspace`
        await deps.artifacts.retainAll(unit, { project, owner: `run:${id}` }, request.code.files);
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
      const fixed = fixRun(run, pending);
      const states = new Map(pending.map(({ name, state }) => [name, state]));
      const steps = createRunSteps(unit, id, { states, steps: pending });
      await advance(unit, deps, fixed, steps, fixed.names);
      await insertSteps(unit, id, [...fixed.names.map((name) => steps.get(name)), ...newSteps(steps.changes())]);
      await runs.endIfOver(unit, { fixed, state: 'running', cancelling: false, steps });
      return id;
    },

    async cancel(unit, project, runId) {
      const open = await runs.open(unit, runId);
      if (open === undefined || open.fixed.run.project !== project) throw pipelinesErrors.RUN_NOT_FOUND(runId);
      if (open.state !== 'running' || open.cancelling) return;
      await updateRun(unit, runId, 'running', { state: 'running', cancelling: true });
      const { fixed, steps } = open;
      const going = [...steps.states].flatMap(([name, state]) =>
        fixed.always.has(declaredName(name)) || isEnded(state) ? [] : [name],
      );
      for (const step of await steps.load(going)) {
        if (step.state === 'waiting') await waiting.release(unit, fixed.run, step, 'the run was cancelled');
        if (step.state !== 'running') steps.put({ ...step, state: 'cancelled', endedMs: unit.nowMs });
        else if (step.jobId !== undefined) await deps.jobs.cancel(unit, step.jobId); // its end comes as an event
      }
      // a step with items ends when those have
      await runs.goOn(unit, { ...open, cancelling: true }, [...fixed.always, ...going]);
    },

    async jobFinished(hearing, job) {
      const found = await openRunning(hearing, job.owner, job.id);
      if (found === undefined) return;
      const { unit, open, step } = found;
      if (job.state !== 'succeeded' || job.result === undefined) {
        const error = job.error ?? { code: 'JOB_FAILED', message: 'the job left no result' };
        if (job.state === 'cancelled')
          await runs.proceed(unit, open, { ...step, state: 'cancelled', error, endedMs: unit.nowMs });
        else await runs.fail(unit, open, step, error);
      } else if (step.kind === 'register') await register(unit, open, step, job.result);
      else
        await runs.proceed(
          unit,
          open,
          await settleStep(unit, deps, open.fixed.run, step, outputsOfJob(step, job.result)),
        );
    },

    async refuseJob(unit, job, reason) {
      const found = await openRunning(unit, job.owner, job.jobId);
      if (found !== undefined)
        await runs.fail(unit, found.open, found.step, pipelinesErrors.STEP_NOT_RECORDED(found.step.name, reason));
    },
  };

  async function succeed(unit: Unit, open: OpenRun, step: Step): Promise<void> {
    await emitFinished(unit, open.fixed.run, step.name, 'succeeded');
    await runs.proceed(unit, open, { ...step, state: 'succeeded', endedMs: unit.nowMs });
  }

  async function register(unit: Unit, open: OpenRun, step: Step, described: JobResult): Promise<void> {
    const { run } = open.fixed;
    const { result, token } = await propose(unit, deps, run, open.steps, described);
    await putRunResult(unit, run.id, result);
    if (token === undefined) return await succeed(unit, open, step);
    await unit.emit({
      type: 'step.waiting',
      project: run.project,
      subject: stepReference(run.id, step.name),
      data: { runId: run.id, pipeline: run.pipeline, step: step.name, use: 'register', with: { ...result }, token },
    });
    await runs.proceed(unit, open, { ...step, state: 'waiting', token });
  }
}

/** A join's file is one output of kind dataset; a command's are what it declared. */
function outputsOfJob(step: Step, result: JobResult): JobResult['files'] {
  if (step.kind !== 'join') return result.files;
  return Object.fromEntries(
    Object.entries(result.files).map(([name, file]) => [name, { ...file, kind: 'file' as const }]),
  );
}
