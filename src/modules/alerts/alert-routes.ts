import type { FastifyInstance } from 'fastify';
import { type AlertView, getAlert, listAlerts, resolveAlert, silenceAlert } from '#contracts/alerts';
import { parseDuration } from '#contracts/duration';
import { defaultPageLimit } from '#contracts/page';
import type { Database } from '#platform/database';
import { registerOperation } from '#platform/http';
import { decodeCursor, toPage } from '#platform/sql';
import { type AlertsApi, referenceOf } from './alert-service.ts';
import type { Alert } from './alert-store.ts';

const toInstant = (ms: number): string => new Date(ms).toISOString();

const toView = (alert: Alert): AlertView => ({
  id: alert.id,
  reference: referenceOf(alert),
  fingerprint: alert.fingerprint,
  kind: alert.kind,
  severity: alert.severity,
  title: alert.title,
  subject: alert.subject,
  ...(alert.model !== undefined && { model: alert.model }),
  ...(alert.version !== undefined && { version: alert.version }),
  state: alert.state,
  count: alert.count,
  evidence: alert.evidence,
  openedAt: toInstant(alert.openedMs),
  lastSeenAt: toInstant(alert.lastSeenMs),
  ...(alert.resolvedMs !== undefined && { resolvedAt: toInstant(alert.resolvedMs) }),
  ...(alert.resolvedReason !== undefined && { resolvedReason: alert.resolvedReason }),
  ...(alert.silencedUntilMs !== undefined && { silencedUntil: toInstant(alert.silencedUntilMs) }),
});

export function registerAlertRoutes(
  app: FastifyInstance,
  { database, api }: { readonly database: Database; readonly api: AlertsApi },
): void {
  registerOperation(app, listAlerts, async ({ query, context }, answer) => {
    const { limit = defaultPageLimit, cursor, ...filter } = query;
    const page = await api.list(database.read, {
      ...filter,
      project: context.project,
      ...(cursor !== undefined && { beforeId: String(decodeCursor(cursor)[0]) }),
      limit: limit + 1,
    });
    const { shown, ...more } = toPage(page, limit, (last) => [last.id]);
    return answer(200, { items: shown.map(toView), ...more });
  });

  registerOperation(app, getAlert, async ({ params, context }, answer) =>
    answer(200, toView(await api.get(database.read, context.project, params.alertId))),
  );

  registerOperation(app, silenceAlert, async ({ params, body, context }, answer) => {
    const { project } = context;
    const forMs = parseDuration(body.for) ?? 0;
    const alert = await database.write(context.write, async (unit) => {
      const { id, fingerprint } = await api.get(unit, project, params.alertId);
      await api.silence(unit, { project, fingerprint, untilMs: unit.nowMs + forMs, reason: body.reason });
      return await api.get(unit, project, id);
    });
    return answer(200, toView(alert));
  });

  registerOperation(app, resolveAlert, async ({ params, body, context }, answer) => {
    const { project } = context;
    const alert = await database.write(context.write, async (unit) => {
      const found = await api.get(unit, project, params.alertId);
      // An old incident is over; resolving it must not end a newer one of the same fingerprint.
      if (found.state === 'open')
        await api.resolve(unit, { project, fingerprint: found.fingerprint, reason: body.reason });
      return await api.get(unit, project, found.id);
    });
    return answer(200, toView(alert));
  });
}
