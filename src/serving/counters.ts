import { latencyBoundsUs } from '#contracts/latency-bounds';
import type { RevisionCounters } from '#contracts/replica-report';
import type { ErrorKind } from '#platform/errors';
import type { BatchRun } from '#runtimes/batcher';

/**
 * `unrecorded`: the spool had no room for a prediction that must be recorded; `abandoned`: the client had gone before the
 * model ran. No revision is judged by either.
 */
export type FailureKind = ErrorKind | 'unrecorded' | 'abandoned';

/** The parts of an answer's time from the last byte of its request on. */
export const stages = ['input', 'queue', 'infer', 'output'] as const;
export type Stage = (typeof stages)[number];
export type StageTimesUs = Readonly<Record<Stage, number>>;

/** Answers by how long they took. */
export interface Histogram {
  /** Per bound of `latencyBoundsUs`, then the rest. */
  readonly counts: readonly number[];
  readonly sumUs: number;
}

/** What `/stats` and the metrics print beside what the reports carry. Only grows, `pending` aside. */
export interface RunFigures {
  /** Answers that the model ran for. */
  readonly run: number;
  /** Runs of the model: as many as there were batches. */
  readonly runs: number;
  readonly rows: number;
  /** Runs by their rows, the smallest first; of many rows by the power of two that they reach. */
  readonly batches: readonly { readonly rows: number; readonly runs: number; readonly inferUs: number }[];
  readonly failed: number;
  /** Time of those that failed. */
  readonly failedUs: number;
  readonly answeredUs: number;
  readonly stages: Readonly<Record<Stage, Histogram>>;
  readonly cacheHits: number;
  /** Answers whose inputs were looked for in the cache and not found. */
  readonly cacheMisses: number;
  readonly cacheHitUs: number;
  readonly lastAtMs: number | undefined;
}

/** What one revision did in one role since the process started. Only grows. */
export interface Counters {
  received(): void;
  answered(rows: number, durationUs: number, greatestEventTimeMs: number | undefined): void;
  /** Beside `answered`: of an answer that the model ran for. */
  ran(run: BatchRun, stagesUs: StageTimesUs): void;
  cacheLookedUp(hit: boolean, durationUs: number): void;
  failed(kind: FailureKind, durationUs?: number): void;
  snapshot(): RevisionCounters;
  figures(): RunFigures;
}

/** Batches of so many rows are told apart. */
const exactRows = 64;

export class MutableHistogram implements Histogram {
  readonly counts = Array.from({ length: latencyBoundsUs.length + 1 }, () => 0);
  sumUs = 0;

  add(durationUs: number): void {
    let bucket = 0;
    while (durationUs > (latencyBoundsUs[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sumUs += durationUs;
  }

  copy(): Histogram {
    return { counts: [...this.counts], sumUs: this.sumUs };
  }
}

export function createCounters(): Counters {
  let requests = 0;
  let rows = 0;
  let run = 0;
  let runs = 0;
  let failed = 0;
  let failedUs = 0;
  let cacheHits = 0;
  let cacheMisses = 0;
  let cacheHitUs = 0;
  let lastAtMs: number | undefined;
  let maxEventTimeMs: number | undefined;
  const batches = new Map<number, { runs: number; inferUs: number }>();
  const errors: Partial<Record<FailureKind, number>> = {};
  const latency = new MutableHistogram();
  const input = new MutableHistogram();
  const queue = new MutableHistogram();
  const infer = new MutableHistogram();
  const output = new MutableHistogram();
  return {
    received() {
      requests += 1;
    },
    answered(count, durationUs, eventTimeMs) {
      rows += count;
      latency.add(durationUs);
      lastAtMs = Date.now();
      if (eventTimeMs !== undefined && eventTimeMs > (maxEventTimeMs ?? Number.NEGATIVE_INFINITY))
        maxEventTimeMs = eventTimeMs;
    },
    ran({ isFirst, rows: together }, stagesUs) {
      run += 1;
      if (isFirst) {
        runs += 1;
        const size = together <= exactRows ? together : 2 ** Math.floor(Math.log2(together));
        let batch = batches.get(size);
        if (batch === undefined) batches.set(size, (batch = { runs: 0, inferUs: 0 }));
        batch.runs += 1;
        batch.inferUs += stagesUs.infer;
      }
      input.add(stagesUs.input);
      queue.add(stagesUs.queue);
      infer.add(stagesUs.infer);
      output.add(stagesUs.output);
    },
    cacheLookedUp(hit, durationUs) {
      if (!hit) cacheMisses += 1;
      else {
        cacheHits += 1;
        cacheHitUs += durationUs;
      }
    },
    failed(kind, durationUs = 0) {
      errors[kind] = (errors[kind] ?? 0) + 1;
      failed += 1;
      failedUs += durationUs;
    },
    snapshot: () => ({
      requests,
      rows,
      errors: { ...errors },
      latencyCounts: [...latency.counts],
      latencySumUs: latency.sumUs,
      ...(maxEventTimeMs !== undefined && { maxEventTimeMs }),
    }),
    figures: () => ({
      run,
      runs,
      rows,
      batches: [...batches].toSorted(([a], [b]) => a - b).map(([size, batch]) => ({ rows: size, ...batch })),
      failed,
      failedUs,
      answeredUs: latency.sumUs,
      stages: { input: input.copy(), queue: queue.copy(), infer: infer.copy(), output: output.copy() },
      cacheHits,
      cacheMisses,
      cacheHitUs,
      lastAtMs,
    }),
  };
}
