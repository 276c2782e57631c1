import type { ReplicaReport } from '#contracts/replica-report';
import { hourMs } from '#contracts/worker-predictions';
import type { Unit } from '#platform/database';
import { setSettled } from './endpoint-store.ts';
import { isBehind, listUnsettled, raiseProgress, setWanted, upsertReplica } from './spool-store.ts';

/** A replica that has said nothing for so long is not waited for. */
export const replicaLiveMs = 30_000;

/**
 * The event-time watermark of an endpoint. A report says, of one instant, the greatest event time answered and how many
 * records were written by then. Once that many have been taken from every live replica, everything answered up to that
 * event time is in the log: it is settled.
 */
export async function reportProgress(unit: Unit, report: ReplicaReport): Promise<void> {
  if (!(await upsertReplica(unit, report))) return;
  await setWanted(unit, report.replica, report.spool.epochs);
  const endpoints = report.endpoints.flatMap(({ project, name, revisions }) => {
    const times = revisions.flatMap(({ primary }) => primary.maxEventTimeMs ?? []);
    return times.length === 0 ? [] : [{ project, endpoint: name, greatestMs: Math.max(...times) }];
  });
  await raiseProgress(unit, report.replica, endpoints);
  await settle(unit);
}

/** Moves the watermarks that can move; after every report and every chunk. */
export async function settle(unit: Unit): Promise<void> {
  const unsettled = await listUnsettled(unit);
  if (unsettled.length === 0 || (await isBehind(unit, unit.nowMs - replicaLiveMs))) return;
  for (const { project, endpoint, settledMs, greatestMs } of unsettled) {
    await setSettled(unit, project, endpoint, greatestMs);
    // Whoever waits for the end of an hour hears of it; what lies between says nothing new.
    if (settledMs !== undefined && Math.floor(settledMs / hourMs) === Math.floor(greatestMs / hourMs)) continue;
    await unit.emit({
      type: 'prediction.settled',
      project,
      subject: `deployment:${endpoint}`,
      data: { endpoint, settledMs: greatestMs },
    });
  }
}
