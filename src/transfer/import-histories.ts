import { type HistoryRecord, importHistories } from '#contracts/transfer';
import { exactPoints, tellLeftPoints } from './exact-points.ts';
import type { ImportState } from './import-state.ts';
import type { SourceRun } from './source.ts';

const pointsAtOnce = 20_000;
const historiesAtOnce = 5000;

/** Sends the points of runs, in requests of some ten thousand: the next is read while one is under way. Returns how many each has. */
export async function sendHistories(
  { source, api, progress, leave, step }: ImportState,
  runs: readonly SourceRun[],
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const left = new Map<string, number>();
  let batch: HistoryRecord[] = [];
  let size = 0;
  let underWay: Promise<unknown> = Promise.resolve();
  const send = async (): Promise<void> => {
    await underWay;
    step();
    const histories = batch;
    underWay = api.call(importHistories, { body: { histories } });
    underWay.catch(() => undefined); // awaited before the next, and at the end
    [batch, size] = [[], 0];
  };
  for await (const read of source.histories(runs)) {
    const history = exactPoints(read, left);
    if (history.values.length === 0) continue;
    batch.push(history);
    size += history.values.length;
    progress.points += history.values.length;
    counts.set(history.runId, (counts.get(history.runId) ?? 0) + history.values.length);
    if (size >= pointsAtOnce || batch.length >= historiesAtOnce) await send();
  }
  if (batch.length > 0) await send();
  await underWay;
  tellLeftPoints(left, leave);
  return counts;
}
