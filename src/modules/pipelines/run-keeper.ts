import type { RunState } from '#contracts/pipelines';
import type { Unit } from '#platform/database';
import { declaredName, isItem } from './item-names.ts';
import type { PipelinesDeps } from './pipelines-deps.ts';
import { pipelinesErrors } from './pipelines-errors.ts';
import { findProgress, findRun, insertSteps, listNeeds, updateRun, updateStep } from './pipelines-store.ts';
import { advance, emitFinished } from './run-progress.ts';
import { runState } from './run-rules.ts';
import { createRunSteps, type FixedRun, fixRun, type RunSteps } from './run-steps.ts';
import { isEnded, type RunBasis, type Step } from './run-types.ts';

/** A run that goes on, opened inside a unit. */
export interface OpenRun {
  readonly fixed: FixedRun;
  readonly state: RunState;
  readonly cancelling: boolean;
  readonly steps: RunSteps;
}

/** Runs whose fixed part stays in memory: those that go on at one time, rarely more. */
const keptRuns = 8;

/** Opens runs, takes them further and writes what has changed: whatever ends a step comes through here. */
export interface RunKeeper {
  /** Undefined when there is no such run. */
  open(unit: Unit, runId: string): Promise<OpenRun | undefined>;
  /** Applies a change of one step, goes on as far as possible, writes what changed. */
  proceed(unit: Unit, open: OpenRun, change: Step): Promise<void>;
  /** The same for a step that failed. */
  fail(
    unit: Unit,
    open: OpenRun,
    step: Step,
    error: { readonly code: string; readonly message: string },
  ): Promise<void>;
  /** Goes on with these steps as far as possible, writes what changed; ends the run when nothing is left to do. */
  goOn(unit: Unit, open: OpenRun, candidates: Iterable<string>): Promise<void>;
  /** Ends a run when all its steps have ended. */
  endIfOver(unit: Unit, open: OpenRun): Promise<void>;
}

export function createRunKeeper(deps: PipelinesDeps): RunKeeper {
  const kept = new Map<string, FixedRun>();

  async function findFixed(unit: Unit, runId: string): Promise<FixedRun | undefined> {
    const known = kept.get(runId);
    kept.delete(runId); // put behind the others again: the one not used for longest goes first
    const run = known?.run ?? (await findRun(unit, runId));
    if (run === undefined) return undefined;
    const fixed = known ?? fixRun(run, await listNeeds(unit, runId));
    kept.set(runId, fixed);
    const [oldest] = kept.keys();
    if (kept.size > keptRuns && oldest !== undefined) kept.delete(oldest);
    return fixed;
  }

  const keeper: RunKeeper = {
    async open(unit, runId) {
      const progress = await findProgress(unit, runId);
      const fixed = progress && (await findFixed(unit, runId));
      if (progress === undefined || fixed === undefined) return undefined;
      const { state, cancelling, states } = progress;
      return { fixed, state, cancelling, steps: createRunSteps(unit, runId, { states, steps: [] }) };
    },

    async proceed(unit, open, change) {
      open.steps.put(change);
      const { name } = change;
      const concerned = isItem(name) ? [declaredName(name)] : (open.fixed.dependants.get(name) ?? []);
      await keeper.goOn(unit, open, isEnded(change.state) ? concerned : []);
    },

    async fail(unit, open, step, { code, message }) {
      await emitFinished(unit, open.fixed.run, step.name, 'failed');
      await keeper.proceed(unit, open, { ...step, state: 'failed', error: { code, message }, endedMs: unit.nowMs });
    },

    async goOn(unit, open, candidates) {
      const { fixed, steps } = open;
      if (open.state === 'running') await advance(unit, deps, fixed, steps, candidates);
      const changes = steps.changes();
      await insertSteps(unit, fixed.run.id, newSteps(changes));
      for (const { before, after } of changes) {
        if (before !== undefined) await updateStep(unit, fixed.run.id, before, after);
        if (after.trackingRunId !== undefined && isEnded(after.state))
          await deps.tracking.finishRun(unit, {
            project: fixed.run.project,
            runId: after.trackingRunId,
            status: trackingStatus(after.state),
          });
      }
      await keeper.endIfOver(unit, open);
    },

    async endIfOver(unit, open) {
      if (open.state !== 'running') return;
      const { run, names } = open.fixed;
      const state = runState(open.steps.states.values(), open.cancelling);
      if (state === 'running') return;
      const failed = names.filter((name) => open.steps.states.get(name) === 'failed');
      const error = state === 'failed' ? pipelinesErrors.RUN_STEPS_FAILED(failed.join(', ')) : undefined;
      await updateRun(unit, run.id, 'running', {
        state,
        ...(error && { error: { code: error.code, message: error.message } }),
        endedMs: unit.nowMs,
      });
      await emitRunFinished(unit, run, state);
    },
  };

  async function emitRunFinished(unit: Unit, run: RunBasis, state: RunState): Promise<void> {
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

  return keeper;
}

/** Items that were made in this unit. */
export const newSteps = (changes: ReturnType<RunSteps['changes']>): readonly Step[] =>
  changes.flatMap(({ before, after }) => (before === undefined ? after : []));

function trackingStatus(state: string): 'FINISHED' | 'FAILED' | 'KILLED' {
  if (state === 'succeeded' || state === 'cached') return 'FINISHED';
  return state === 'cancelled' || state === 'skipped' ? 'KILLED' : 'FAILED';
}
