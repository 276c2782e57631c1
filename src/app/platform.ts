import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlobPlace, type BlobStore, openBlobStore } from '#platform/blobs';
import { type Clock, systemClock } from '#platform/clock';
import { type Config, loadConfig } from '#platform/config';
import { type Database, openDatabase } from '#platform/database';
import { type Consumers, createConsumers, createEventLog, type EventLog } from '#platform/events';
import { type Ids, systemIds } from '#platform/ids';
import type { Logger } from '#platform/log';
import { createMetrics, type Metrics } from '#platform/metrics';
import { scrubEnvironment } from '#platform/processes';
import { createPythonEnvironments } from '#platform/python-environments';

/** Everything below the modules, opened. */
export interface Platform {
  readonly config: Config;
  readonly version: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly events: EventLog;
  readonly consumers: Consumers;
  /** What child processes see of our own environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly python: {
    /** @param requirements digest of a requirements text in the store */
    ensure(
      requirements: string,
      log: (line: string) => void,
      signal: AbortSignal,
    ): Promise<{ readonly binPath: string; readonly folder: string }>;
  };
  /** A path in the home folder. */
  path(...parts: readonly string[]): string;
  /** Where this server is reached; known once it listens. */
  readonly baseUrl: () => string;
  setBaseUrl(url: string): void;
  close(): Promise<void>;
}

export async function openPlatform(options: {
  readonly config: Config;
  readonly version: string;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly ids?: Ids;
  readonly durability?: 'full' | 'off';
}): Promise<Platform> {
  const { config, version, logger, clock = systemClock, ids = systemIds } = options;
  const path = (...parts: readonly string[]): string => join(config.home, ...parts);
  await mkdir(config.home, { recursive: true });
  // before the database is held: a bucket that cannot be used stops the start
  const blobs = await openBlobStore({ ...blobPlace(config, process.env), nowMs: () => clock.nowMs() });
  const database = await openDatabase({
    url: config.databaseUrl,
    clock,
    ids,
    ...(options.durability !== undefined && { durability: options.durability }),
  });
  const events = createEventLog(database);
  const environment = scrubEnvironment(process.env);
  const environments = createPythonEnvironments({
    folder: path('python'),
    env: environment,
    ...(config.python !== undefined && { python: config.python }),
  });
  let baseUrl = '';
  return {
    config,
    version,
    clock,
    ids,
    logger,
    metrics: createMetrics({ version, process: 'control' }),
    database,
    blobs,
    events,
    consumers: createConsumers({ database, log: events, clock, logger }),
    environment,
    python: {
      async ensure(requirements, log, signal) {
        const requirementsText = await readFile(await blobs.localPath(requirements), 'utf8');
        const { binPath } = await environments.ensureEnvironment({ requirementsText, onProgress: log, signal });
        return { binPath, folder: join(binPath, '..') };
      },
    },
    path,
    baseUrl: () => baseUrl,
    setBaseUrl(url) {
      baseUrl = url;
    },
    close: () => database.close(),
  };
}

export const blobPlace = (config: Config, environment: NodeJS.ProcessEnv): BlobPlace => ({
  blobs: config.blobs,
  s3Endpoint: config.s3Endpoint,
  s3Presign: config.s3Presign,
  cacheFolder: join(config.home, 'blob-cache'),
  cacheBytes: config.blobCacheBytes,
  environment,
});

/** Where the blobs of a restored backup go: the place of these flags and variables. */
export function restoredBlobs(
  flags: Readonly<Record<string, string>>,
  environment: NodeJS.ProcessEnv,
  cwd: string,
): { readonly blobs: string; readonly elsewhere: BlobPlace | undefined } {
  const config = loadConfig({ flags, environment, cwd });
  const atHome = config.blobs === join(config.home, 'blobs');
  return { blobs: config.blobs, elsewhere: atHome ? undefined : blobPlace(config, environment) };
}
