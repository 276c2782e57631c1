import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { exportToFolder } from './export-folder.ts';
import { createMlrunsSource } from './mlruns-source.ts';

const runId = 'a'.repeat(32);
const options = { signal: new AbortController().signal, onProgress: () => undefined };

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

const toYaml = (meta: Readonly<Record<string, string>>): string =>
  Object.entries(meta)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    .join('');

/** A folder of MLflow with one run, beside a folder that is none of its. */
async function aStore(run: Readonly<Record<string, string>> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const root = join(folder, 'mlruns');
  const secret = join(folder, 'secret');
  await write(join(root, '3', 'meta.yaml'), toYaml({ experiment_id: '3', name: 'three', lifecycle_stage: 'active' }));
  await write(join(root, '3', runId, 'meta.yaml'), toYaml({ run_id: runId, run_name: 'one', ...run }));
  await write(join(root, '3', runId, 'tags', 'mlflow.runName'), 'one');
  await write(join(root, '3', runId, 'tags', 'team'), 'ops');
  await write(secret, 'secret');
  await write(join(folder, 'outside', 'meta.yaml'), toYaml({ name: 'secret', digest: '1' }));
  return { folder, root, secret };
}

async function runsOf(root: string) {
  const source = await createMlrunsSource(root);
  const runs = [];
  for await (const page of source.runs('3')) runs.push(...page);
  return { source, runs };
}

describe('a folder of MLflow from a stranger', () => {
  test('has no tag, run or experiment that is a link, and says so', async () => {
    const { folder, root, secret } = await aStore();
    await symlink(secret, join(root, '3', runId, 'tags', 'key'));
    await symlink(join(folder, 'outside'), join(root, '3', 'b'.repeat(32)));
    await symlink(join(folder, 'outside'), join(root, '4'));
    const { source, runs } = await runsOf(root);
    expect(runs.map(({ record }) => record.tags)).toEqual([
      [
        { key: 'mlflow.runName', value: 'one' },
        { key: 'team', value: 'ops' },
      ],
    ]);
    expect(await source.experiments()).toHaveLength(1);
    expect(await source.leftBehind()).toMatchObject([{ count: 3 }]);
  });

  test('has no data set outside of itself', async () => {
    const { root } = await aStore();
    const input = { source_type: 'DATASET', source_id: '../../../outside' };
    await write(join(root, '3', runId, 'inputs', 'one', 'meta.yaml'), toYaml(input));
    const { runs } = await runsOf(root);
    expect(runs[0]?.record.datasets).toEqual([]);
  });

  test('cannot name a run so that an export writes outside of its folder', async () => {
    const { folder, root } = await aStore({ run_id: '../../elsewhere' });
    const source = await createMlrunsSource(root);
    await expect(exportToFolder(source, join(folder, 'out'), options)).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: expect.stringContaining('../../elsewhere') as string,
    });
  });

  test('goes out as it came in', async () => {
    const { folder, root } = await aStore();
    await write(join(root, '3', runId, 'metrics', 'loss'), '1 0.5 0\n2 nan 1\n3 -inf 2\n');
    const { source } = await runsOf(root);
    await exportToFolder(source, join(folder, 'out'), options);
    const [before, after] = [await runsOf(root), await runsOf(join(folder, 'out'))];
    expect(after.runs.map(({ record }) => record)).toEqual(before.runs.map(({ record }) => record));
    const histories = [];
    for await (const history of after.source.histories(after.runs)) histories.push(history);
    expect(histories).toMatchObject([{ key: 'loss', atMs: [1, 2, 3], values: [0.5, 'NaN', '-Infinity'] }]);
  });
});
