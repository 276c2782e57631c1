import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { runCli } from '../src/cli/run-cli.ts';
import { getDataset, previewDataset } from '../src/contracts/datasets.ts';
import { startControlPlane, temporaryFolder } from './support/control-plane.ts';
import { createTestProject } from './support/project.ts';

const collect = (add: (text: string) => void) =>
  new Writable({
    write(chunk: Buffer, _encoding, done) {
      add(chunk.toString());
      done();
    },
  });

async function cli(cwd: string, ...line: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await runCli(
    line,
    {
      stdout: collect((text) => void (out += text)),
      stderr: collect((text) => void (err += text)),
      environment: {},
      cwd,
      signal: new AbortController().signal,
    },
    { version: '0.0.0-test' },
  );
  return { code, out, err };
}

test('a backup of a running server, restored into an empty home, has its data', async () => {
  const first = await startControlPlane();
  const project = await createTestProject(first.client, 'project: shop\ndatasets:\n  a: { source: data/*.csv }\n');
  await project.write('data/1.csv', 'id\n1\n2\n');
  await project.apply();
  await project.land('a');
  const folder = await temporaryFolder();
  const made = await cli(folder, '--url', first.url, '--json', 'backup', 'all.tar');
  expect(made).toMatchObject({ code: 0, err: '' });
  const file = join(folder, 'all.tar');
  expect((await stat(file)).mode & 0o077).toBe(0);
  expect(await cli(folder, '--url', first.url, 'backup', 'all.tar')).toMatchObject({ code: 5 });

  const home = join(folder, 'home');
  expect(await cli(folder, '--home', home, 'restore', 'all.tar')).toMatchObject({ code: 0, err: '' });
  const second = await startControlPlane({ home });
  const client = second.client.inProject('shop');
  expect(await client.call(getDataset, { params: { name: 'a' } })).toMatchObject({ current: { version: 1, rows: 2 } });
  expect((await client.call(previewDataset, { params: { name: 'a' }, query: {} })).rows).toEqual([
    { id: 1 },
    { id: 2 },
  ]);
});

test('a restore leaves a home that holds something alone, and nothing behind when the backup is damaged', async () => {
  const { url } = await startControlPlane();
  const folder = await temporaryFolder();
  await cli(folder, '--url', url, 'backup', 'all.tar');
  const used = join(folder, 'used');
  await mkdir(used);
  await writeFile(join(used, 'note'), 'mine');
  expect(await cli(folder, '--home', used, 'restore', 'all.tar')).toMatchObject({
    code: 5,
    err: expect.stringContaining('is not empty'),
  });
  expect(await readFile(join(used, 'note'), 'utf8')).toBe('mine');
  expect(await cli(folder, '--home', join(folder, 'new'), 'restore', 'none.tar')).toMatchObject({ code: 3 });
  await truncate(join(folder, 'all.tar'), 5000);
  expect(await cli(folder, '--home', join(folder, 'new'), '--json', 'restore', 'all.tar')).toMatchObject({
    err: expect.stringContaining('BACKUP_DAMAGED'),
  });
  expect((await readdir(folder)).toSorted()).toEqual(['all.tar', 'used']);
});
