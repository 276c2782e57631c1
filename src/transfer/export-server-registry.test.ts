import { expect, test } from 'vitest';
import type { ModelRecord } from '#contracts/transfer';
import { exportRegistered } from './export-server-registry.ts';
import { createServerTarget } from './export-server-target.ts';
import type { Source } from './source.ts';

test('a model that a pipeline has registered is told with the reason, and the server is not asked for what must fail', async () => {
  // nobody listens there: any call would reject
  const target = createServerTarget({} as Source, 'http://127.0.0.1:1', {
    experiments: undefined,
    environment: {},
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
  const version = { source: '', storageLocation: '', tags: [], stage: 'None' };
  const model = {
    name: 'late',
    tags: [],
    aliases: [],
    versions: [2, 1].map((number) => ({ ...version, version: number })),
  };
  await exportRegistered(target, model as unknown as ModelRecord);
  expect(target.left).toEqual([
    'versions 1, 2 of model "late": registered by a pipeline, without an address that a server of MLflow takes (an export to a folder has the registry whole)',
  ]);
  expect(target.progress.models).toBe(0);
});
