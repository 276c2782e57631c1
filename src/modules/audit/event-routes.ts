import type { FastifyInstance } from 'fastify';
import {
  eventStreamPath,
  listEvents,
  listParkedEvents,
  retryParkedEvents,
  toEventOnWire,
} from '#contracts/event-operations';
import { defaultPageLimit } from '#contracts/page';
import type { Consumers, EventLog } from '#platform/events';
import { httpErrors, openEventStream, registerOperation, registerRawRoute } from '#platform/http';
import type { Logger } from '#platform/log';
import { decodeCursor, toPage } from '#platform/sql';
import { feedEvents } from './event-feed.ts';

export function registerEventRoutes(
  app: FastifyInstance,
  deps: {
    readonly log: EventLog;
    readonly consumers: Pick<Consumers, 'retryParked' | 'listParked'>;
    readonly logger: Logger;
  },
): void {
  const { log, consumers, logger } = deps;

  registerOperation(app, listEvents, async ({ query, context }, answer) => {
    const { limit = defaultPageLimit, order = 'desc', cursor, after } = query;
    const from = cursor === undefined ? undefined : String(decodeCursor(cursor)[0]);
    const afterPosition = order === 'asc' ? (from ?? after) : after;
    const page = await log.list({
      project: context.project,
      ...(query.type !== undefined && { types: query.type }),
      ...(query.subject !== undefined && { subject: query.subject }),
      ...(afterPosition !== undefined && { afterPosition }),
      ...(order === 'desc' && from !== undefined && { beforePosition: from }),
      limit: limit + 1,
      order,
    });
    const { shown, ...more } = toPage(page, limit, (last) => [last.position]);
    return answer(200, { items: shown.map(toEventOnWire), ...more });
  });

  registerRawRoute(app, {
    id: 'events.stream',
    method: 'GET',
    path: eventStreamPath,
    permission: 'read',
    async handle(request, reply, context) {
      const types = typesOf(request.query);
      const head = await log.head();
      const stream = openEventStream(reply);
      feedEvents(stream, {
        log,
        project: context.project,
        head,
        ...(types !== undefined && { types }),
        toData: toEventOnWire,
      })
        .catch((error: unknown) => logger.error({ err: error, requestId: request.id }, 'a live stream failed'))
        .finally(() => stream.close());
      return reply;
    },
  });

  registerOperation(app, listParkedEvents, async ({ context }, answer) => {
    const parked = await consumers.listParked();
    const items = parked
      .filter(({ project }) => project === context.project)
      .map(({ consumer, position, eventId, subject, type, error, attempts, parkedAtMs }) => ({
        consumer,
        position,
        eventId,
        subject,
        type,
        error,
        attempts,
        parkedAt: new Date(parkedAtMs).toISOString(),
      }));
    return answer(200, { items });
  });

  registerOperation(app, retryParkedEvents, async ({ body, context }, answer) => {
    const { principal } = context;
    if (!principal.can('admin', '*')) throw httpErrors.PERMISSION_DENIED(principal.id, 'admin', '*');
    return answer(200, { handled: await consumers.retryParked(body.consumer) });
  });
}

function typesOf(query: unknown): readonly string[] | undefined {
  const { type } = query as { readonly type?: string | readonly string[] };
  return type === undefined ? undefined : typeof type === 'string' ? [type] : type;
}
