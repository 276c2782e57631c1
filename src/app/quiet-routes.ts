import type { FastifyInstance } from 'fastify';
import { waitUntilQuiet } from '#contracts/quiet';
import type { JobsApi } from '#modules/jobs';
import { registerOperation } from '#platform/http';
import { readUntil } from '#platform/read-until';
import type { Platform } from './platform.ts';

const defaultWaitSeconds = 60;

/** For replays, tests and scripts that must not run ahead of the server. */
export function registerQuietRoutes(app: FastifyInstance, platform: Platform, jobs: Pick<JobsApi, 'countOpen'>): void {
  const { consumers, database, events } = platform;
  registerOperation(app, waitUntilQuiet, async ({ query, context }, answer) => {
    // an event may lead to a job and the end of a job to events, so both are asked for until neither is left
    const openJobs = await readUntil({
      events,
      async read() {
        await consumers.idle();
        return jobs.countOpen(database.read, context.project);
      },
      isOver: (open) => open === 0,
      concerns: (event) => event.type === 'job.finished' && event.project === context.project,
      waitMs: (query.wait ?? defaultWaitSeconds) * 1000,
      signal: context.signal,
    });
    return answer(200, { quiet: openJobs === 0, openJobs });
  });
}
