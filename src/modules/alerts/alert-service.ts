import type { AlertSeverity } from '#contracts/alerts';
import { formatReference, parseReference, referenceKinds } from '#contracts/references';
import type { LineageApi } from '#modules/lineage';
import type { Reader, Unit } from '#platform/database';
import {
  type Alert,
  type AlertFilter,
  findAlert,
  findAlertOf,
  findLatestAlert,
  findSilenceEnd,
  insertAlert,
  listAlertsBefore,
  markResolved,
  updateSighting,
  upsertSilence,
} from './alert-store.ts';
import { alertErrors } from './alerts-errors.ts';

/**
 * The life of an incident.
 *
 *   (none) --first sighting--> open --resolve--> resolved --sighting, cool-down over--> a new incident
 *                              open --sighting--> open, counted, with the newest evidence
 *
 * `alert.opened` is written once for each incident: at its first sighting that no silence covers; `alert.seen` at each one
 * after it, so that what could do nothing about it the first time hears that it goes on.
 */
export interface Sighting {
  readonly project: string;
  /** What makes two sightings the same incident: `late-arrival:performance:auc`. */
  readonly fingerprint: string;
  /** `performance`, `drift`, `quality`, `consumer` … */
  readonly kind: string;
  readonly severity: AlertSeverity;
  readonly title: string;
  /** Reference of what it is about, `monitor:late-arrival`. Names the alert: `alert:late-arrival/performance`. */
  readonly subject: string;
  /** Numbers that prove it; JSON. */
  readonly evidence: unknown;
  /** References that led to it; lineage edges `caused`. */
  readonly upstream?: readonly string[];
  readonly model?: string;
  readonly version?: number;
  /** After the last incident of this fingerprint was last seen, so long on the subject's clock, no new one opens. */
  readonly cooldownMs?: number;
  /** Now, on the subject's clock (event time in a replay). Default: the unit's time. */
  readonly atMs?: number;
}

/** Incidents: one open for each fingerprint. */
export interface AlertsApi {
  /** `opened`: a new incident began; otherwise it was counted, or a cool-down kept it away. */
  open(unit: Unit, sighting: Sighting): Promise<{ readonly alertId: string; readonly opened: boolean }>;
  /** Answers whether there was an open incident. */
  resolve(
    unit: Unit,
    incident: { readonly project: string; readonly fingerprint: string; readonly reason: string },
  ): Promise<boolean>;
  /** Nothing of this fingerprint is told until then. */
  silence(
    unit: Unit,
    silence: {
      readonly project: string;
      readonly fingerprint: string;
      readonly untilMs: number;
      readonly reason: string;
    },
  ): Promise<void>;
  /** By its id, or by the reference that incidents of a kind share: the open one, else the latest. ALERT_NOT_FOUND. */
  get(reader: Reader, project: string, alertId: string): Promise<Alert>;
  findOpen(reader: Reader, project: string, fingerprint: string): Promise<Alert | undefined>;
  /** Newest first. */
  list(reader: Reader, filter: AlertFilter): Promise<readonly Alert[]>;
}

/** `alert:<name of the subject>/<kind>`: what triggers and lineage call it. */
export function referenceOf({ subject, kind }: { readonly subject: string; readonly kind: string }): string {
  const name = parseReference(subject)?.name;
  if (name === undefined) throw alertErrors.ALERT_SUBJECT_INVALID(subject);
  return formatReference('alert', `${name}/${kind}`);
}

/** `late-arrival/performance`, with or without `alert:` before it; the subject's kind is not in it. */
async function findByReference(reader: Reader, project: string, text: string): Promise<Alert | undefined> {
  const [, name, kind] = /^(?:alert:)?(.+)\/([^/]+)$/.exec(text) ?? [];
  if (name === undefined || kind === undefined) return undefined;
  return await findAlertOf(reader, project, {
    subjects: referenceKinds.map((subject) => formatReference(subject, name)),
    kind,
  });
}

export function createAlertService(lineage: Pick<LineageApi, 'record'>): AlertsApi {
  async function begin(unit: Unit, sighting: Sighting): Promise<string> {
    const { project, fingerprint, subject, upstream = [] } = sighting;
    const silencedUntilMs = await findSilenceEnd(unit, project, fingerprint);
    const alert: Alert = {
      id: unit.newId(),
      project,
      fingerprint,
      kind: sighting.kind,
      severity: sighting.severity,
      title: sighting.title,
      subject,
      model: sighting.model,
      version: sighting.version,
      state: 'open',
      announced: !isSilenced(unit, silencedUntilMs),
      count: 1,
      evidence: sighting.evidence,
      openedMs: unit.nowMs,
      lastSeenMs: unit.nowMs,
      clockMs: sighting.atMs ?? unit.nowMs,
      resolvedMs: undefined,
      resolvedReason: undefined,
      silencedUntilMs,
    };
    await insertAlert(unit, alert);
    const to = referenceOf(alert);
    await lineage.record(unit, project, [
      { from: subject, to, kind: 'raised' },
      ...upstream.map((from) => ({ from, to, kind: 'caused' })),
    ]);
    if (alert.announced) await announce(unit, alert);
    return alert.id;
  }

  return {
    async open(unit, sighting) {
      const latest = await findLatestAlert(unit, sighting.project, sighting.fingerprint);
      if (latest?.state === 'open') {
        await count(unit, latest, sighting);
        return { alertId: latest.id, opened: false };
      }
      const sinceMs = latest === undefined ? Infinity : (sighting.atMs ?? unit.nowMs) - latest.clockMs;
      if (latest !== undefined && sinceMs < (sighting.cooldownMs ?? 0)) return { alertId: latest.id, opened: false };
      return { alertId: await begin(unit, sighting), opened: true };
    },

    async resolve(unit, { project, fingerprint, reason }) {
      const alert = await findLatestAlert(unit, project, fingerprint);
      if (alert === undefined || !(await markResolved(unit, alert.id, reason))) return false;
      // What was never told needs no all-clear.
      if (alert.announced)
        await unit.emit({
          type: 'alert.resolved',
          project,
          subject: referenceOf(alert),
          data: { alertId: alert.id, fingerprint, kind: alert.kind, reason },
        });
      return true;
    },

    async silence(unit, silence) {
      await upsertSilence(unit, silence);
      const { project, fingerprint, untilMs, reason } = silence;
      const latest = await findLatestAlert(unit, project, fingerprint);
      await unit.emit({
        type: 'alert.silenced',
        project,
        subject: latest === undefined ? formatReference('project', project) : referenceOf(latest),
        data: { fingerprint, untilMs, reason },
      });
    },

    async get(reader, project, alertId) {
      const alert = (await findAlert(reader, project, alertId)) ?? (await findByReference(reader, project, alertId));
      if (alert === undefined) throw alertErrors.ALERT_NOT_FOUND(alertId);
      return alert;
    },

    async findOpen(reader, project, fingerprint) {
      const alert = await findLatestAlert(reader, project, fingerprint);
      return alert?.state === 'open' ? alert : undefined;
    },

    list: listAlertsBefore,
  };
}

const isSilenced = (unit: Unit, untilMs: number | undefined): boolean => untilMs !== undefined && untilMs > unit.nowMs;

async function count(unit: Unit, alert: Alert, sighting: Sighting): Promise<void> {
  const announced = alert.announced || !isSilenced(unit, alert.silencedUntilMs);
  const seen: Alert = {
    ...alert,
    severity: sighting.severity,
    title: sighting.title,
    evidence: sighting.evidence,
    announced,
    count: alert.count + 1,
    lastSeenMs: unit.nowMs,
    clockMs: sighting.atMs ?? unit.nowMs,
  };
  await updateSighting(unit, seen);
  if (announced && !alert.announced) await announce(unit, seen);
  else if (!isSilenced(unit, alert.silencedUntilMs))
    await unit.emit({
      type: 'alert.seen',
      project: alert.project,
      subject: referenceOf(alert),
      data: {
        alertId: alert.id,
        fingerprint: alert.fingerprint,
        kind: alert.kind,
        count: seen.count,
        clockMs: seen.clockMs,
      },
    });
}

async function announce(unit: Unit, alert: Alert): Promise<void> {
  const subject = parseReference(alert.subject);
  await unit.emit({
    type: 'alert.opened',
    project: alert.project,
    subject: referenceOf(alert),
    data: {
      alertId: alert.id,
      fingerprint: alert.fingerprint,
      kind: alert.kind,
      severity: alert.severity,
      title: alert.title,
      ...(subject?.kind === 'monitor' && { monitor: subject.name }),
      ...(alert.model !== undefined && { model: alert.model }),
      ...(alert.version !== undefined && { version: alert.version }),
      clockMs: alert.clockMs,
      evidence: alert.evidence ?? null,
    },
  });
}
