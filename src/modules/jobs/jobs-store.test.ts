import { expect, test } from 'vitest';
import { describeDatabases, type TestDatabase } from '#platform/testing/database';
import { type Job, workerWork } from './job-types.ts';
import { claimJob, endJob, findJob, insertJobs, requeueJob } from './jobs-store.ts';

const someone = { actor: 'user:local' };
const leaseMs = 30_000;

async function jobOf(database: TestDatabase): Promise<Job> {
  const found = await findJob(database.read, 'j');
  if (found === undefined) throw new Error('there is no job');
  return found;
}

describeDatabases('the queue of jobs', (open) => {
  async function queued(): Promise<{ readonly database: TestDatabase; readonly job: Job }> {
    const database = await open();
    const work = workerWork('profile', { paths: [] });
    await database.write(someone, (unit) =>
      insertJobs(unit, [{ id: 'j', job: { project: 'p', owner: 'dataset:d', tag: 't', work } }]),
    );
    return { database, job: await jobOf(database) };
  }

  test('of many that claim one job at once, one has it', async () => {
    const { database, job } = await queued();
    const claims = await Promise.all(
      Array.from({ length: 8 }, () => database.write(someone, (unit) => claimJob(unit, job, leaseMs, undefined))),
    );
    expect(claims.filter(Boolean)).toHaveLength(1);
    expect(await jobOf(database)).toMatchObject({ state: 'running', attempt: 1, fence: job.fence + 1 });
  });

  test('an attempt that was put back can neither end nor put back the one that follows it', async () => {
    const { database, job } = await queued();
    const attempt = async (): Promise<Job> => {
      const before = await jobOf(database);
      expect(await database.write(someone, (unit) => claimJob(unit, before, leaseMs, undefined))).toBe(true);
      return jobOf(database);
    };
    const first = await attempt();
    expect(await database.write(someone, (unit) => requeueJob(unit, first, 0, first.attempt))).toBe(true);
    // what it read before the first attempt is no claim any more
    expect(await database.write(someone, (unit) => claimJob(unit, job, leaseMs, undefined))).toBe(false);
    const second = await attempt();
    expect(second.fence).toBeGreaterThan(first.fence);
    for (const late of [
      () => database.write(someone, (unit) => endJob(unit, first, { state: 'succeeded' })),
      () => database.write(someone, (unit) => requeueJob(unit, first, 0, first.attempt)),
    ])
      expect(await late()).toBe(false);
    expect(await jobOf(database)).toEqual(second);

    const ends = await Promise.all(
      Array.from({ length: 4 }, () => database.write(someone, (unit) => endJob(unit, second, { state: 'succeeded' }))),
    );
    expect(ends.filter(Boolean)).toHaveLength(1);
    expect(await database.write(someone, (unit) => claimJob(unit, second, leaseMs, undefined))).toBe(false);
    expect((await jobOf(database)).state).toBe('succeeded');
  });
});
