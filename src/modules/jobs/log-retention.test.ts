import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openTestDatabase } from '#platform/testing/database';
import { logFile, logFolder } from './job-folders.ts';
import { workerWork } from './job-types.ts';
import { claimJob, endJob, findJob, insertJobs } from './jobs-store.ts';
import { removeOldLogs } from './log-retention.ts';

const instantMs = Date.UTC(2026, 0, 1);

test('old logs go, those of jobs that have not ended and those written to since stay', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-logs-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await mkdir(logFolder(folder), { recursive: true });
  const database = await openTestDatabase();
  const work = workerWork('profile', { paths: [] });
  await database.write({ actor: 'user:local' }, async (unit) => {
    for (const id of ['ended', 'young', 'running', 'queued']) {
      await insertJobs(unit, [{ id, job: { project: 'p', owner: 'dataset:d', tag: 't', work } }]);
      const job = await findJob(unit, id);
      if (job === undefined || id === 'queued') continue;
      await claimJob(unit, job, 1000, undefined);
      if (id !== 'running') await endJob(unit, { ...job, state: 'running', fence: 1 }, { state: 'succeeded' });
    }
  });
  for (const id of ['ended', 'young', 'running', 'queued', 'forgotten']) {
    await writeFile(logFile(folder, { id }), 'a line\n');
    const at = new Date(id === 'young' ? instantMs : instantMs - 1);
    await utimes(logFile(folder, { id }), at, at);
  }
  await writeFile(join(logFolder(folder), 'notes.txt'), 'not ours');
  await utimes(join(logFolder(folder), 'notes.txt'), 0, 0);

  expect(await removeOldLogs({ database, folder }, instantMs)).toBe(2);
  expect((await readdir(logFolder(folder))).toSorted()).toEqual([
    'notes.txt',
    'queued.log',
    'running.log',
    'young.log',
  ]);
  expect(await removeOldLogs({ database, folder }, instantMs)).toBe(0);
});
