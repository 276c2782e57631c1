import type { FastifyInstance } from 'fastify';
import type { ArtifactsApi } from '#modules/artifacts';
import type { IdentityApi } from '#modules/identity';
import type { SecretsApi } from '#modules/secrets';
import type { BlobStore } from '#platform/blobs';
import type { Clock } from '#platform/clock';
import type { Database, Unit } from '#platform/database';
import type { Consumer } from '#platform/events';
import type { Logger } from '#platform/log';
import { createProcessLauncher } from '#platform/processes';
import { type CommandRunnerDeps, createCommandRunner, lostAttempt } from './command-runner.ts';
import { attemptFolder, removeAttempt, sweepAttempts } from './job-folders.ts';
import { readJobLog } from './job-log.ts';
import { createJobLoop } from './job-loop.ts';
import type { Job, JobResult } from './job-types.ts';
import { registerJobRoutes } from './jobs-routes.ts';
import { createJobsService, emitFinished, type JobsApi } from './jobs-service.ts';
import { removeOldLogs } from './log-retention.ts';
import { createWorkerPool, type WorkerPoolOptions } from './worker-pool.ts';
import { runWorkerTask } from './worker-runner.ts';

export interface JobsModuleDeps {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Folder of the attempts, ours alone. */
  readonly folder: string;
  /** Search path that steps get. */
  readonly path: string;
  readonly capacity: { readonly cpu: number; readonly memoryMb: number };
  /** How many days the log of an ended job is kept. */
  readonly logDays: number;
  readonly worker: Omit<WorkerPoolOptions, 'logger'>;
  readonly ensurePython: CommandRunnerDeps['ensurePython'];
  readonly artifacts: Pick<ArtifactsApi, 'retainAll'>;
  readonly identity: Pick<IdentityApi, 'issueToken' | 'revokeToken'>;
  readonly secrets: Pick<SecretsApi, 'reveal' | 'blotter'>;
}

const dayMs = 24 * 3_600_000;
const sweepEveryMs = 3_600_000;

export interface JobsModule {
  readonly id: 'jobs';
  readonly api: JobsApi;
  readonly consumers: readonly Consumer[];
  routes(app: FastifyInstance): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createJobsModule(deps: JobsModuleDeps): JobsModule {
  const pool = createWorkerPool({ ...deps.worker, logger: deps.logger });
  const launcher = createProcessLauncher();
  const commands = createCommandRunner({
    ...deps,
    launcher,
    secrets: {
      reveal: (project, name, grantee) => deps.secrets.reveal(deps.database.read, project, name, grantee),
      blotter: deps.secrets.blotter,
    },
  });

  const loop = createJobLoop({
    database: deps.database,
    clock: deps.clock,
    logger: deps.logger,
    capacity: { ...deps.capacity, workerTasks: deps.worker.processes * deps.worker.tasksPerProcess },
    runner: {
      run: (job, token, signal) =>
        job.work.kind === 'command'
          ? commands.run(job, job.work, token, signal)
          : runWorkerTask(job.work, attemptFolder(deps.folder, job), { pool, blobs: deps.blobs }, signal),
      // a worker's task dies with the server that asked for it
      adopt: async (job, signal) =>
        job.work.kind === 'command' ? commands.adopt(job, job.work, signal) : lostAttempt(),
      remove: (job) => removeAttempt(deps.folder, job),
      sweep: (running) => sweepAttempts(deps.folder, running),
    },
    issueToken: (unit, job) =>
      deps.identity.issueToken(unit, {
        kind: 'step',
        name: job.owner,
        project: job.project,
        scope: { attempt: job.id },
      }),
    revokeToken: (unit, id) => deps.identity.revokeToken(unit, id),
    async ended(unit, job, state, result) {
      if (result !== undefined) await retainFiles(unit, job, result);
      await emitFinished(unit.becauseOf(job.origin), job, state);
    },
  });

  async function retainFiles(unit: Unit, job: Job, result: JobResult): Promise<void> {
    const files = Object.values(result.files).flatMap(({ sha256, sizeBytes, tree = [] }) => [
      { sha256, sizeBytes },
      ...tree,
    ]);
    await deps.artifacts.retainAll(unit, { project: job.project, owner: `job:${job.id}` }, files);
  }

  let sweeper: NodeJS.Timeout | undefined;
  let sweeping: Promise<void> | undefined;

  async function removeLogs(): Promise<void> {
    const removed = await removeOldLogs(deps, deps.clock.nowMs() - deps.logDays * dayMs);
    if (removed > 0) deps.logger.info({ removed, days: deps.logDays }, 'old job logs removed');
  }

  function sweepLogs(): void {
    sweeping ??= removeLogs()
      .catch((error: unknown) =>
        deps.logger.warn({ err: error }, 'old job logs were not removed; trying again in an hour'),
      )
      .finally(() => {
        sweeping = undefined;
      });
  }

  const api = createJobsService({
    loop,
    pool,
    blobs: deps.blobs,
    readLog: (job, offset) => readJobLog(deps.folder, job, offset, deps.secrets.blotter),
  });

  return {
    id: 'jobs',
    api,
    consumers: [],
    routes: (app) => registerJobRoutes(app, { database: deps.database, jobs: api }),
    async start() {
      await loop.start();
      sweepLogs();
      sweeper = setInterval(sweepLogs, sweepEveryMs);
      sweeper.unref();
    },
    async stop() {
      clearInterval(sweeper);
      await sweeping;
      await loop.stop();
      await Promise.all([pool.stop(), launcher.stop()]);
    },
  };
}
