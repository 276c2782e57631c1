import type { FastifyInstance } from 'fastify';
import type { BlobStore } from '#platform/blobs';
import type { Clock } from '#platform/clock';
import type { Database } from '#platform/database';
import type { Consumer } from '#platform/events';
import type { Logger } from '#platform/log';
import { createArtifactCollector } from './artifact-collector.ts';
import { registerArtifactRoutes } from './artifact-routes.ts';
import { type ArtifactsApi, createArtifactService } from './artifact-service.ts';
import { createUploadService, type UploadsApi } from './upload-service.ts';
import { createUrlSigner, type UrlSigner } from './url-signer.ts';

export interface ArtifactsDeps {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Largest upload. Default: no limit. */
  readonly uploadLimitBytes?: number;
  /** How long an upload may stall. Default a minute. */
  readonly uploadIdleMs?: number;
  /** How often the server collects by itself. Default 10 minutes. */
  readonly collectEveryMs?: number;
}

export interface ArtifactsModule {
  readonly id: 'artifacts';
  readonly api: ArtifactsApi;
  readonly uploads: UploadsApi;
  readonly signer: UrlSigner;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createArtifactsModule(deps: ArtifactsDeps): ArtifactsModule {
  const { logger, collectEveryMs = 600_000 } = deps;
  const api = createArtifactService(deps);
  const collector = createArtifactCollector(deps);
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();

  async function collectOnce(): Promise<void> {
    try {
      const { removed, removedBytes, condemned } = await collector.collect();
      if (removed + condemned > 0) logger.info({ removed, removedBytes, condemned }, 'artifacts collected');
    } catch (error) {
      logger.error({ err: error }, 'the collection of artifacts failed; it is tried again');
    }
  }

  return {
    id: 'artifacts',
    api,
    uploads: createUploadService(deps),
    signer: createUrlSigner(deps),
    consumers: [],
    routes: (app) => registerArtifactRoutes(app, { ...deps, api, collector }),
    async start() {
      timer = setInterval(() => {
        running = collectOnce();
      }, collectEveryMs);
      timer.unref();
    },
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
