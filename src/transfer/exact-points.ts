import type { HistoryRecord, LoggedModelRecord, RunRecord } from '#contracts/transfer';
import type { ImportState } from './import-state.ts';

/*
 * MLflow keeps steps and times of 64 bits (`step=time.time_ns()`); here they are numbers of JSON, exact up to 2^53. A point beyond
 * that is left and told, and a run that begins or ends then does so at the first or last instant there is: neither must end an import.
 */

const isExact = (atMs: number, step: number): boolean => Number.isSafeInteger(atMs) && Number.isSafeInteger(step);

const toldAs = (count: number, key: string, of: string): string =>
  `${count} points of the metric ${JSON.stringify(key)} of ${of}, whose step or time is beyond 2^53`;

/** Of a history the points that can come; `left` counts the others, by metric. */
export function exactPoints(history: HistoryRecord, left: Map<string, number>): HistoryRecord {
  const { runId, key } = history;
  const exact = history.steps.map((step, at) => isExact(history.atMs[at] ?? 0, step));
  const missing = exact.filter((is) => !is).length;
  if (missing === 0) return history;
  const metric = JSON.stringify([runId, key]);
  left.set(metric, (left.get(metric) ?? 0) + missing);
  const those = <Value>(column: readonly Value[]): Value[] => column.filter((_value, at) => exact[at]);
  return { runId, key, atMs: those(history.atMs), steps: those(history.steps), values: those(history.values) };
}

export function tellLeftPoints(left: ReadonlyMap<string, number>, leave: ImportState['leave']): void {
  for (const [metric, count] of left) {
    const [runId, key] = JSON.parse(metric) as [string, string];
    leave(toldAs(count, key, `run ${runId}`));
  }
}

const nearest = (ms: number): number => Math.max(Number.MIN_SAFE_INTEGER, Math.min(ms, Number.MAX_SAFE_INTEGER));

/** A run with the times that it can have. */
export function withExactTimes(record: RunRecord): RunRecord {
  const { startMs, endMs } = record;
  return { ...record, startMs: nearest(startMs), ...(endMs !== undefined && { endMs: nearest(endMs) }) };
}

export function tellTimes({ id, startMs, endMs = 0 }: RunRecord, leave: ImportState['leave']): void {
  if (nearest(startMs) !== startMs || nearest(endMs) !== endMs)
    leave(`the start or end of run ${id}, whose time is beyond 2^53`);
}

/** A logged model with the points that can come. */
export function withExactPoints(record: LoggedModelRecord): LoggedModelRecord {
  return { ...record, metrics: record.metrics.filter(({ atMs, step }) => isExact(atMs, step)) };
}

export function tellPoints({ id, metrics }: LoggedModelRecord, leave: ImportState['leave']): void {
  for (const { key, atMs, step } of metrics) if (!isExact(atMs, step)) leave(toldAs(1, key, `logged model ${id}`));
}
