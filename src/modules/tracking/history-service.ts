import type { Reader } from '#platform/database';
import { type StepRange, sampleHistory } from './history-sample.ts';
import {
  type HistoryPage,
  type HistoryPosition,
  type HistoryText,
  historySource,
  listHistory,
  printHistory,
} from './metric-history-store.ts';
import { decodeValue } from './metric-value.ts';
import { findRunLifecycle } from './run-store.ts';
import { trackingErrors } from './tracking-errors.ts';
import type { Metric } from './tracking-types.ts';

interface MetricOfRun {
  readonly project: string;
  readonly runId: string;
  readonly key: string;
}

export interface HistoryService {
  /** A metric's points by (timestamp, step, value); none for a key that was never logged. */
  metricHistory(reader: Reader, input: MetricOfRun & HistoryPage): Promise<readonly Metric[]>;
  /** The same as a JSON text: objects of the shape of `toWireMetric`, each with `more` at its end. */
  metricHistoryText(
    reader: Reader,
    input: MetricOfRun & {
      readonly limit?: number | undefined;
      readonly after?: HistoryPosition | undefined;
      readonly more?: Readonly<Record<string, string>>;
    },
  ): Promise<HistoryText>;
  /** At most `count` points by (step, timestamp, value), spread evenly, the first and the last among them. */
  sampleMetric(
    reader: Reader,
    input: MetricOfRun & { readonly count: number; readonly steps?: StepRange | undefined },
  ): Promise<readonly Metric[]>;
}

async function requireRun(reader: Reader, { project, runId }: MetricOfRun) {
  const run = await findRunLifecycle(reader, project, runId);
  if (run === undefined) throw trackingErrors.TRACKING_RUN_NOT_FOUND(runId);
  return run;
}

export function createHistoryService(): HistoryService {
  return {
    async metricHistory(reader, { project, runId, key, ...page }) {
      await requireRun(reader, { project, runId, key });
      return listHistory(reader, runId, key, page);
    },

    async metricHistoryText(reader, { more, ...input }) {
      const { listing } = await requireRun(reader, input);
      return printHistory(reader, input.runId, input.key, { ...input, mayBePacked: listing === 'listed' }, more);
    },

    async sampleMetric(reader, { count, steps, ...input }) {
      await requireRun(reader, input);
      const points = await sampleHistory(historySource(reader, input.runId, input.key), count, steps);
      return points.map((point) => ({
        key: input.key,
        value: decodeValue(point.value, point.special),
        timestampMs: point.timestamp_ms,
        step: point.step,
      }));
    },
  };
}
