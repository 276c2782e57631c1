import type { FastifyInstance } from 'fastify';
import { createHttpServer, createIdempotency } from '#platform/http';
import { foreignMlflowErrors, workspaceHeader } from '../protocols/mlflow/index.ts';
import { registerBackupRoute } from './backup.ts';
import { createModules, type Modules } from './modules.ts';
import { registerOverview } from './page/overview.ts';
import { registerPage } from './page/page-routes.ts';
import { registerRecords } from './page/records/record-routes.ts';
import { registerSignIn } from './page/records/sign-in.ts';
import type { Platform } from './platform.ts';
import { registerQuietRoutes } from './quiet-routes.ts';

/** The control plane: modules in order, their routes behind one HTTP edge, their consumers on one event log. */
export interface ControlPlane {
  readonly app: FastifyInstance;
  readonly modules: Modules;
  /** Where clients of this machine reach it when it listens on the port. */
  urlAt(port: number): string;
  /** Listens, then starts modules and consumers. Resolves with the URL, which `onListening` hears first. */
  start(onListening?: (url: string) => void): Promise<string>;
  /** Stops in the reverse order; requests under way are answered first, those beyond `stopTimeoutMs` are cut off. */
  stop(): Promise<void>;
}

export async function createControlPlane(
  platform: Platform,
  options: { readonly checkAnswers?: boolean } = {},
): Promise<ControlPlane> {
  const { config, consumers, logger } = platform;
  const modules = createModules(platform);
  const app = await createHttpServer({
    logger,
    authenticate: modules.identity.api.authenticate,
    allowedHosts: [config.host, ...config.allowedHosts],
    bodyLimitBytes: config.bodyLimitBytes,
    version: platform.version,
    idempotency: createIdempotency(platform),
    metrics: platform.metrics,
    projectHeader: workspaceHeader,
    foreignErrors: foreignMlflowErrors,
    requireProject: async (project) => {
      await modules.projects.api.get(platform.database.read, project);
    },
    onDenied: (denial) => modules.audit.api.recordDenied(denial),
    onSensitive: (read) => modules.audit.api.recordRead(read),
    ...(options.checkAnswers !== undefined && { checkAnswers: options.checkAnswers }),
  });
  for (const module of modules.all) {
    module.routes(app);
    for (const consumer of module.consumers ?? []) consumers.add(consumer);
  }
  registerQuietRoutes(app, platform, modules.jobs.api);
  registerBackupRoute(app, platform);
  registerOverview(app);
  registerPage(app);
  registerSignIn(app, modules.identity.api.authenticate);
  registerRecords(app, { reader: platform.database.read, ...modules.records });

  const urlAt = (port: number): string => `http://${reachable(config.host)}:${port}`;

  return {
    app,
    modules,
    urlAt,
    async start(onListening) {
      await app.listen({ port: config.port, host: config.host });
      const address = app.server.address();
      const port = typeof address === 'object' && address !== null ? address.port : config.port;
      const url = urlAt(port);
      platform.setBaseUrl(url);
      onListening?.(url);
      for (const module of modules.all) await module.start?.();
      await consumers.start();
      return url;
    },
    async stop() {
      // what is under way gets its answer, but a caller who never ends does not hold the stop up
      const impatient = setTimeout(() => app.server.closeAllConnections(), config.stopTimeoutMs);
      await app.close().finally(() => clearTimeout(impatient));
      await consumers.stop();
      for (const module of modules.all.toReversed()) await module.stop?.();
      await platform.close();
    },
  };
}

/** Where this machine reaches what listens on the address, as it stands in a URL. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === 'localhost') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
