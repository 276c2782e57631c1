import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
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
    const { source, runs } = await runsOf(root);
    expect(runs[0]?.record.datasets).toEqual([]);
    expect(await source.leftBehind()).toMatchObject([
      { count: 1, what: expect.stringContaining('inputs/one') as string },
    ]);
  });

  test('has as inputs and outputs those that the file store knows, and tells of others', async () => {
    const { root } = await aStore();
    const own = join(root, '3', runId);
    const [model, made] = [`m-${'1'.repeat(32)}`, `m-${'2'.repeat(32)}`];
    // MLflow 3 names the source as the destination too
    const input = { source_type: 'MODEL', source_id: model, destination_type: 'RUN', destination_id: model };
    const output = {
      source_type: 'RUN_OUTPUT',
      source_id: made,
      destination_type: 'MODEL_OUTPUT',
      destination_id: made,
    };
    await write(join(own, 'inputs', 'f'.repeat(32), 'meta.yaml'), toYaml(input));
    await write(join(own, 'outputs', made, 'meta.yaml'), `${toYaml(output)}step: 7\n`);
    // the words of MLflow's database, where a run is the source
    const foreign = {
      source_type: 'RUN_INPUT',
      source_id: runId,
      destination_type: 'MODEL_INPUT',
      destination_id: model,
    };
    await write(join(own, 'inputs', model, 'meta.yaml'), toYaml(foreign));
    await write(join(own, 'outputs', 'other', 'meta.yaml'), toYaml({ ...output, destination_type: 'PROMPT' }));
    const { source, runs } = await runsOf(root);
    expect(runs[0]?.record).toMatchObject({ modelInputs: [model], modelOutputs: [{ modelId: made, step: 7 }] });
    expect(await source.leftBehind()).toMatchObject([
      { count: 2, what: expect.stringContaining(`inputs/${model}/meta.yaml`) as string },
    ]);
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
    const model = `m-${'1'.repeat(32)}`;
    const input = { source_type: 'MODEL', source_id: model, destination_type: 'RUN', destination_id: runId };
    await write(join(root, '3', runId, 'inputs', 'one', 'meta.yaml'), toYaml(input));
    const { source } = await runsOf(root);
    const old = join(folder, 'out', '3', runId, 'inputs', model, 'meta.yaml');
    await write(old, toYaml({ source_type: 'RUN_INPUT' })); // of a former export
    expect(await exportToFolder(source, join(folder, 'out'), options)).toMatchObject({ left: [] });
    const [before, after] = [await runsOf(root), await runsOf(join(folder, 'out'))];
    expect(after.runs.map(({ record }) => record)).toEqual(before.runs.map(({ record }) => record));
    expect(after.runs[0]?.record.modelInputs).toEqual([model]);
    const [name = ''] = await readdir(join(folder, 'out', '3', runId, 'inputs'));
    expect(await readFile(join(folder, 'out', '3', runId, 'inputs', name, 'meta.yaml'), 'utf8')).toContain(
      'source_type: "MODEL"',
    );
    const histories = [];
    for await (const history of after.source.histories(after.runs)) histories.push(history);
    expect(histories).toMatchObject([{ key: 'loss', atMs: [1, 2, 3], values: [0.5, 'NaN', '-Infinity'] }]);
  });
});
