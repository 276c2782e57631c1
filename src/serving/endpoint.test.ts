import { expect, test } from 'vitest';
import type { SpecRevision } from '#contracts/deployment-spec';
import { createEndpoint, type LoadRevision } from './endpoint.ts';
import { anEndpoint } from './testing/test-plane.ts';

const revisionOf = (id: string): SpecRevision => ({
  id,
  modelRef: `model:m@${id}`,
  runtime: 'onnx',
  files: [{ path: 'model.onnx', digest: '0'.repeat(64), sizeBytes: 1 }],
});

const specOf = (id: string) => anEndpoint([revisionOf(id)]);

/** Loads at once, unless it is told to fail. */
function aRuntime() {
  const failing = new Set<string>();
  const load: LoadRevision = async ({ id, modelRef }, _endpoint, record) => {
    if (failing.has(id)) throw new Error('it is broken');
    return {
      id,
      modelRef,
      version: record.version,
      runtime: 'onnx',
      signature: { inputs: [], outputs: [] },
      nullable: new Set(),
      takesParameters: false,
      takesKeys: false,
      isGraph: false,
      record,
      limits: { maxRows: 1, maxQueued: 1, timeoutMs: 1 },
      predict: () => Promise.reject(new Error('nobody asks')),
      pending: 0,
      isLoaded: true,
      reloads: 0,
      async drain() {
        record.state = 'unloaded';
      },
    };
  };
  return { failing, load };
}

test('revisions that have left are remembered, up to a number', async () => {
  const { load } = aRuntime();
  const endpoint = createEndpoint(specOf('0'), { load, changed: () => undefined });
  for (let at = 0; at < 100; at += 1) {
    await endpoint.follow(specOf(String(at)));
    await endpoint.drained();
  }
  expect(endpoint.records.get('99')?.state).toBe('ready');
  expect(endpoint.records.get('98')?.state).toBe('unloaded');
  expect(endpoint.records.size).toBeLessThanOrEqual(66);
});

test('what failed for good is tried again once it is forgiven', async () => {
  const { failing, load } = aRuntime();
  failing.add('a');
  const spec = anEndpoint([revisionOf('a')]);
  const endpoint = createEndpoint(spec, { load, changed: () => undefined });
  await endpoint.follow(spec);
  failing.delete('a');
  await endpoint.follow(spec);
  expect([endpoint.state, endpoint.error]).toEqual(['failed', 'revision "a": it is broken']);
  endpoint.forgive();
  await endpoint.follow(spec);
  expect([endpoint.state, endpoint.error]).toEqual(['ready', undefined]);
});
