import type { ReplicaReport } from '#contracts/replica-report';
import { hourMs } from '#contracts/worker-predictions';
import type { Unit } from '#platform/database';
import { setSettled } from './endpoint-store.ts';
import { isBehind, listQuiet, listUnsettled, raiseProgress, setWanted, upsertReplica } from './spool-store.ts';

/** A replica that has said nothing for so long is not waited for. */
export const replicaLiveMs = 30_000;

/**
 * The watermark of an endpoint, in event time. A report says, of one instant, the greatest event time answered and how many
 * records were written by then. Once that many have been taken from every live replica, everything answered up to that
 * event time is in the log: it is settled.
 *
 * A replay has no other clock. On the wall clock time passes without traffic: all that live replicas answered before
 * their last reports has been taken in then, so an endpoint that has gone quiet is settled up to `replicaLiveMs` ago.
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
    if (settledMs === undefined || hourOf(settledMs) !== hourOf(greatestMs))
      await tellSettled(unit, project, endpoint, greatestMs);
  }
}

/** Moves the watermarks of endpoints on the wall clock whose hour has passed without traffic; from a timer. */
export async function settleQuiet(unit: Unit): Promise<void> {
  const upToMs = unit.nowMs - replicaLiveMs;
  if (await isBehind(unit, upToMs)) return;
  for (const { project, endpoint } of await listQuiet(unit, upToMs)) {
    await setSettled(unit, project, endpoint, upToMs);
    await tellSettled(unit, project, endpoint, upToMs);
  }
}

const hourOf = (atMs: number): number => Math.floor(atMs / hourMs);

const tellSettled = (unit: Unit, project: string, endpoint: string, settledMs: number) =>
  unit.emit({
    type: 'prediction.settled',
    project,
    subject: `deployment:${endpoint}`,
    data: { endpoint, settledMs },
  });
