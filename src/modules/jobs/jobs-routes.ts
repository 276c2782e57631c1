import type { FastifyInstance } from 'fastify';
import { cancelJob, getJob, getJobLog, type JobView, listJobs } from '#contracts/jobs';
import { toRfc3339 } from '#contracts/rfc3339';
import type { Database, Reader } from '#platform/database';
import { registerOperation } from '#platform/http';
import { decodeCursor, encodeCursor } from '#platform/sql';
import type { Job } from './job-types.ts';
import { jobsErrors } from './jobs-errors.ts';
import type { JobsApi } from './jobs-service.ts';
import { listJobs as listStoredJobs } from './jobs-store.ts';

const defaultLimit = 50;

export function registerJobRoutes(
  app: FastifyInstance,
  deps: { readonly database: Database; readonly jobs: JobsApi },
): void {
  const { database, jobs } = deps;

  async function getOwn(reader: Reader, project: string, jobId: string): Promise<Job> {
    const job = await jobs.get(reader, jobId);
    if (job.project !== project) throw jobsErrors.JOB_NOT_FOUND(jobId);
    return job;
  }

  registerOperation(app, listJobs, async ({ query, context }, answer) => {
    const limit = query.limit ?? defaultLimit;
    const beforeId = query.cursor === undefined ? undefined : String(decodeCursor(query.cursor)[0]);
    const found = await listStoredJobs(database.read, {
      project: context.project,
      limit: limit + 1,
      ...(query.state !== undefined && { state: query.state }),
      ...(query.owner !== undefined && { owner: query.owner }),
      ...(beforeId !== undefined && { beforeId }),
    });
    const items = found.slice(0, limit);
    const last = items.at(-1);
    return answer(200, {
      items: items.map(toView),
      ...(found.length > limit && last !== undefined && { next: encodeCursor([last.id]) }),
    });
  });

  registerOperation(app, getJob, async ({ params, context }, answer) =>
    answer(200, toView(await getOwn(database.read, context.project, params.jobId))),
  );

  registerOperation(app, cancelJob, async ({ params, context }, answer) => {
    const job = await database.write(context.write, async (unit) => {
      await getOwn(unit, context.project, params.jobId);
      await jobs.cancel(unit, params.jobId);
      return jobs.get(unit, params.jobId);
    });
    return answer(200, toView(job));
  });

  registerOperation(app, getJobLog, async ({ params, query, context }, answer) => {
    const job = await getOwn(database.read, context.project, params.jobId);
    return answer(200, await jobs.readLog(job, query.offset ?? 0));
  });
}

function toView(job: Job): JobView {
  return {
    id: job.id,
    project: job.project,
    owner: job.owner,
    tag: job.tag,
    kind: job.work.kind,
    state: job.state,
    attempt: job.attempt,
    ...(job.error && { error: job.error }),
    ...(job.origin.cause !== undefined && { cause: job.origin.cause }),
    createdAt: toRfc3339(job.createdMs),
    ...(job.startedMs !== undefined && { startedAt: toRfc3339(job.startedMs) }),
    ...(job.endedMs !== undefined && { endedAt: toRfc3339(job.endedMs) }),
  };
}
