import { latencyBoundsUs, type RevisionCounters } from '#contracts/replica-report';
import type { ErrorKind } from '#platform/errors';

/**
 * `unrecorded`: the spool had no room for a prediction that must be recorded; `abandoned`: the client had gone before the
 * model ran. No revision is judged by either.
 */
export type FailureKind = ErrorKind | 'unrecorded' | 'abandoned';

/** What one revision did in one role since the process started. Only grows. */
export interface Counters {
  received(): void;
  answered(rows: number, durationUs: number, greatestEventTimeMs: number | undefined): void;
  failed(kind: FailureKind): void;
  snapshot(): RevisionCounters;
}

export function createCounters(): Counters {
  let requests = 0;
  let rows = 0;
  let latencySumUs = 0;
  let maxEventTimeMs: number | undefined;
  const errors: Partial<Record<FailureKind, number>> = {};
  const latencyCounts = Array.from({ length: latencyBoundsUs.length + 1 }, () => 0);
  return {
    received() {
      requests += 1;
    },
    answered(count, durationUs, eventTimeMs) {
      rows += count;
      let bucket = 0;
      while (durationUs > (latencyBoundsUs[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1;
      latencyCounts[bucket] = (latencyCounts[bucket] ?? 0) + 1;
      latencySumUs += durationUs;
      if (eventTimeMs !== undefined && eventTimeMs > (maxEventTimeMs ?? Number.NEGATIVE_INFINITY))
        maxEventTimeMs = eventTimeMs;
    },
    failed(kind) {
      errors[kind] = (errors[kind] ?? 0) + 1;
    },
    snapshot: () => ({
      requests,
      rows,
      errors: { ...errors },
      latencyCounts: [...latencyCounts],
      latencySumUs,
      ...(maxEventTimeMs !== undefined && { maxEventTimeMs }),
    }),
  };
}
