import type { FastifyInstance } from 'fastify';
import { onTestFinished } from 'vitest';
import { createHttpServer, type HttpServerOptions, type Principal } from '../http.ts';
import { createLogger } from '../log.ts';

/** Whoever a test says, allowed everything. */
export const aPrincipal = (id = 'user:test'): Principal => ({ id, can: () => true });

/** The HTTP edge with nothing behind it yet: answers are compared with their schemas; closed when the test ends. */
export async function openTestServer(options: Partial<HttpServerOptions> = {}): Promise<FastifyInstance> {
  const app = await createHttpServer({
    logger: createLogger({ level: 'silent' }),
    authenticate: async () => aPrincipal(),
    allowedHosts: [],
    bodyLimitBytes: 1024 * 1024,
    checkAnswers: true,
    ...options,
  });
  onTestFinished(() => app.close());
  return app;
}
