import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findLocalModels } from './find-models.ts';
import { type CountedFiles, describeModel } from './local-spec.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemill-local-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = async (path: string, text: string): Promise<void> => writeFile(join(folder, path), text);
/** The revision of the one model there. */
async function revision(counted?: CountedFiles): Promise<string | undefined> {
  const [model] = await findLocalModels(folder);
  return model && (await describeModel(model, counted)).model.revisions[0]?.id;
}

test('weights beside a file are a part of it, other files are not', async () => {
  await write('net.onnx', 'net');
  await write('net.onnx.data', 'weights');
  const before = await revision();
  expect(before).toMatch(/^net@1-[0-9a-f]{12}$/);
  await write('netz.bin', 'of another');
  expect(await revision()).toBe(before);
  await write('net.onnx.data', 'other weights');
  const after = await revision();
  expect(after).not.toBe(before);
  await write('net.onnx_data', 'more of them');
  expect(await revision()).not.toBe(after);
});

test('a model of MLflow is all of its folder, but for what Python leaves there', async () => {
  await mkdir(join(folder, 'late/code/__pycache__'), { recursive: true });
  await write('late/MLmodel', 'flavors: { python_function: {} }');
  await write('late/model.pkl', 'a');
  const before = await revision();
  await write('late/code/__pycache__/x.pyc', 'compiled');
  expect(await revision()).toBe(before);
  await write('late/code/x.py', 'code');
  const withCode = await revision();
  expect(withCode).not.toBe(before);
  await write('late/model.pkl', 'another');
  expect(await revision()).not.toBe(withCode);
});

test.each(['model.py', 'command.json'])(
  'what the program of a %s writes beside it is no change of it',
  async (main) => {
    const counted: CountedFiles = new Map();
    await mkdir(join(folder, 'late/cache'), { recursive: true });
    await write(`late/${main}`, '{}');
    await write('late/weights.bin', 'a');
    const before = await revision(counted);
    await write('late/served.log', 'loaded');
    await write('late/cache/rows', '1');
    expect(await revision(counted)).toBe(before);
    await write('late/served.log', 'loaded, and asked');
    expect(await revision(counted)).toBe(before);
    await write('late/weights.bin', 'others');
    const changed = await revision(counted);
    expect(changed).not.toBe(before);
    await rm(join(folder, 'late/weights.bin'));
    expect(await revision(counted)).not.toBe(changed);
  },
);
