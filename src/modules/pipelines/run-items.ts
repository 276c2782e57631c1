import type { Unit } from '#platform/database';
import { digest } from './cache-key.ts';
import { mostItems } from './foreach-items.ts';
import { declaredName, itemName, itemsOf } from './item-names.ts';
import { pipelinesErrors } from './pipelines-errors.ts';
import type { RunSteps } from './run-steps.ts';
import { isDone, isEnded, type RunBasis, type Step } from './run-types.ts';
import { resolveStepItems } from './step-condition.ts';

/*
 * A step with `foreach` is a row of its own, `train`, and one row for each item, `train[0]`, `train[1]`, …, made when the
 * step is ready: only then is known what an expression says. Items are commands as all others; each has its key and its
 * result in the cache.
 *
 *   train:     pending ──► running ──────────────────────────────► succeeded | failed | cancelled
 *                              └─ makes ─► train[i]: pending ──► running ──► … (at most `max` at the same time)
 *
 * All items run, also beside one that failed: what they have made is in the cache for the next run.
 */

/** Begins a step with `foreach`: its row, running, and the rows of its items. Failed when its items cannot be told. */
export function beginItems(unit: Unit, step: Step, run: RunBasis, steps: RunSteps): readonly [Step, ...Step[]] {
  const spec = run.spec.steps[step.name];
  const resolved = resolveStepItems(spec, run, steps);
  if ('problem' in resolved) {
    const { code, message } = pipelinesErrors.STEP_ITEMS_UNDECIDED(resolved.problem);
    return [{ ...step, state: 'failed', error: { code, message }, startedMs: unit.nowMs, endedMs: unit.nowMs }];
  }
  const { items } = resolved;
  const atOnce = spec?.max === undefined || spec.max >= items.length ? '' : `, at most ${spec.max} at the same time`;
  const why = `runs for each of ${items.length} items${atOnce}`;
  const begun: Step = {
    ...step,
    state: 'running',
    why: step.why === undefined ? why : `${step.why}; ${why}`,
    startedMs: unit.nowMs,
  };
  const { plan } = step;
  return [
    begun,
    ...items.map(
      (each, index): Step => ({
        ...step,
        name: itemName(step.name, index),
        kind: 'command',
        why: undefined,
        plan: {
          ...plan,
          each,
          keyParts: {
            ...plan.keyParts,
            ...Object.fromEntries(Object.entries(each).map(([name, value]) => [`each.${name}`, JSON.stringify(value)])),
          },
        },
      }),
    ),
  ];
}

/** The next items that may start now, in their order. */
export function nextItems(steps: RunSteps, step: string, max: number | undefined): readonly string[] {
  const names = itemsOf(steps.states, step);
  const running = names.filter((name) => steps.states.get(name) === 'running').length;
  const free = Math.max(0, (max ?? mostItems) - running);
  return names.filter((name) => steps.states.get(name) === 'pending').slice(0, free);
}

const mostNamed = 10;

/** The step as it has ended; undefined while an item has not. */
export function endOfItems(unit: Unit, step: Step, steps: RunSteps): Step | undefined {
  const names = itemsOf(steps.states, step.name);
  const stateOf = (name: string) => steps.states.get(name) ?? 'pending';
  if (names.some((name) => !isEnded(stateOf(name)))) return undefined;
  const bad = names.filter((name) => !isDone(stateOf(name)));
  if (bad.length === 0) return { ...step, state: 'succeeded', endedMs: unit.nowMs };
  const state = bad.some((name) => stateOf(name) === 'failed') ? 'failed' : 'cancelled';
  const named = bad.slice(0, mostNamed).join(', ');
  const { code, message } = pipelinesErrors.STEP_ITEMS_FAILED(
    bad.length > mostNamed ? `${named} and ${bad.length - mostNamed} more` : named,
    names.length,
  );
  return { ...step, state, error: { code, message }, endedMs: unit.nowMs };
}

/** What the items have made of one output, in their order, by what it is called inside the folder of the dependant. */
export function collectedOutputs(steps: RunSteps, step: string, output: string) {
  const names = itemsOf(steps.states, step);
  const width = String(Math.max(0, names.length - 1)).length;
  return names.flatMap((name, index) => {
    const made = steps.get(name).outputs[output];
    // as many digits for all, so that their order is that of the names
    return made === undefined ? [] : [{ entry: String(index).padStart(width, '0'), made }];
  });
}

/** The content of a collected output: what the items made, each with its name, since those that failed leave gaps. */
export const collectedDigest = (collected: ReturnType<typeof collectedOutputs>): string =>
  digest(collected.map(({ entry, made }) => [entry, made.sha256]));

/** The declaration behind a step or an item. */
export const specOf = (run: RunBasis, name: string) => run.spec.steps[declaredName(name)];
