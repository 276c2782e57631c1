import type { ReplicaReport } from '#contracts/replica-report';
import { hourMs } from '#contracts/worker-predictions';
import type { Unit } from '#platform/database';
import { setSettled } from './endpoint-store.ts';
import { tellGap } from './loss.ts';
import type { PredictionsDeps } from './predictions-deps.ts';
import {
  findBehindSince,
  listBehind,
  listProjectsOf,
  listQuiet,
  listUnsettled,
  raiseProgress,
  setWanted,
  upsertReplica,
} from './spool-store.ts';

/** A replica that has said nothing for so long is not waited for. */
export const replicaLiveMs = 30_000;
/** One that reports and has not been taken from for so long needs somebody to look. */
const behindPatienceMs = 5 * 60_000;

type Alerts = PredictionsDeps['alerts'];

/**
 * The watermark of an endpoint, in event time. A report says, of one instant, the greatest event time answered and how many
 * records were written by then. Once that many have been taken from every live replica that answers at the endpoint,
 * everything answered up to that event time is in the log: it is settled.
 *
 * A replay has no other clock. On the wall clock time passes without traffic: all that live replicas answered before
 * their last reports has been taken in then, so an endpoint that has gone quiet is settled up to `replicaLiveMs` ago.
 */
export async function reportProgress(unit: Unit, alerts: Alerts, report: ReplicaReport): Promise<void> {
  if (!(await upsertReplica(unit, report))) return;
  const lost = await setWanted(unit, report.replica, report.spool.epochs);
  const endpoints = report.endpoints.flatMap(({ project, name, revisions }) => {
    const times = revisions.flatMap(({ primary }) => primary.maxEventTimeMs ?? []);
    return times.length === 0 ? [] : [{ project, endpoint: name, greatestMs: Math.max(...times) }];
  });
  await raiseProgress(unit, report.replica, endpoints);
  for (const span of lost) await tellGap(unit, alerts, { replica: report.replica, ...span });
  await settle(unit);
  await watchDelivery(unit, alerts, report.replica);
}

/** Moves the watermarks that can move; after every report and every chunk. */
export async function settle(unit: Unit): Promise<void> {
  const unsettled = await listUnsettled(unit);
  if (unsettled.length === 0) return;
  const behind = new Set((await listBehind(unit, unit.nowMs - replicaLiveMs)).map(keyOf));
  for (const { project, endpoint, settledMs, greatestMs } of unsettled) {
    if (behind.has(keyOf({ project, endpoint }))) continue;
    await setSettled(unit, project, endpoint, greatestMs);
    // Whoever waits for the end of an hour hears of it; what lies between says nothing new.
    if (settledMs === undefined || hourOf(settledMs) !== hourOf(greatestMs))
      await tellSettled(unit, project, endpoint, greatestMs);
  }
}

/** Moves the watermarks of endpoints on the wall clock whose hour has passed without traffic; from a timer. */
export async function settleQuiet(unit: Unit): Promise<void> {
  const upToMs = unit.nowMs - replicaLiveMs;
  const behind = new Set((await listBehind(unit, upToMs)).map(keyOf));
  for (const { project, endpoint } of await listQuiet(unit, upToMs)) {
    if (behind.has(keyOf({ project, endpoint }))) continue;
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

const keyOf = ({ project, endpoint }: { readonly project: string; readonly endpoint: string }): string =>
  `${project}/${endpoint}`;

/** Windows of its endpoints stand still while a replica that lives does not deliver: that is told, and when it is over. */
async function watchDelivery(unit: Unit, alerts: Alerts, replica: string): Promise<void> {
  const sinceMs = await findBehindSince(unit, replica);
  const isStuck = sinceMs !== undefined && unit.nowMs - sinceMs >= behindPatienceMs;
  const fingerprint = `predictions:behind:${replica}`;
  for (const project of await listProjectsOf(unit, replica)) {
    const isTold = (await alerts.findOpen(unit, project, fingerprint)) !== undefined;
    if (isStuck && !isTold)
      await alerts.open(unit, {
        project,
        fingerprint,
        kind: 'undelivered-predictions',
        severity: 'warning',
        title: `data plane ${replica} has not delivered its prediction records for ${Math.round(behindPatienceMs / 60_000)} minutes`,
        subject: `pool:${replica}`,
        evidence: { replica, since: new Date(sinceMs).toISOString() },
      });
    if (sinceMs === undefined && isTold)
      await alerts.resolve(unit, { project, fingerprint, reason: 'all its records have been taken' });
  }
}
