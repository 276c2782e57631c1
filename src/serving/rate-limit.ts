import { servingErrors } from './serving-errors.ts';

/** Requests of one principal at one endpoint: a bucket that fills by `perSecond` and holds `burst`. */
export interface RateLimit {
  /** RATE_LIMITED when the principal has to wait; says how long. */
  take(principal: string, nowMs: number): void;
  /** Requests that were refused. */
  readonly refused: number;
}

interface Bucket {
  left: number;
  atMs: number;
}

/** Full buckets are forgotten when there are so many: they say nothing. */
const sweepAbove = 1_000;

export function createRateLimit(
  rate: () => { readonly perSecond: number; readonly burst?: number } | undefined,
): RateLimit {
  const buckets = new Map<string, Bucket>();
  let refused = 0;
  return {
    get refused() {
      return refused;
    },
    take(principal, nowMs) {
      const limit = rate();
      if (limit === undefined) return;
      const { perSecond, burst = Math.max(1, Math.floor(perSecond)) } = limit;
      const filled = ({ left, atMs }: Bucket) => Math.min(burst, left + ((nowMs - atMs) / 1_000) * perSecond);
      const known = buckets.get(principal);
      const left = known === undefined ? burst : filled(known);
      if (left < 1) {
        refused += 1;
        throw servingErrors.RATE_LIMITED(Math.ceil(((1 - left) / perSecond) * 1_000));
      }
      if (known !== undefined) {
        known.left = left - 1;
        known.atMs = nowMs;
        return;
      }
      if (buckets.size >= sweepAbove)
        for (const [name, bucket] of buckets) if (filled(bucket) >= burst) buckets.delete(name);
      buckets.set(principal, { left: left - 1, atMs: nowMs });
    },
  };
}
