import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { constants, getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { createLogger } from '#platform/log';
import { builtModule } from '#platform/testing/built-program';
import { createWorkerPool, type WorkerPool } from './worker-pool.ts';

beforeAll(() => builtModule('worker/main.js').then(() => undefined), 180_000);

const hasProcesses = existsSync('/proc/self/cmdline');

/** Processes whose command line names this folder. */
function processesOf(folder: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
      } catch {
        return false; // gone meanwhile
      }
    });
}

async function openPool(
  idleMs?: number,
): Promise<{ readonly pool: WorkerPool; readonly workers: () => readonly number[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-pool-'));
  const pool = createWorkerPool({
    logger: createLogger({ name: 'test', level: 'fatal' }),
    processes: 1,
    tasksPerProcess: 2,
    arguments: ['--memory-mb', '256', '--threads', '1', '--spill', join(folder, 'spill')],
    environment: { PATH: process.env['PATH'] },
    ...(idleMs !== undefined && { idleMs }),
  });
  onTestFinished(async () => {
    await pool.stop();
    await rm(folder, { recursive: true, force: true });
  });
  return { pool, workers: () => processesOf(folder) };
}

const one = { sql: 'select 1 as x', views: [], rows: 1 };
const endless = { sql: 'select count(*) from range(10000000000) a, range(1000) b', views: [], rows: 1 };

test.skipIf(!hasProcesses)(
  'no worker runs before the first task; one without work ends, and the next task starts another (needs /proc)',
  async () => {
    const { pool, workers } = await openPool(50);
    expect(workers()).toEqual([]);
    expect(await pool.run('query', one)).toMatchObject({ rows: [{ x: 1 }] });
    await expect.poll(workers, { timeout: 20_000, interval: 10 }).toEqual([]);
    expect(await pool.run('query', one)).toMatchObject({ rows: [{ x: 1 }] });
  },
  60_000,
);

test.skipIf(!hasProcesses)(
  'a worker comes behind the planes, also where a system shares processors among sessions first (needs /proc)',
  async () => {
    const { pool, workers } = await openPool();
    await pool.run('query', one);
    const [worker] = workers();
    const { PRIORITY_BELOW_NORMAL: behind } = constants.priority;
    expect(getPriority(worker)).toBe(behind);
    const autogroup = `/proc/${worker}/autogroup`;
    if (!existsSync(autogroup)) return;
    expect(readFileSync(autogroup, 'utf8')).toContain(`nice ${behind}\n`);
    expect(readFileSync(autogroup, 'utf8')).not.toBe(readFileSync('/proc/self/autogroup', 'utf8'));
  },
  60_000,
);

test.skipIf(!hasProcesses)(
  'a worker that dies fails its own tasks alone: what waits runs in the next one (needs /proc)',
  async () => {
    const { pool, workers } = await openPool();
    const died = [pool.run('query', endless), pool.run('query', endless)].map((task) =>
      task.then(
        () => 'answered',
        (error: unknown) => (error as { readonly code?: string }).code,
      ),
    );
    const waits = pool.run('query', one); // two at once are all that the pool takes
    await expect.poll(workers, { timeout: 20_000, interval: 10 }).toHaveLength(1);
    const [pid = 0] = workers();
    process.kill(pid, 'SIGKILL');
    expect(await Promise.all(died)).toEqual(['WORKER_DIED', 'WORKER_DIED']);
    expect(await waits).toMatchObject({ rows: [{ x: 1 }] });
    expect(workers()).not.toContain(pid);
  },
  60_000,
);
