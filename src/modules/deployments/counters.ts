import { latencyBoundsUs } from '#contracts/latency-bounds';

/** What a revision did in one role: at one start of one replica, or summed. Only grows. */
export interface Counters {
  /** Sent to it, refused ones included. */
  readonly requests: number;
  readonly rows: number;
  /** By kind of error. */
  readonly errors: Readonly<Record<string, number>>;
  /** Of the answered ones, per bound of `latencyBoundsUs`, then the rest. */
  readonly latencyCounts: readonly number[];
  readonly latencySumUs: number;
  readonly maxEventTimeMs: number | undefined;
}

export const noCounters: Counters = {
  requests: 0,
  rows: 0,
  errors: {},
  latencyCounts: [],
  latencySumUs: 0,
  maxEventTimeMs: undefined,
};

export function addCounters(a: Counters, b: Counters): Counters {
  return combine(a, b, 1);
}

/** What happened since `before`. */
export function subtractCounters(after: Counters, before: Counters): Counters {
  return combine(after, before, -1);
}

function combine(a: Counters, b: Counters, sign: 1 | -1): Counters {
  const kinds = new Set([...Object.keys(a.errors), ...Object.keys(b.errors)]);
  const length = Math.max(a.latencyCounts.length, b.latencyCounts.length);
  const greatest = Math.max(a.maxEventTimeMs ?? -Infinity, sign === 1 ? (b.maxEventTimeMs ?? -Infinity) : -Infinity);
  return {
    requests: a.requests + sign * b.requests,
    rows: a.rows + sign * b.rows,
    errors: Object.fromEntries([...kinds].map((kind) => [kind, (a.errors[kind] ?? 0) + sign * (b.errors[kind] ?? 0)])),
    latencyCounts: Array.from({ length }, (_, at) => (a.latencyCounts[at] ?? 0) + sign * (b.latencyCounts[at] ?? 0)),
    latencySumUs: a.latencySumUs + sign * b.latencySumUs,
    maxEventTimeMs: greatest === -Infinity ? undefined : greatest,
  };
}

/** Kinds of error that are the caller's doing, or the spool's: no revision is judged by them. */
const foreignKinds: ReadonlySet<string> = new Set([
  'invalid',
  'unauthenticated',
  'forbidden',
  'not_found',
  'conflict',
  'too_large',
  'rate_limited',
  'unrecorded',
  'abandoned',
]);

export const answersOf = (counters: Counters): number => counters.latencyCounts.reduce((sum, count) => sum + count, 0);

/** Failures of ours. */
export function failuresOf({ errors }: Counters): number {
  return Object.entries(errors).reduce((sum, [kind, count]) => sum + (foreignKinds.has(kind) ? 0 : count), 0);
}

/** Answers and our failures: what an error rate is a share of. */
export const judgedRequestsOf = (counters: Counters): number => answersOf(counters) + failuresOf(counters);

/** A quantile of the latency, linear within its bucket; undefined without answers. Above the last bound it is that bound. */
export function latencyQuantileUs({ latencyCounts }: Counters, quantile: number): number | undefined {
  const total = latencyCounts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  const rank = quantile * total;
  let below = 0;
  for (const [at, count] of latencyCounts.entries()) {
    if (count === 0 || below + count < rank) {
      below += count;
      continue;
    }
    const lower = at === 0 ? 0 : (latencyBoundsUs[at - 1] ?? 0);
    const upper = latencyBoundsUs[at] ?? lower;
    return lower + (upper - lower) * ((rank - below) / count);
  }
  return latencyBoundsUs.at(-1);
}
