import type { StepState } from '#contracts/pipelines';
import type { Reader } from '#platform/database';
import { isItem } from './item-names.ts';
import { loadSteps } from './pipelines-store.ts';
import type { RunBasis, Step } from './run-types.ts';

/** What never changes of a run once it has begun, so that each end of a step need not read it again. */
export interface FixedRun {
  readonly run: RunBasis;
  /** In the order of the document. */
  readonly names: readonly string[];
  readonly needs: ReadonlyMap<string, readonly string[]>;
  /** The steps that need a step. */
  readonly dependants: ReadonlyMap<string, readonly string[]>;
  /** Steps that run once everything they need has ended, however it ended. */
  readonly always: ReadonlySet<string>;
}

/** Items of steps are made while the run goes on: they are no part of what is fixed. */
export function fixRun(run: RunBasis, all: readonly Pick<Step, 'name' | 'needs'>[]): FixedRun {
  const steps = all.filter(({ name }) => !isItem(name));
  const dependants = new Map<string, string[]>();
  for (const { name, needs } of steps)
    for (const need of needs) {
      const known = dependants.get(need);
      if (known === undefined) dependants.set(need, [name]);
      else known.push(name);
    }
  return {
    run,
    names: steps.map(({ name }) => name),
    needs: new Map(steps.map(({ name, needs }) => [name, needs])),
    dependants,
    always: new Set(Object.entries(run.spec.steps).flatMap(([name, step]) => (step.always === true ? [name] : []))),
  };
}

/**
 * The steps of a run inside one unit: the states of all, everything else of those that are looked at. A run of many
 * steps ends many times over; to read all of it at each end would cost the square of their number.
 */
export interface RunSteps {
  readonly states: ReadonlyMap<string, StepState>;
  /** These steps, each read once. */
  load(names: readonly string[]): Promise<readonly Step[]>;
  /** A step that was loaded or put. */
  get(name: string): Step;
  put(step: Step): void;
  /** What was put, with what was there before; a new step has none. */
  changes(): readonly { readonly before: Step | undefined; readonly after: Step }[];
}

export function createRunSteps(
  reader: Reader,
  runId: string,
  given: { readonly states: ReadonlyMap<string, StepState>; readonly steps: readonly Step[] },
): RunSteps {
  const states = new Map(given.states);
  const known = new Map(given.steps.map((step) => [step.name, step]));
  const changed = new Map<string, { readonly before: Step | undefined; readonly after: Step }>();

  function get(name: string): Step {
    const step = known.get(name);
    if (step === undefined) throw new Error(`step ${name} of run ${runId} was not loaded`);
    return step;
  }

  return {
    states,
    async load(names) {
      const unknown = names.filter((name) => !known.has(name));
      if (unknown.length > 0) for (const step of await loadSteps(reader, runId, unknown)) known.set(step.name, step);
      return names.map(get);
    },
    get,
    put(step) {
      const before = changed.has(step.name) ? changed.get(step.name)?.before : known.get(step.name);
      changed.set(step.name, { before, after: step });
      known.set(step.name, step);
      states.set(step.name, step.state);
    },
    changes: () => [...changed.values()],
  };
}
