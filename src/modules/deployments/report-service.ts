import type { ReplicaReport } from '#contracts/replica-report';
import type { Unit } from '#platform/database';
import type { Counters } from './counters.ts';
import type { Replica, Revision } from './deployment-types.ts';
import type { DeploymentsDeps } from './deployments-deps.ts';
import { findReportedEndpoint, type Liveness, readinessOf } from './live-replicas.ts';
import { findPool } from './pool-store.ts';
import { beginEpoch } from './publication.ts';
import { listBootCounters, listReplicas, putCounters, putReplica, type StoredCounters } from './replica-store.ts';
import { findRevisions, markFailed, markReady } from './revision-store.ts';

/** Hears, in the unit that stores a report, of each endpoint that the report tells of. */
export type ReportObserver = (
  unit: Unit,
  reported: {
    readonly project: string;
    readonly deployment: string;
    /** With this report every live replica has delivered all that the pool's last flush asked for. */
    readonly flushDone: boolean;
    /** When a flush was last asked for; undefined: never. */
    readonly flushAskedMs: number | undefined;
  },
) => Promise<void>;

export interface ReportService {
  take(unit: Unit, report: ReplicaReport): Promise<void>;
  observe(observer: ReportObserver): void;
}

/**
 * Takes ReplicaReport v1. Reports may come out of order: of one start of a replica the greatest sequence stands, and a
 * report of an earlier start adds its counters and nothing else.
 */
export function createReportService(
  deps: Pick<DeploymentsDeps, 'predictions'> & { readonly liveness: Liveness },
): ReportService {
  const observers: ReportObserver[] = [];

  async function take(unit: Unit, report: ReplicaReport): Promise<void> {
    const pool = await findPool(unit, report.pool);
    if (pool === undefined) return; // nothing has been published to it: it is early
    const known = await listReplicas(unit, report.pool);
    const before = known.find(({ replica }) => replica === report.replica);
    const sameBoot = before?.boot === report.boot;
    if (sameBoot && before.sequence >= report.sequence) return;
    const revisions = await storeCounters(unit, report);
    await deps.predictions.reportProgress(unit, report);
    if (before !== undefined && before.boot > report.boot) return;

    const now = toReplica(report, unit.nowMs);
    await putReplica(unit, now);
    await emitChanges(unit, before, now);
    await tellLoss(unit, sameBoot ? before : undefined, now);
    if (now.observed?.epoch === pool.epoch && now.observed.generation > pool.generation)
      await beginEpoch(unit, pool.pool, now.flushed);
    const live = [...known.filter(({ replica }) => replica !== now.replica), now].filter(deps.liveness.isLive);
    await markRevisions(unit, now, revisions, live);

    const flushDone =
      pool.flush > 0 &&
      now.flushed >= pool.flush &&
      !(sameBoot && before.flushed >= pool.flush) &&
      live.every(({ flushed }) => flushed >= pool.flush);
    for (const { project, name } of report.endpoints)
      for (const observer of observers)
        await observer(unit, { project, deployment: name, flushDone, flushAskedMs: pool.flushAskedMs });
  }

  /** What was lost since the last report of the same start. */
  async function tellLoss(unit: Unit, before: Replica | undefined, now: Replica): Promise<void> {
    for (const { project, name, dropped = 0 } of now.endpoints) {
      const known = (before && findReportedEndpoint(before, project, name)?.dropped) ?? 0;
      if (dropped <= known) continue;
      const records = dropped - known;
      await deps.predictions.reportLoss(unit, { project, endpoint: name, replica: now.replica, records });
    }
  }

  return { take, observe: (observer) => void observers.push(observer) };
}

/** Only counters that have moved are written: an idle endpoint costs nothing. */
async function storeCounters(unit: Unit, report: ReplicaReport): Promise<ReadonlyMap<string, Revision>> {
  const reported = report.endpoints.flatMap(({ revisions }) => revisions);
  const known = await findRevisions(
    unit,
    reported.map(({ revision }) => revision),
  );
  const { pool, replica, boot } = report;
  const stored = new Map(
    (await listBootCounters(unit, { pool, replica, boot })).map((one) => [`${one.revision}/${one.role}`, one]),
  );
  const moved = reported.flatMap(({ revision, primary, shadow }) =>
    known.has(revision)
      ? [toCounters(revision, 'primary', primary), toCounters(revision, 'shadow', shadow)].filter((counters) => {
          const old = stored.get(`${revision}/${counters.role}`);
          return (
            counters.requests > (old?.requests ?? 0) || activity(counters) > (old === undefined ? 0 : activity(old))
          );
        })
      : [],
  );
  await putCounters(unit, { pool, replica, boot }, moved);
  return known;
}

/** Grows with every answer and every error. */
const activity = ({ latencyCounts, errors }: Counters): number =>
  [...latencyCounts, ...Object.values(errors)].reduce((sum, count) => sum + count, 0);

function toCounters(
  revision: string,
  role: StoredCounters['role'],
  counters: ReplicaReport['endpoints'][number]['revisions'][number]['primary'],
): StoredCounters {
  const { requests, rows, errors, latencyCounts, latencySumUs, maxEventTimeMs } = counters;
  return { revision, role, requests, rows, errors, latencyCounts, latencySumUs, maxEventTimeMs };
}

function toReplica(report: ReplicaReport, nowMs: number): Replica {
  return {
    pool: report.pool,
    replica: report.replica,
    boot: report.boot,
    sequence: report.sequence,
    state: report.state,
    observed: report.observed,
    flushed: report.flushed,
    endpoints: report.endpoints.map(({ revisions, ...endpoint }) => ({
      ...endpoint,
      revisions: revisions.map(({ revision, state, error }) => ({
        revision,
        state,
        ...(error !== undefined && { error }),
      })),
    })),
    spool: report.spool,
    programVersion: report.programVersion,
    reportedMs: nowMs,
  };
}

/** All of a replica that somebody may wait for, in one text. */
const statesOf = (one: Replica | undefined): string =>
  JSON.stringify([
    one?.boot,
    one?.state,
    one?.endpoints.map(({ project, name, state, error, serving, revisions }) => [
      project,
      name,
      state,
      error,
      serving,
      revisions.map(({ revision, state: own }) => [revision, own]),
    ]),
  ]);

/** Who waits for a replica hears of it by these events. */
async function emitChanges(unit: Unit, before: Replica | undefined, now: Replica): Promise<void> {
  const { pool, replica } = now;
  const about = { project: 'default', subject: `pool:${pool}` };
  if (statesOf(before) !== statesOf(now))
    await unit.emit({ ...about, type: 'deployment.replica.changed', data: { pool, replica, state: now.state } });
  if (
    now.observed !== undefined &&
    (before?.observed?.epoch !== now.observed.epoch || before.observed.generation !== now.observed.generation)
  )
    await unit.emit({ ...about, type: 'deployment.spec.observed', data: { pool, replica, ...now.observed } });
  if (now.flushed !== (before?.flushed ?? 0))
    await unit.emit({ ...about, type: 'deployment.flushed', data: { pool, replica, flush: now.flushed } });
}

async function markRevisions(
  unit: Unit,
  now: Replica,
  revisions: ReadonlyMap<string, Revision>,
  live: readonly Replica[],
): Promise<void> {
  for (const endpoint of now.endpoints)
    for (const { revision: id, state } of endpoint.revisions) {
      const revision = revisions.get(id);
      if (revision === undefined || (state !== 'ready' && state !== 'failed')) continue;
      const { project, deployment } = revision;
      const readiness = readinessOf(live, { project, deployment, revision: id });
      const about = { project, subject: `revision:${id}` };
      if (readiness.state === 'ready' && (revision.readyMs === undefined || revision.error !== undefined)) {
        await markReady(unit, id);
        await unit.emit({ ...about, type: 'deployment.revision.ready', data: { deployment, revision: id } });
      }
      if (readiness.state === 'failed' && revision.error !== readiness.error) {
        await markFailed(unit, id, readiness.error);
        const { error } = readiness;
        await unit.emit({ ...about, type: 'deployment.revision.failed', data: { deployment, revision: id, error } });
      }
    }
}
