import type { FastifyInstance } from 'fastify';
import { registerRawRoute } from './raw-route.ts';

/** GET /api/v1/openapi.json: printed from the registered operations, on first request. */
export async function registerOpenApi(app: FastifyInstance, version: string): Promise<void> {
  const { default: swagger } = await import('@fastify/swagger');
  await app.register(swagger.default, {
    openapi: { openapi: '3.1.0', info: { title: 'Tidemill', version } },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) =>
        typeof json['$id'] === 'string' ? json['$id'] : `def-${index}`,
    },
  });
  registerRawRoute(app, {
    id: 'openapi.read',
    method: 'GET',
    path: '/api/v1/openapi.json',
    permission: 'public',
    handle: async (_request, reply) => await reply.send(app.swagger()),
  });
}
