import type { Unit } from '#platform/database';
import type { DroppedRecords } from './predictions-api.ts';
import type { PredictionsDeps } from './predictions-deps.ts';
import { listProjectsOf } from './spool-store.ts';

/** Records that were answered and will never be in the log: an incident each time, because figures are wrong from then on. */
const kind = 'lost-predictions';

/** The spool of a replica had no room for them. */
export async function tellDropped(
  unit: Unit,
  alerts: PredictionsDeps['alerts'],
  { project, endpoint, replica, records }: DroppedRecords,
): Promise<void> {
  await alerts.open(unit, {
    project,
    fingerprint: `predictions:dropped:${endpoint}`,
    kind,
    severity: 'critical',
    title: `${records} prediction records of ${endpoint} are lost: data plane ${replica} has no room for them`,
    subject: `deployment:${endpoint}`,
    evidence: { replica, records },
  });
}

/** A gap in what a replica sends, or the end of an epoch that it has no more. Whose records it held is not known: every project that it answers for is told. */
export async function tellGap(
  unit: Unit,
  alerts: PredictionsDeps['alerts'],
  {
    replica,
    epoch,
    from,
    to,
  }: { readonly replica: string; readonly epoch: string; readonly from: number; readonly to: number },
): Promise<void> {
  for (const project of await listProjectsOf(unit, replica)) {
    await unit.emit({
      type: 'prediction.chunk.lost',
      project,
      subject: `pool:${replica}`,
      data: { replica, epoch, fromOffset: from, toOffset: to },
    });
    await alerts.open(unit, {
      project,
      fingerprint: `predictions:lost:${replica}`,
      kind,
      severity: 'critical',
      title: `${to - from} prediction records of data plane ${replica} are lost`,
      subject: `pool:${replica}`,
      evidence: { replica, epoch, fromOffset: from, toOffset: to },
    });
  }
}
