import type { FastifyInstance } from 'fastify';
import {
  type FiringView,
  fireTrigger,
  getTrigger,
  listFirings,
  listTriggers,
  type TriggerView,
} from '#contracts/automation';
import { defaultPageLimit } from '#contracts/page';
import { formatReference } from '#contracts/references';
import { toRfc3339 } from '#contracts/rfc3339';
import type { Database, Reader } from '#platform/database';
import { registerOperation } from '#platform/http';
import { decodeCursor, toPage } from '#platform/sql';
import type { Firing } from './firing-store.ts';
import type { AutomationApi } from './trigger-service.ts';
import type { Trigger } from './trigger-store.ts';

const toFiringView = (firing: Firing): FiringView => ({
  id: firing.id,
  trigger: firing.trigger,
  state: firing.state,
  cause: firing.cause,
  causeSubject: firing.causeSubject,
  ...(firing.runId !== undefined && { run: formatReference('run', firing.runId) }),
  ...(firing.reason !== undefined && { reason: firing.reason }),
  clockAt: toRfc3339(firing.clockMs),
  at: toRfc3339(firing.atMs),
});

export function registerTriggerRoutes(
  app: FastifyInstance,
  { database, api }: { readonly database: Database; readonly api: AutomationApi },
): void {
  async function toView(reader: Reader, trigger: Trigger): Promise<TriggerView> {
    const { project, name, spec, generation, declaredMs, nextFireMs } = trigger;
    const [last] = await api.listFirings(reader, { project, trigger: name, limit: 1 });
    return {
      name,
      spec,
      generation,
      declaredAt: toRfc3339(declaredMs),
      ...(nextFireMs !== undefined && { nextAt: toRfc3339(nextFireMs) }),
      ...(last !== undefined && { lastFiring: toFiringView(last) }),
    };
  }

  registerOperation(app, listTriggers, async ({ query, context }, answer) => {
    const { limit = defaultPageLimit, cursor } = query;
    const page = await api.listTriggers(database.read, context.project, {
      ...(cursor !== undefined && { after: String(decodeCursor(cursor)[0]) }),
      limit: limit + 1,
    });
    const { shown, ...more } = toPage(page, limit, (last) => [last.name]);
    return answer(200, { items: await Promise.all(shown.map((trigger) => toView(database.read, trigger))), ...more });
  });

  registerOperation(app, getTrigger, async ({ params, context }, answer) =>
    answer(200, await toView(database.read, await api.getTrigger(database.read, context.project, params.name))),
  );

  registerOperation(app, fireTrigger, async ({ params, context }, answer) => {
    const { project, requestId } = context;
    const firing = await database.write(context.write, (unit) =>
      api.fire(unit, project, params.name, {
        id: `hand:${requestId}`,
        subject: formatReference('trigger', params.name),
        clockMs: unit.nowMs,
        byHand: true,
      }),
    );
    return answer(200, toFiringView(firing));
  });

  registerOperation(app, listFirings, async ({ query, context }, answer) => {
    const { limit = defaultPageLimit, cursor, trigger } = query;
    const page = await api.listFirings(database.read, {
      project: context.project,
      ...(trigger !== undefined && { trigger }),
      ...(cursor !== undefined && { beforeId: String(decodeCursor(cursor)[0]) }),
      limit: limit + 1,
    });
    const { shown, ...more } = toPage(page, limit, (last) => [last.id]);
    return answer(200, { items: shown.map(toFiringView), ...more });
  });
}
