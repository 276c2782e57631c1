import type { RunState, StepState } from '#contracts/pipelines';
import { isDone, isEnded, type Step } from './run-types.ts';

/**
 * The life of a run: queued → running → succeeded | failed | cancelled. Of a step:
 *
 *   pending ──► running ──► succeeded | failed | cancelled
 *      │           └──► waiting ──► succeeded | failed        (its token is answered)
 *      ├──► cached                                            (an equal result stands in)
 *      └──► skipped                                           (what it needs did not succeed, or the run was cancelled)
 */
export interface Readiness {
  /** Everything it needs has succeeded. */
  readonly ready: readonly Step[];
  /** Something it needs has ended otherwise, and is named. */
  readonly blocked: readonly { readonly step: Step; readonly by: readonly string[] }[];
}

/** @param always names of steps that run once everything they need has ended, however it ended */
export function readiness(steps: readonly Step[], always: ReadonlySet<string>): Readiness {
  const states = new Map<string, StepState>(steps.map((step) => [step.name, step.state]));
  const ready: Step[] = [];
  const blocked: { step: Step; by: readonly string[] }[] = [];
  for (const step of steps) {
    if (step.state !== 'pending') continue;
    const needed = step.needs.map((name) => ({ name, state: states.get(name) ?? 'skipped' }));
    const bad = needed.filter(({ state }) => isEnded(state) && !isDone(state)).map(({ name }) => name);
    if (bad.length > 0 && !always.has(step.name)) blocked.push({ step, by: bad });
    else if (needed.every(({ state }) => isEnded(state))) ready.push(step);
  }
  return { ready, blocked };
}

/** The state of a run by its steps; `running` while one has not ended. */
export function runState(steps: readonly Pick<Step, 'state'>[], cancelled: boolean): RunState {
  if (steps.some(({ state }) => !isEnded(state))) return 'running';
  if (cancelled) return 'cancelled';
  return steps.every(({ state }) => isDone(state)) ? 'succeeded' : 'failed';
}
