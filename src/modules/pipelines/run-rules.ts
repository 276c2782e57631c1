import type { RunState, StepState } from '#contracts/pipelines';
import { isDone, isEnded } from './run-types.ts';

/**
 * The life of a run: queued → running → succeeded | failed | cancelled. Of a step:
 *
 *   pending ──► running ──► succeeded | failed | cancelled
 *      │           └──► waiting ──► succeeded | failed        (its token is answered)
 *      ├──► cached                                            (an equal result stands in)
 *      └──► skipped                                           (what it needs did not succeed, or `when` does not hold)
 *      └──► cancelled                                         (the run was, and the step is not one that always runs)
 */
export interface Readiness {
  /** Everything it needs has succeeded. */
  readonly ready: readonly string[];
  /** Something it needs has ended otherwise, and is named. */
  readonly blocked: readonly Blocked[];
}

export interface Blocked {
  readonly step: string;
  readonly by: readonly string[];
}

/** What can be said now of those of the candidates that are pending. */
export function readiness(
  candidates: Iterable<string>,
  run: {
    readonly states: ReadonlyMap<string, StepState>;
    readonly needs: ReadonlyMap<string, readonly string[]>;
    /** Steps that run once everything they need has ended, however it ended. */
    readonly always: ReadonlySet<string>;
  },
): Readiness {
  const stateOf = (name: string): StepState => run.states.get(name) ?? 'skipped';
  const ready: string[] = [];
  const blocked: Blocked[] = [];
  for (const step of candidates) {
    if (stateOf(step) !== 'pending') continue;
    const needs = run.needs.get(step) ?? [];
    const bad = run.always.has(step) ? [] : needs.filter((name) => isEnded(stateOf(name)) && !isDone(stateOf(name)));
    if (bad.length > 0) blocked.push({ step, by: bad });
    else if (needs.every((name) => isEnded(stateOf(name)))) ready.push(step);
  }
  return { ready, blocked };
}

/** The state of a run by those of its steps; `running` while one has not ended. */
export function runState(states: Iterable<StepState>, cancelled: boolean): RunState {
  let state: RunState = 'succeeded';
  for (const one of states) {
    if (!isEnded(one)) return 'running';
    // what was skipped was skipped because of another that failed, or by its own condition: no failure of the run
    if (!isDone(one) && one !== 'skipped') state = 'failed';
  }
  return cancelled ? 'cancelled' : state;
}
