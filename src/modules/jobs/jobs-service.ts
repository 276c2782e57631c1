import type { WorkerTaskInput, WorkerTaskName, WorkerTaskOutput } from '#contracts/worker';
import type { BlobStore } from '#platform/blobs';
import type { Reader, Unit } from '#platform/database';
import { nextDepth } from '#platform/events';
import type { JobLoop } from './job-loop.ts';
import type { Job, JobEnd, NewJob } from './job-types.ts';
import { jobsErrors } from './jobs-errors.ts';
import { countOpenJobs, endJob, findJob, findJobEnd, insertJobs, requestCancel } from './jobs-store.ts';
import type { WorkerPool } from './worker-pool.ts';
import { resolveBlobPaths } from './worker-runner.ts';

/** The door of `jobs`. */
export interface JobsApi {
  /**
   * Queues a job in the caller's unit; it starts after the commit. Its end is the event `job.finished`, whose cause is
   * that of the unit. @throws CAUSE_CHAIN_TOO_LONG
   */
  submit(unit: Unit, job: NewJob): Promise<string>;
  /** The same for several at once; answers their ids in order. */
  submitAll(unit: Unit, jobs: readonly NewJob[]): Promise<readonly string[]>;
  /** @throws JOB_NOT_FOUND */
  get(reader: Reader, jobId: string): Promise<Job>;
  /** How a job ended, without the work that it was given. @throws JOB_NOT_FOUND */
  end(reader: Reader, jobId: string): Promise<JobEnd>;
  /** Jobs of a project that have not ended. */
  countOpen(reader: Reader, project: string): Promise<number>;
  /** Ends a waiting job at once, a running one as soon as its process group is gone. No effect on an ended one. */
  cancel(unit: Unit, jobId: string): Promise<void>;
  /** Text of the attempt's output from a byte offset on. */
  readLog(job: Job, offset: number): Promise<{ readonly text: string; readonly next: number; readonly ended: boolean }>;
  /** One worker task at once, nothing recorded: for reads and previews. `blob:<sha256>` in the input becomes a path. */
  runTask<T extends WorkerTaskName>(
    task: T,
    input: WorkerTaskInput<T>,
    signal?: AbortSignal,
  ): Promise<WorkerTaskOutput<T>>;
}

export function createJobsService(deps: {
  readonly loop: JobLoop;
  readonly pool: WorkerPool;
  readonly blobs: BlobStore;
  readonly readLog: JobsApi['readLog'];
}): JobsApi {
  async function queue(unit: Unit, jobs: readonly { readonly id: string; readonly job: NewJob }[]): Promise<void> {
    nextDepth(unit.context, 'job.finished');
    await insertJobs(unit, jobs);
    for (const kind of new Set(jobs.map(({ job }) => job.work.kind))) unit.afterCommit(() => deps.loop.wake(kind));
  }

  return {
    async submit(unit, job) {
      const id = unit.newId();
      await queue(unit, [{ id, job }]);
      return id;
    },
    async submitAll(unit, jobs) {
      const queued = jobs.map((job) => ({ id: unit.newId(), job }));
      await queue(unit, queued);
      return queued.map(({ id }) => id);
    },
    async get(reader, jobId) {
      const job = await findJob(reader, jobId);
      if (job === undefined) throw jobsErrors.JOB_NOT_FOUND(jobId);
      return job;
    },
    async end(reader, jobId) {
      const end = await findJobEnd(reader, jobId);
      if (end === undefined) throw jobsErrors.JOB_NOT_FOUND(jobId);
      return end;
    },
    countOpen: countOpenJobs,
    async cancel(unit, jobId) {
      const job = await findJob(unit, jobId);
      if (job === undefined) throw jobsErrors.JOB_NOT_FOUND(jobId);
      if (job.state === 'queued') {
        const cancelled = jobsErrors.JOB_CANCELLED();
        const error = { code: cancelled.code, message: cancelled.message };
        if (await endJob(unit, job, { state: 'cancelled', error })) await emitFinished(unit, job, 'cancelled');
      } else if (job.state === 'running') {
        await requestCancel(unit, jobId);
        unit.afterCommit(() => deps.loop.cancel(jobId));
      }
    },
    readLog: deps.readLog,
    async runTask(task, input, signal) {
      const resolved = await resolveBlobPaths(input, deps.blobs);
      return (await deps.pool.run(task, resolved, signal)) as WorkerTaskOutput<typeof task>;
    },
  };
}

export async function emitFinished(unit: Unit, job: Job, outcome: string): Promise<void> {
  await unit.emit({
    type: 'job.finished',
    project: job.project,
    subject: job.owner,
    data: { jobId: job.id, owner: job.owner, outcome },
  });
}
