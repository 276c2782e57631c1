import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { listSnapshotFiles, listSourceFiles } from './project-folder.ts';

const run = promisify(execFile);

async function aFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-project-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test.each(['checkout', 'plain folder'])('a link is part of no snapshot and of no source: a %s', async (kind) => {
  const outside = await aFolder();
  await writeFile(join(outside, 'key'), 'secret');
  const folder = await aFolder();
  if (kind === 'checkout') await run('git', ['init', '--quiet', folder]);
  await mkdir(join(folder, 'steps'));
  for (const path of ['tidemill.yaml', 'steps/fit.py', 'rows.csv']) await writeFile(join(folder, path), 'x');
  await symlink(join(outside, 'key'), join(folder, 'steps', 'key.py'));
  await symlink(join(outside, 'key'), join(folder, 'more.csv'));
  await symlink(outside, join(folder, 'elsewhere'));
  const project = { folder, document: 'tidemill.yaml', project: 'p', sources: {} };
  expect(await listSnapshotFiles(project)).toEqual(['rows.csv', 'steps/fit.py', 'tidemill.yaml']);
  expect(await listSourceFiles(folder, '*.csv')).toEqual(['rows.csv']);
});
