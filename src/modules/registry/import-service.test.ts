import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ModelRecord, VersionRecord } from '#contracts/transfer';
import type { Database } from '#platform/database';
import { createSequentialIds } from '#platform/ids';
import { describeDatabases } from '#platform/testing/database';
import { createImportService } from './import-service.ts';
import { createRegistryModule } from './index.ts';
import type { RegistryDeps } from './registry-deps.ts';

const actor = { actor: 'user:test' };
const project = 'default';

const version: VersionRecord = {
  version: 1,
  source: 's3://there/model',
  storageLocation: 's3://there/model',
  runLink: '',
  description: '',
  stage: 'None',
  user: 'ann',
  createdMs: 5,
  updatedMs: 5,
  tags: [],
  files: [],
};
const model = (name: string, more: Partial<ModelRecord> = {}): ModelRecord => ({
  name,
  description: '',
  createdMs: 1,
  updatedMs: 6,
  tags: [],
  aliases: [],
  versions: [version],
  ...more,
});

describeDatabases('bringing models in', (open) => {
  let database: Database;
  const ids = createSequentialIds();
  const deps = (): RegistryDeps => ({
    database,
    ids,
    approvals: { request: async () => 'approval', withdraw: async () => undefined },
    artifacts: { retain: async () => undefined, release: async () => undefined, missing: async () => [] },
    lineage: { record: async () => undefined, registerAlias() {} },
  });
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  const importModel = (given: ModelRecord) =>
    database.write(actor, (unit) => createImportService(deps()).importModel(unit, project, given));

  test('a prompt comes in as one, as often as it is sent; a model of its name does not', async () => {
    const prompt = model('greeting', { tags: [{ key: 'mlflow.prompt.is_prompt', value: 'true' }] });
    expect(await importModel(prompt)).toEqual({ made: 1, known: 0, left: [] });
    expect(await importModel(prompt)).toEqual({ made: 0, known: 1, left: [] });
    expect((await importModel(model('greeting'))).left).toEqual(['"greeting" is a prompt here']);
    await importModel(model('plain'));
    expect((await importModel({ ...prompt, name: 'plain' })).left).toEqual(['"plain" is a model here']);
  });

  test('an alias that promotions govern is theirs, also while it names nothing', async () => {
    const { api } = createRegistryModule(deps());
    await database.write(actor, (unit) =>
      api.proposeVersion(unit, {
        project,
        model: 'late',
        digest: 'a1',
        files: [],
        runtime: 'onnx',
        signature: { inputs: [] },
        trainRef: 'dataset:train@1',
        alias: 'champion',
        checks: ['gate:auc'],
      }),
    );
    const aliases = ['champion', 'try'].map((alias) => ({ alias, version: 7 }));
    const { left } = await importModel(model('late', { aliases, versions: [{ ...version, version: 7 }] }));
    expect(left).toEqual(['alias "champion" of model "late" is moved by promotions here']);
    expect(await api.alias(database.read, project, 'late', 'champion')).toBeUndefined();
    expect(await api.alias(database.read, project, 'late', 'try')).toMatchObject({ version: 7 });
  });
});
