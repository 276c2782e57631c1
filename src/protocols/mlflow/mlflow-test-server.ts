import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { createApprovalsModule } from '#modules/approvals';
import { createArtifactsModule } from '#modules/artifacts';
import { createLineageModule, type LineageApi } from '#modules/lineage';
import { createProjectsModule } from '#modules/projects';
import { createRegistryModule, type RegistryApi } from '#modules/registry';
import { createTrackingModule, type TrackingApi } from '#modules/tracking';
import { createLocalBlobStore } from '#platform/blobs';
import type { Clock } from '#platform/clock';
import type { Database } from '#platform/database';
import { type Authenticate, createHttpServer, type Principal } from '#platform/http';
import type { Ids } from '#platform/ids';
import { createLogger } from '#platform/log';
import { createMlflowProtocol } from './mlflow-protocol.ts';

export interface MlflowTestServer {
  readonly app: FastifyInstance;
  readonly tracking: TrackingApi;
  readonly registry: RegistryApi;
  readonly lineage: LineageApi;
}

const local: Principal = { id: 'user:local', can: () => true };

/** The adapter over the real modules that it needs, on a given database, for tests and measurements. */
export async function createMlflowTestServer(options: {
  readonly database: Database;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Default: everybody may do everything. */
  readonly authenticate?: Authenticate;
}): Promise<MlflowTestServer> {
  const { database, clock, ids, authenticate = async () => local } = options;
  const logger = createLogger({ level: 'error' });
  const blobs = createLocalBlobStore(mkdtempSync(join(tmpdir(), 'tidemill-blobs-')));
  const { api: projects } = createProjectsModule({ database });
  const { api: lineage } = createLineageModule({ database });
  const { api: artifacts } = createArtifactsModule({ database, blobs, clock, logger });
  const tracking = createTrackingModule({ database, ids, clock, logger, projects, artifacts, lineage });
  const registry = createRegistryModule({
    database,
    ids,
    artifacts,
    lineage,
    approvals: createApprovalsModule({ database, lineage }).api,
  });
  const app = await createHttpServer({
    logger,
    authenticate,
    allowedHosts: [],
    bodyLimitBytes: 1024 * 1024,
    checkAnswers: true,
  });
  const protocol = createMlflowProtocol({ database, blobs, tracking: tracking.api, registry: registry.api });
  for (const part of [tracking, registry, protocol]) part.routes(app);
  await tracking.start();
  await app.ready();
  return { app, tracking: tracking.api, registry: registry.api, lineage };
}
