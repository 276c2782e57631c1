import { sql } from 'kysely';
import type { AlertSeverity, AlertState } from '#contracts/alerts';
import type { Reader, Unit } from '#platform/database';
import { inList, parseJson } from '#platform/sql';
import type { AlertsTables } from './alerts-tables.ts';

export interface Alert {
  readonly id: string;
  readonly project: string;
  readonly fingerprint: string;
  readonly kind: string;
  readonly severity: AlertSeverity;
  readonly title: string;
  readonly subject: string;
  readonly model: string | undefined;
  readonly version: number | undefined;
  readonly state: AlertState;
  /** Whether `alert.opened` was written: a silence holds it back. */
  readonly announced: boolean;
  readonly count: number;
  readonly evidence: unknown;
  readonly openedMs: number;
  readonly lastSeenMs: number;
  /** The last sighting on the subject's own clock. */
  readonly clockMs: number;
  readonly resolvedMs: number | undefined;
  readonly resolvedReason: string | undefined;
  /** Until when its fingerprint is silenced; may lie in the past. */
  readonly silencedUntilMs: number | undefined;
}

type AlertRow = AlertsTables['alerts'] & { readonly until_ms: number | null };

const rowToAlert = (row: AlertRow): Alert => ({
  id: row.id,
  project: row.project,
  fingerprint: row.fingerprint,
  kind: row.kind,
  severity: row.severity,
  title: row.title,
  subject: row.subject,
  model: row.model ?? undefined,
  version: row.version ?? undefined,
  state: row.state,
  announced: row.announced === 1,
  count: row.count,
  evidence: parseJson<unknown>(row.evidence),
  openedMs: row.opened_ms,
  lastSeenMs: row.last_seen_ms,
  clockMs: row.clock_ms,
  resolvedMs: row.resolved_ms ?? undefined,
  resolvedReason: row.resolved_reason ?? undefined,
  silencedUntilMs: row.until_ms ?? undefined,
});

const select = (reader: Reader, project: string) =>
  reader
    .query<AlertsTables>()
    .selectFrom('alerts')
    .leftJoin('alert_silences', (join) =>
      join
        .onRef('alert_silences.project', '=', 'alerts.project')
        .onRef('alert_silences.fingerprint', '=', 'alerts.fingerprint'),
    )
    .select([
      'alerts.id',
      'alerts.project',
      'alerts.fingerprint',
      'alerts.kind',
      'alerts.severity',
      'alerts.title',
      'alerts.subject',
      'alerts.model',
      'alerts.version',
      'alerts.state',
      'alerts.announced',
      'alerts.count',
      'alerts.evidence',
      'alerts.opened_ms',
      'alerts.last_seen_ms',
      'alerts.clock_ms',
      'alerts.resolved_ms',
      'alerts.resolved_reason',
      'alert_silences.until_ms',
    ])
    .where('alerts.project', '=', project);

export async function findAlert(reader: Reader, project: string, id: string): Promise<Alert | undefined> {
  const row = await select(reader, project).where('alerts.id', '=', id).executeTakeFirst();
  return row && rowToAlert(row);
}

/** The newest incident of a fingerprint: the open one when there is one. */
export async function findLatestAlert(
  reader: Reader,
  project: string,
  fingerprint: string,
): Promise<Alert | undefined> {
  const row = await select(reader, project)
    .where('alerts.fingerprint', '=', fingerprint)
    .orderBy('alerts.id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row && rowToAlert(row);
}

/** The incident of a reference: an open one before those that are over, then the newest. */
export async function findAlertOf(
  reader: Reader,
  project: string,
  { subjects, kind }: { readonly subjects: readonly string[]; readonly kind: string },
): Promise<Alert | undefined> {
  const row = await select(reader, project)
    .where('alerts.kind', '=', kind)
    .where(inList(reader, 'alerts.subject', subjects))
    .orderBy(sql`case when alerts.state = 'open' then 0 else 1 end`)
    .orderBy('alerts.id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row && rowToAlert(row);
}

export interface AlertFilter {
  readonly project: string;
  readonly state?: AlertState;
  readonly kind?: string;
  readonly subject?: string;
  readonly beforeId?: string;
  readonly limit: number;
}

/** Newest first: ids grow with time. */
export async function listAlertsBefore(reader: Reader, filter: AlertFilter): Promise<readonly Alert[]> {
  let query = select(reader, filter.project).orderBy('alerts.id', 'desc').limit(filter.limit);
  if (filter.state !== undefined) query = query.where('alerts.state', '=', filter.state);
  if (filter.kind !== undefined) query = query.where('alerts.kind', '=', filter.kind);
  if (filter.subject !== undefined) query = query.where('alerts.subject', '=', filter.subject);
  if (filter.beforeId !== undefined) query = query.where('alerts.id', '<', filter.beforeId);
  return (await query.execute()).map(rowToAlert);
}

/**
 * Against another open incident of the fingerprint nothing is inserted. It cannot be there, for the unit has looked; one
 * that another unit has just committed makes PostgreSQL refuse the conflict clause, and the unit is run again.
 */
export async function insertAlert(unit: Unit, alert: Alert): Promise<void> {
  await unit
    .query<AlertsTables>()
    .insertInto('alerts')
    .values({
      id: alert.id,
      project: alert.project,
      fingerprint: alert.fingerprint,
      kind: alert.kind,
      severity: alert.severity,
      title: alert.title,
      subject: alert.subject,
      model: alert.model ?? null,
      version: alert.version ?? null,
      state: alert.state,
      announced: alert.announced ? 1 : 0,
      count: alert.count,
      evidence: JSON.stringify(alert.evidence ?? null),
      opened_ms: alert.openedMs,
      last_seen_ms: alert.lastSeenMs,
      clock_ms: alert.clockMs,
      resolved_ms: null,
      resolved_reason: null,
    })
    .onConflict((conflict) =>
      conflict.columns(['project', 'fingerprint']).where(sql<boolean>`state = 'open'`).doNothing(),
    )
    .execute();
}

/** Another sighting of an open incident. */
export async function updateSighting(unit: Unit, alert: Alert): Promise<void> {
  await unit
    .query<AlertsTables>()
    .updateTable('alerts')
    .set({
      severity: alert.severity,
      title: alert.title,
      announced: alert.announced ? 1 : 0,
      count: alert.count,
      evidence: JSON.stringify(alert.evidence ?? null),
      last_seen_ms: alert.lastSeenMs,
      clock_ms: alert.clockMs,
    })
    .where('alerts.id', '=', alert.id)
    .where('alerts.state', '=', 'open')
    .execute();
}

/** False when it was resolved already. */
export async function markResolved(unit: Unit, id: string, reason: string): Promise<boolean> {
  const { numUpdatedRows } = await unit
    .query<AlertsTables>()
    .updateTable('alerts')
    .set({ state: 'resolved', resolved_ms: unit.nowMs, resolved_reason: reason })
    .where('alerts.id', '=', id)
    .where('alerts.state', '=', 'open')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

export async function upsertSilence(
  unit: Unit,
  silence: {
    readonly project: string;
    readonly fingerprint: string;
    readonly untilMs: number;
    readonly reason: string;
  },
): Promise<void> {
  const renewed = { until_ms: silence.untilMs, reason: silence.reason, actor: unit.context.actor };
  await unit
    .query<AlertsTables>()
    .insertInto('alert_silences')
    .values({ project: silence.project, fingerprint: silence.fingerprint, ...renewed })
    .onConflict((conflict) => conflict.columns(['project', 'fingerprint']).doUpdateSet(renewed))
    .execute();
}

export async function findSilenceEnd(
  reader: Reader,
  project: string,
  fingerprint: string,
): Promise<number | undefined> {
  const row = await reader
    .query<AlertsTables>()
    .selectFrom('alert_silences')
    .select('alert_silences.until_ms')
    .where('alert_silences.project', '=', project)
    .where('alert_silences.fingerprint', '=', fingerprint)
    .executeTakeFirst();
  return row?.until_ms;
}
