import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { type AuditEntryView, auditExportPath, listAudit, verifyAudit } from '#contracts/audit';
import { toEventOnWire } from '#contracts/event-operations';
import type { StoredEvent } from '#contracts/events';
import { defaultPageLimit } from '#contracts/page';
import type { Database, Reader } from '#platform/database';
import type { EventLog } from '#platform/events';
import { httpErrors, type Principal, registerOperation, registerRawRoute } from '#platform/http';
import { decodeCursor, encodeCursor } from '#platform/sql';
import type { AuditApi } from './audit-service.ts';
import { listSealsOf } from './seal-store.ts';

/** Pages of the log that one list request looks through for an actor. */
const mostPages = 20;
const scanSize = 500;

function requireAdminOfAll(principal: Principal): void {
  if (!principal.can('admin', '*')) throw httpErrors.PERMISSION_DENIED(principal.id, 'admin', '*');
}

export function registerAuditRoutes(
  app: FastifyInstance,
  { database, log, api }: { readonly database: Database; readonly log: EventLog; readonly api: AuditApi },
): void {
  registerOperation(app, listAudit, async ({ query, context }, answer) => {
    const limit = query.limit ?? defaultPageLimit;
    const found: StoredEvent[] = [];
    let before = query.cursor === undefined ? undefined : String(decodeCursor(query.cursor)[0]);
    let exhausted = false;
    for (let pages = 0; pages < mostPages && found.length < limit && !exhausted; pages += 1) {
      const size = query.actor === undefined ? limit : scanSize;
      const page = await log.list({
        project: context.project,
        ...(query.type !== undefined && { types: query.type }),
        ...(query.subject !== undefined && { subject: query.subject }),
        ...(before !== undefined && { beforePosition: before }),
        limit: size,
        order: 'desc',
      });
      exhausted = page.length < size;
      for (const event of page) {
        if (found.length === limit) {
          exhausted = false;
          break;
        }
        before = event.position;
        if (query.actor === undefined || event.actor === query.actor) found.push(event);
      }
    }
    return answer(200, {
      items: await toEntries(database.read, found),
      ...(!exhausted && before !== undefined && { next: encodeCursor([before]) }),
    });
  });

  registerOperation(app, verifyAudit, async ({ query, context }, answer) => {
    requireAdminOfAll(context.principal);
    const { sequence, hash } = query;
    return answer(200, await api.verify(sequence === undefined || hash === undefined ? undefined : { sequence, hash }));
  });

  registerRawRoute(app, {
    id: 'audit.export',
    method: 'GET',
    path: auditExportPath,
    permission: 'admin',
    sensitive: 'project',
    async handle(request, reply, { principal, project }) {
      const { allProjects } = request.query as { readonly allProjects?: string };
      const everything = allProjects === 'true';
      if (everything) requireAdminOfAll(principal);
      const lines = exportLines(database.read, log, everything ? undefined : project);
      return await reply
        .type('application/x-ndjson; charset=utf-8')
        .header('content-disposition', 'attachment; filename="audit.jsonl"')
        .send(Readable.from(lines));
    },
  });
}

async function toEntries(reader: Reader, events: readonly StoredEvent[]): Promise<AuditEntryView[]> {
  const seals = await listSealsOf(
    reader,
    events.map(({ id }) => id),
  );
  return events.map((event) => {
    const seal = seals.get(event.id);
    return {
      event: toEventOnWire(event),
      ...(seal !== undefined && { seal: { sequence: seal.sequence, hash: seal.hash } }),
    };
  });
}

/** A page of lines at a time, up to what the log holds when the page is read. */
async function* exportLines(reader: Reader, log: EventLog, project: string | undefined): AsyncGenerator<string> {
  let afterPosition = '0';
  for (;;) {
    const page = await log.list({
      ...(project !== undefined && { project }),
      afterPosition,
      limit: scanSize,
      order: 'asc',
    });
    const last = page.at(-1);
    if (last === undefined) return;
    afterPosition = last.position;
    const entries = await toEntries(reader, page);
    yield `${entries.map((entry) => JSON.stringify(entry)).join('\n')}\n`;
  }
}
