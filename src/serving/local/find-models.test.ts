import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findLocalModels } from './find-models.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemill-local-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const fixture = join(import.meta.dirname, '../../runtimes/fixtures/breast-cancer.onnx');
async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), text);
}
async function model(path: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await copyFile(fixture, join(folder, path));
}
const find = async (path = '.') => findLocalModels(join(folder, path));

test('a file is a model of its name', async () => {
  await model('gbt.onnx');
  const path = join(folder, 'gbt.onnx');
  expect(await find('gbt.onnx')).toEqual([
    { name: 'gbt', path, warnings: [], versions: [{ version: '1', runtime: 'onnx', path }] },
  ]);
  expect(await find()).toEqual(await find('gbt.onnx'));
});

test('a Triton repository: versions by its policy, the signature with a dimension for rows, what has no effect is told', async () => {
  for (const version of [1, 2, 10]) await model(`gbt/${version}/model.onnx`);
  await write('gbt/notes/readme.txt', '');
  const versions = async (policy: string) => {
    await write(
      'gbt/config.pbtxt',
      `name: "gbt" backend: "onnxruntime" max_batch_size: 64 ${policy}
       input { name: "input" data_type: TYPE_FP32 dims: [30] } output { name: "label" data_type: TYPE_INT64 dims: [] }
       instance_group { count: 2 kind: KIND_CPU } optimization { priority: PRIORITY_MAX }`,
    );
    return (await find())[0];
  };
  const [inputs, outputs] = [
    [{ name: 'input', datatype: 'FP32', shape: [-1, 30] }],
    [{ name: 'label', datatype: 'INT64', shape: [-1] }],
  ];
  expect(await versions('')).toEqual({
    name: 'gbt',
    path: join(folder, 'gbt'),
    warnings: [`"optimization" in ${join(folder, 'gbt/config.pbtxt')} has no effect here`],
    instances: 2,
    versions: [
      {
        version: '10',
        runtime: 'onnx',
        path: join(folder, 'gbt/10/model.onnx'),
        signature: { inputs, outputs },
        maxBatchRows: 1,
      },
    ],
  });
  const names = async (policy: string) => (await versions(policy))?.versions.map(({ version }) => version);
  expect(await names('version_policy { latest { num_versions: 2 } }')).toEqual(['2', '10']);
  expect(await names('version_policy { all {} }')).toEqual(['1', '2', '10']);
  expect(await names('version_policy { specific { versions: [1, 10, 11] } }')).toEqual(['1', '10']);
  expect((await versions('dynamic_batching {}'))?.versions[0]?.maxBatchRows).toBe(64);
  const delayed = await versions('dynamic_batching { preferred_batch_size: 8 max_queue_delay_microseconds: 1500 }');
  expect(delayed?.versions[0]).toMatchObject({ maxBatchRows: 64, maxBatchDelayMs: 1.5 });
  expect(delayed?.warnings[1]).toContain('"dynamic_batching.preferred_batch_size" in');
  const groups = await versions('instance_group [{ kind: KIND_GPU gpus: [0] }, { count: 3 }]');
  expect(groups?.instances).toBe(6);
  expect(groups?.warnings.slice(1).map((line) => line.split(' ')[0])).toEqual([
    '"instance_group.kind"',
    '"instance_group.gpus"',
  ]);
  const reshaped = await versions('output { name: "p" data_type: TYPE_FP32 dims: [1] reshape { shape: [] } }');
  expect(reshaped?.versions[0]?.signature?.outputs[0]).toEqual({ name: 'p', datatype: 'FP32', shape: [-1] });
  expect(reshaped?.warnings[1]).toContain('"output.reshape" in');
  expect((await versions('instance_group { count: 0 }'))?.problem).toMatch(/takes counts from 1 on, 64 together/);
});

test('a folder is a model by the names of its files, as a version of a registry is; the folder of models is not', async () => {
  await write('program/command.json', '{}');
  await write('source/model.py', '');
  await write('source/help.py', '');
  await write('booster/late.lgb', '');
  await write('booster/requirements.txt', 'lightgbm');
  await write('two/a.pkl', '');
  await write('two/b.pkl', '');
  await model('onnx/any.onnx');
  const versions = (await find()).map(({ name, versions: [version] }) => [name, version]);
  expect(versions).toEqual([
    ['booster', { version: '1', runtime: 'python', path: join(folder, 'booster'), main: 'late.lgb' }],
    ['onnx', { version: '1', runtime: 'onnx', path: join(folder, 'onnx/any.onnx') }],
    ['program', { version: '1', runtime: 'command', path: join(folder, 'program'), main: 'command.json' }],
    ['source', { version: '1', runtime: 'python', path: join(folder, 'source'), main: 'model.py' }],
  ]);
  expect((await find('source')).map(({ name }) => name)).toEqual(['source']);
  expect((await find('onnx')).map(({ name }) => name)).toEqual(['any']);
});

test('folders of MLflow and MLServer', async () => {
  await write('flow/MLmodel', 'flavors:\n  onnx:\n    data: model.onnx\n  python_function: {}\n');
  await model('flow/model.onnx');
  await write('sk/MLmodel', 'flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n');
  await write(
    'wrapped/model-settings.json',
    '{"name":"w","implementation":"mlserver_mlflow.MLflowRuntime","parameters":{"uri":"../sk","version":"v7"},"max_batch_size":8}',
  );
  await write(
    'plain/model-settings.json',
    '{"implementation":"mlserver_sklearn.SKLearnModel","parallel_workers":2,"max_batch_time":0.1}',
  );
  await write('plain/model.joblib', '');
  const found = (await find()).map(({ name, versions, warnings, problem }) => ({ name, versions, warnings, problem }));
  expect(found).toEqual([
    {
      name: 'flow',
      warnings: [],
      versions: [{ version: '1', runtime: 'onnx', path: join(folder, 'flow/model.onnx') }],
    },
    {
      name: 'plain',
      warnings: [`"parallel_workers" in ${join(folder, 'plain/model-settings.json')} has no effect here`],
      versions: [{ version: '1', runtime: 'python', path: join(folder, 'plain/model.joblib'), maxBatchDelayMs: 100 }],
    },
    { name: 'sk', warnings: [], versions: [{ version: '1', runtime: 'python', path: join(folder, 'sk') }] },
    {
      name: 'w',
      warnings: [],
      versions: [{ version: 'v7', runtime: 'python', path: join(folder, 'sk'), maxBatchRows: 8 }],
    },
  ]);
});

test.each([
  ['a.onnx/config.pbtxt', 'backend: "tensorrt"', 'its backend "tensorrt" is not served here; "onnxruntime" is'],
  ['a.onnx/config.pbtxt', 'name: "b"', 'names it "b", its folder is "a.onnx": both must be the same'],
  ['a.onnx/config.pbtxt', 'name "b"', 'line 1: ":" or "{" is expected, found "\\"b\\""'],
  ['a.onnx/config.pbtxt', 'max_batch_size: 1', 'it has no version:'],
  ['a.onnx/config.pbtxt', 'default_model_filename: "../x.onnx"', 'must be a name without a folder'],
  ['a.onnx/MLmodel', 'flavors:\n  onnx:\n    data: ../../etc', 'names a file outside its folder: ../../etc'],
  ['a.onnx/MLmodel', 'flavors: [', 'Flow sequence'],
  ['a.onnx/MLmodel', 'flavors: {spark: {}}', 'has the flavours spark; "onnx" and "python_function" are served here'],
  ['a.onnx/model-settings.json', '{', 'JSON'],
  ['a.onnx/model-settings.json', '{"implementation":"my.Model"}', 'its implementation "my.Model" is not served here'],
  ['a.onnx/model-settings.json', '{"implementation":"mlserver_sklearn.SKLearnModel"}', 'model.joblib or '],
  ['a.onnx/model-settings.json', '{"name":"a b","implementation":"x"}', 'is not served here'],
  [
    'a.onnx/model-settings.json',
    '{"implementation":"x","parameters":{"uri":"s3://b/m"}}',
    'must be a path on this machine',
  ],
])('%s with %j is told, and the others are served', async (path, text, problem) => {
  await write(path, text);
  await model('good.onnx');
  const found = await find();
  expect(found.map(({ versions }) => versions.length)).toEqual([0, 1]);
  expect(found[0]?.problem).toContain(problem);
});

test('what is no model at all is told with what would be one', async () => {
  await write('readme.md', 'x');
  await expect(find()).rejects.toThrow(/nothing in it is a model; it takes files \(\.onnx/);
  await expect(find('none')).rejects.toThrow(/none: there is nothing/);
  await expect(find('readme.md')).rejects.toThrow(/"\.md" is no model/);
  await model('a b.onnx');
  await model('same.onnx');
  await model('same/1/model.onnx');
  expect((await find()).map(({ name, problem }) => [name, problem?.replaceAll(folder, '')])).toEqual([
    ['a b', '"a b" is no name: it takes letters, digits, ".", "_" and "-"'],
    ['same', '/same and /same.onnx have one name'],
  ]);
});
