import type { FastifyInstance } from 'fastify';
import { defaultPageLimit } from '#contracts/page';
import { toRfc3339 } from '#contracts/rfc3339';
import { getSecret, listSecrets, putSecret, removeSecret, type SecretView } from '#contracts/secrets';
import type { Database } from '#platform/database';
import { registerOperation } from '#platform/http';
import { decodeCursor, toPage } from '#platform/sql';
import type { SecretsApi } from './secret-service.ts';
import type { Secret } from './secret-store.ts';

const toView = (secret: Secret): SecretView => ({
  name: secret.name,
  grants: [...secret.grants],
  createdAt: toRfc3339(secret.createdMs),
  updatedAt: toRfc3339(secret.updatedMs),
});

export function registerSecretRoutes(
  app: FastifyInstance,
  { database, api }: { readonly database: Database; readonly api: SecretsApi },
): void {
  registerOperation(app, listSecrets, async ({ query, context }, answer) => {
    const limit = query.limit ?? defaultPageLimit;
    const page = await api.list(database.read, context.project, {
      ...(query.cursor !== undefined && { after: String(decodeCursor(query.cursor)[0]) }),
      limit: limit + 1,
    });
    const { shown, ...more } = toPage(page, limit, (last) => [last.name]);
    return answer(200, { items: shown.map(toView), ...more });
  });

  registerOperation(app, getSecret, async ({ params, context }, answer) =>
    answer(200, toView(await api.get(database.read, context.project, params.name))),
  );

  registerOperation(app, putSecret, async ({ params, body, context }, answer) => {
    const secret = await database.write(context.write, (unit) =>
      api.put(unit, context.project, params.name, body.value, body.grants),
    );
    return answer(200, toView(secret));
  });

  registerOperation(app, removeSecret, async ({ params, context }, answer) => {
    await database.write(context.write, (unit) => api.remove(unit, context.project, params.name));
    return answer(204, null);
  });
}
