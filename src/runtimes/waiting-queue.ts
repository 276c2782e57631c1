import { runtimeErrors } from './runtime-errors.ts';

/** What a request says of its own waiting. */
export interface RunTerms {
  /** On the scale of performance.now(): not run after that. DEADLINE_PASSED. */
  readonly deadlineMs?: number;
  /** The client is gone: not run. REQUEST_ABANDONED. */
  readonly signal?: Pick<AbortSignal, 'aborted'>;
  /** 1 is run first; what says nothing has `usualPriority`. */
  readonly priority?: number;
  /** What the model is told beside its inputs; only requests that agree in them run together. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** The keys of the rows, one a row, for a graph that splits by them. */
  readonly keys?: readonly (string | null)[];
  /** Told of each routing node of a graph: the branch of each row ('' of one that did not come by), one when all took the same. */
  readonly took?: (node: string, branches: readonly string[]) => void;
}

export const usualPriority = 5;

export interface Waiting {
  readonly sinceMs: number;
  readonly terms: RunTerms;
  readonly reject: (error: unknown) => void;
}

/** Requests in the order in which they are run: by priority, then by arrival. */
export interface WaitingQueue<W extends Waiting> {
  readonly length: number;
  push(waiting: W): void;
  /**
   * Takes out the first one and each later one that `joins` it. Those whose deadline has passed, whose client is gone or
   * who waited longer than `timeoutMs` are refused where they are met.
   */
  take(nowMs: number, timeoutMs: number, joins: (waiting: W, first: W) => boolean): W[];
  /** Refuses all who need not be run any more. */
  sweep(nowMs: number, timeoutMs: number): void;
  /** When the one that waits longest came. */
  oldestMs(): number | undefined;
  /** Sums what each counts for. */
  sum(of: (waiting: W) => number): number;
}

export function createWaitingQueue<W extends Waiting>(): WaitingQueue<W> {
  let items: W[] = [];
  const priorityOf = ({ terms }: W) => terms.priority ?? usualPriority;

  return {
    get length() {
      return items.length;
    },
    push(waiting) {
      const priority = priorityOf(waiting);
      let at = items.length;
      for (let before = items[at - 1]; before !== undefined && priorityOf(before) > priority; before = items[at - 1])
        at -= 1;
      if (at === items.length) items.push(waiting);
      else items.splice(at, 0, waiting);
    },
    take(nowMs, timeoutMs, joins) {
      const taken: W[] = [];
      const left: W[] = [];
      for (const waiting of items) {
        if (refuse(waiting, nowMs, timeoutMs)) continue;
        const [first] = taken;
        (first === undefined || joins(waiting, first) ? taken : left).push(waiting);
      }
      items = left;
      return taken;
    },
    sweep(nowMs, timeoutMs) {
      items = items.filter((waiting) => !refuse(waiting, nowMs, timeoutMs));
    },
    oldestMs: () =>
      items.reduce<number | undefined>((oldest, { sinceMs }) => Math.min(oldest ?? sinceMs, sinceMs), undefined),
    sum: (of) => items.reduce((total, waiting) => total + of(waiting), 0),
  };
}

function refuse({ terms, sinceMs, reject }: Waiting, nowMs: number, timeoutMs: number): boolean {
  if (terms.signal?.aborted === true) reject(runtimeErrors.REQUEST_ABANDONED());
  else if (terms.deadlineMs !== undefined && terms.deadlineMs <= nowMs)
    reject(runtimeErrors.DEADLINE_PASSED(Math.round(nowMs - sinceMs)));
  else if (nowMs - sinceMs > timeoutMs) reject(runtimeErrors.MODEL_QUEUE_TIMEOUT(timeoutMs));
  else return false;
  return true;
}
