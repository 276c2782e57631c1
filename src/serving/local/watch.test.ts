import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createLogger } from '#platform/log';
import { aLocalPlane } from '../testing/local-plane-in-test.ts';

const fixtures = join(import.meta.dirname, '../../runtimes/fixtures');
const model = join(fixtures, 'breast-cancer.onnx');

async function aWatched(config: string) {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-watch-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const put = async (version: number, from: string = model) => {
    await mkdir(join(folder, `bc/${version}`), { recursive: true });
    await copyFile(from, join(folder, `bc/${version}/model.onnx`));
  };
  await put(1);
  await writeFile(join(folder, 'bc/config.pbtxt'), config);
  const log = join(folder, '.log');
  const logger = createLogger({ level: 'info', destination: { file: log } });
  const { url } = await aLocalPlane(folder, { only: undefined, watch: true, lookMs: 50, logger });
  const ask = async (path: string, body?: object) =>
    (await fetch(new URL(path, url), body && { method: 'POST', body: JSON.stringify(body) })).json();
  return {
    folder,
    put,
    said: async () => (await readFile(log, 'utf8')).split('\n').filter((line) => line.includes('"bc')),
    index: () => ask('/v2/repository/index', {}),
    config: () => ask('/v2/models/bc/config'),
  };
}

const soon = { timeout: 10_000 };
const delayed = 'max_batch_size: 8\ndynamic_batching { max_queue_delay_microseconds: 3000 }';

test('a new version that cannot be loaded is told once, the one before answers as it did; one that can is told too', async () => {
  const { folder, put, said, index, config } = await aWatched(delayed);
  const before = await config();
  expect(before).toMatchObject({ max_batch_size: 8, dynamic_batching: { max_queue_delay_microseconds: 3000 } });
  await mkdir(join(folder, 'bc/2'));
  await writeFile(join(folder, 'bc/2/model.onnx'), 'no model');
  await expect.poll(index, soon).toEqual([
    { name: 'bc', version: '1', state: 'READY', reason: '' },
    { name: 'bc', version: '2', state: 'UNAVAILABLE', reason: expect.stringContaining('cannot be loaded') },
  ]);
  expect(await config()).toEqual(before);
  await expect
    .poll(said, soon)
    .toEqual([expect.stringMatching(/"level":"warn".*bc@2-\w+\\": the model cannot be loaded/)]);
  await put(3);
  await expect
    .poll(said, soon)
    .toContainEqual(expect.stringMatching(/"level":"info".*"model \\"bc\\": version 3 answers now, before it 1"/));
});

test('that the files of the version that answers went bad is said in the index and in the log, until they are mended', async () => {
  const { folder, put, said, index } = await aWatched('');
  await writeFile(join(folder, 'bc/1/model.onnx'), 'no model');
  await expect.poll(index, soon).toEqual([
    {
      name: 'bc',
      version: '1',
      state: 'READY',
      reason: expect.stringMatching(/^as it was before its newest files: the/),
    },
  ]);
  await put(1);
  await expect.poll(index, soon).toEqual([{ name: 'bc', version: '1', state: 'READY', reason: '' }]);
  await expect
    .poll(said, soon)
    .toContainEqual(expect.stringMatching(/"model \\"bc\\": version 1 answers now from its new files"/));
});

test('an output that is no tensor, as skl2onnx makes of probabilities, is told with what to do', async () => {
  const { put, said } = await aWatched('');
  await put(2, join(fixtures, 'zipmap.onnx'));
  await expect
    .poll(said, soon)
    .toContainEqual(
      expect.stringMatching(/"level":"warn".*model bc@2: \\"probability\\" of its outputs is no tensor.*zipmap=False/),
    );
});

test('a config.pbtxt that does not fit the model is named, with what to write; and that is right', async () => {
  const { folder, index } = await aWatched('');
  const file = join(folder, 'bc/config.pbtxt');
  const declare = (dims: string) =>
    writeFile(
      file,
      `max_batch_size: 8
       input { name: "x" data_type: TYPE_FP32 dims: [ 30 ] }
       output { name: "label" data_type: TYPE_INT64 ${dims} }`,
    );
  const reason = async () => ((await index()) as { readonly reason: string }[])[0]?.reason ?? '';
  await declare('dims: [ 1 ]');
  await expect.poll(reason, soon).toContain('"label" is [-1] in the model and [-1, 1] in the signature');
  const told = await reason();
  expect(told).toContain(`it is declared in ${file}`);
  await declare(/dims: \[ 1 \] reshape.*/.exec(told)?.[0] ?? '');
  await expect.poll(index, soon).toEqual([{ name: 'bc', version: '1', state: 'READY', reason: '' }]);
});
