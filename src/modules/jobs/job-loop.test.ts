import { expect, onTestFinished, test } from 'vitest';
import { createLogger } from '#platform/log';
import { describeDatabases, type TestDatabase } from '#platform/testing/database';
import { createJobLoop } from './job-loop.ts';
import { type AttemptOutcome, type Job, workerWork } from './job-types.ts';
import { claimJob, findJob, insertJobs } from './jobs-store.ts';

const someone = { actor: 'user:local' };
const leaseMs = 60; // on the database's clock, which stands still until the test moves it
const succeeded: AttemptOutcome = { kind: 'succeeded', result: { files: {}, exitCode: 0 } };

const insert = (database: TestDatabase, id: string) =>
  database.write(someone, (unit) =>
    insertJobs(unit, [
      { id, job: { project: 'p', owner: 'dataset:d', tag: 't', work: workerWork('profile', { paths: [] }) } },
    ]),
  );

function deferred<T>() {
  const settle: { resolve?: (value: T) => void } = {};
  const promise = new Promise<T>((resolve) => (settle.resolve = resolve));
  return { promise, resolve: (value: T) => settle.resolve?.(value) };
}

async function ended(database: TestDatabase, id: string): Promise<Job | undefined> {
  for (;;) {
    const job = await findJob(database.read, id);
    if (job?.state !== 'queued' && job?.state !== 'running') return job;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describeDatabases('the loop of jobs', (open) => {
  async function started(run: (job: Job) => Promise<AttemptOutcome>) {
    const database = await open();
    const loop = createJobLoop({
      database,
      clock: database.clock,
      logger: createLogger({ level: 'silent' }),
      capacity: { cpu: 2, memoryMb: 1_000, workerTasks: 2 },
      leaseMs,
      runner: {
        run,
        adopt: () => Promise.reject(new Error('nothing is there to adopt')),
        remove: () => Promise.resolve(),
        sweep: () => Promise.resolve(),
      },
      issueToken: () => Promise.reject(new Error('a worker task has no token')),
      revokeToken: () => Promise.resolve(),
      ended: () => Promise.resolve(),
    });
    await loop.start();
    onTestFinished(() => loop.stop());
    return { database, loop };
  }

  test('an attempt that nobody holds is lost when its lease is over, and the job is tried again', async () => {
    const attempts: number[] = [];
    const { database } = await started((job) => {
      attempts.push(job.attempt);
      return Promise.resolve(succeeded);
    });
    await insert(database, 'j');
    // The claim is committed, and its answer gets lost on the way: no attempt was ever begun.
    const job = await findJob(database.read, 'j');
    if (job === undefined) throw new Error('there is no job');
    expect(await database.write(someone, (unit) => claimJob(unit, job, leaseMs, undefined))).toBe(true);
    database.clock.advance(leaseMs + 1);
    expect(await ended(database, 'j')).toMatchObject({ state: 'succeeded', attempt: 2, fence: 2 });
    expect(attempts).toEqual([2]);
  });

  test('an attempt that goes on keeps its lease, however long it takes', async () => {
    const [begun, finished] = [deferred<void>(), deferred<AttemptOutcome>()];
    const { database, loop } = await started(() => {
      begun.resolve();
      return finished.promise;
    });
    await insert(database, 'j');
    loop.wake('worker');
    await begun.promise;
    for (let beats = 0; beats < 5; beats += 1) {
      database.clock.advance(leaseMs - 1);
      const before = database.clock.nowMs();
      // the lease moves with the clock
      for (;;) {
        const [row] = await database.read
          .query<{ jobs: { lease_until_ms: number | null } }>()
          .selectFrom('jobs')
          .select('jobs.lease_until_ms')
          .execute();
        if ((row?.lease_until_ms ?? 0) >= before + leaseMs) break;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    finished.resolve(succeeded);
    expect(await ended(database, 'j')).toMatchObject({ state: 'succeeded', attempt: 1, fence: 1 });
  });
});
