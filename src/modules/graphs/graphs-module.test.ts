import { createHash } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { GraphSpec } from '#contracts/graph-document';
import type { ModelSignature } from '#contracts/tensor';
import { createRegistryModule, type RegistryApi } from '#modules/registry';
import { systemClock } from '#platform/clock';
import type { Database, Reader } from '#platform/database';
import { createSequentialIds } from '#platform/ids';
import { createLogger } from '#platform/log';
import { describeDatabases } from '#platform/testing/database';
import { findGraph, listGraphsOf } from './graph-store.ts';
import { createGraphsModule, type GraphsModule } from './index.ts';

const actor = { actor: 'user:test' };
const project = 'default';
const snapshot = { digest: 'snapshot', files: [], readText: () => undefined };
const spec = (yaml: string) => parse(yaml) as GraphSpec;
const scorer = (width: number): ModelSignature => ({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, width] }],
  outputs: [{ name: 'score', datatype: 'FP32', shape: [-1] }],
});
const blend = spec(`
  nodes:
    a: { model: "model:a@champion" }
    b: { model: "model:b@champion" }
    blend: { use: mean, of: [a.score, b.score] }`);

describeDatabases('graphs', (open) => {
  let database: Database;
  let registry: RegistryApi;
  let graphs: GraphsModule;
  const ids = createSequentialIds();
  const edges: string[] = [];
  const alerts: string[] = [];
  const stored = new Map<string, string>();
  const record = async (
    _unit: unknown,
    _project: string,
    recorded: readonly { from: string; to: string; kind: string }[],
  ) => {
    edges.push(...recorded.map(({ from, to, kind }) => `${from} ${kind} ${to}`));
  };

  beforeAll(async () => {
    database = await open();
    registry = createRegistryModule({
      database,
      ids,
      approvals: { request: async () => 'approval', withdraw: async () => undefined },
      artifacts: { retain: async () => undefined, release: async () => undefined, missing: async () => [] },
      lineage: { record, registerAlias: () => undefined },
    }).api;
    graphs = createGraphsModule({
      database,
      blobs: {
        async putStream(source) {
          const parts: Uint8Array[] = [];
          for await (const part of source) parts.push(part as Uint8Array);
          const bytes = Buffer.concat(parts);
          const sha256 = createHash('sha256').update(bytes).digest('hex');
          stored.set(sha256, bytes.toString());
          return { sha256, sizeBytes: bytes.length };
        },
      },
      clock: systemClock,
      logger: createLogger({ level: 'silent' }),
      registry,
      lineage: { record },
      alerts: {
        open: async (_unit, { title, evidence }) => void alerts.push(`${title}: ${JSON.stringify(evidence)}`),
        resolve: async () => true,
      },
    });
  });
  beforeEach(() => graphs.start());
  afterEach(() => graphs.stop());

  const declare = (name: string, after: GraphSpec | undefined) =>
    database.write(actor, (unit) => graphs.kind.apply(unit, project, { name, before: undefined, after, snapshot }));
  /** What the consumer does with the events of a unit. */
  const propose = async (model: string, mark: string, signature: ModelSignature) => {
    const digest = createHash('sha256').update(`${model} ${mark}`).digest('hex');
    await database.write(actor, (unit) =>
      registry.proposeVersion(unit, {
        project,
        model,
        digest,
        files: [{ path: 'model.onnx', sha256: digest, sizeBytes: 10 }],
        runtime: 'onnx',
        signature: JSON.parse(JSON.stringify(signature)) as never,
        alias: 'champion',
        checks: [],
      }),
    );
    await moved(model);
  };
  const moved = (model: string) =>
    database.write(actor, async (unit) => {
      const data = { model, alias: 'champion', reason: 'promoted' };
      const event = { type: 'registry.alias.moved', project, data } as never;
      for (const consumer of graphs.consumers) await consumer.handle?.(unit, event);
    });
  const settled = async (name: string) => {
    await expect.poll(async () => (await findGraph(database.read, project, name))?.state).not.toBe('pending');
    return findGraph(database.read, project, name);
  };
  const championOf = async (reader: Reader, model: string) =>
    (await registry.alias(reader, project, model, 'champion'))?.version;

  test('a graph waits for its models, is made of their exact versions, follows them, and returns with them', async () => {
    await declare('blend', blend);
    expect(await settled('blend')).toMatchObject({
      state: 'waiting',
      reason: 'node "a" waits for model:a@champion, which is not there yet',
    });
    await propose('a', 'one', scorer(3));
    await propose('b', 'one', scorer(3));
    expect(await settled('blend')).toMatchObject({ state: 'made', version: 1, members: ['model:a@1', 'model:b@1'] });

    const version = await registry.version(database.read, project, 'blend', 'champion');
    expect(version).toMatchObject({
      version: 1,
      runtime: 'graph',
      signature: {
        inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 3] }],
        outputs: [{ name: 'blend', datatype: 'FP32', shape: [-1] }],
      },
    });
    expect(version?.files.map(({ path }) => path).toSorted()).toEqual([
      'a@1/model.onnx',
      'b@1/model.onnx',
      'graph.yaml',
    ]);
    expect(parse(stored.get(version?.digest ?? '') ?? '')).toMatchObject({
      nodes: { a: { model: 'model:a@1', file: 'a@1/model.onnx', runtime: 'onnx', signature: scorer(3) } },
    });
    expect(edges).toEqual(
      expect.arrayContaining([
        'model:a@1 part-of model:blend@1',
        'model:b@1 part-of model:blend@1',
        'graph:blend declared model:blend@1',
      ]),
    );

    await propose('a', 'two', scorer(3));
    expect(await settled('blend')).toMatchObject({ version: 2, members: ['model:a@2', 'model:b@1'] });
    await database.write(actor, (unit) =>
      registry.setAlias(unit, { project, model: 'a', alias: 'champion', version: 1 }),
    );
    await moved('a');
    expect(await settled('blend')).toMatchObject({ version: 1, members: ['model:a@1', 'model:b@1'] });
    expect(await championOf(database.read, 'blend')).toBe(1);
    await declare('blend', undefined);
    expect(await listGraphsOf(database.read, project)).toEqual([]);
    expect(await championOf(database.read, 'blend')).toBe(1); // what was made stays
  });

  test('a model that does not fit any more makes no version: the one before stays, and an alert says why', async () => {
    await propose('c', 'one', scorer(3));
    await propose('d', 'one', scorer(3));
    await declare(
      'pair',
      spec(JSON.stringify(blend).replaceAll('model:a@', 'model:c@').replaceAll('model:b@', 'model:d@')),
    );
    expect(await settled('pair')).toMatchObject({ state: 'made', version: 1 });
    await propose('d', 'two', scorer(4));
    const reason =
      'nodes.b: "inputs.x" has shape [-1, 3], "x" takes [-1, 4]; expected: a node between them: { use: reshape, of: inputs.x, shape: [-1, 4] }, or columns, concat';
    expect(await settled('pair')).toMatchObject({ state: 'refused', version: 1, reason });
    expect(alerts).toEqual([
      `no version of graph pair can be made of what its models are now: ${JSON.stringify({ reason })}`,
    ]);
    expect(await championOf(database.read, 'pair')).toBe(1);
    await expect(declare('pair', spec(JSON.stringify(blend).replaceAll('model:b@', 'model:d@')))).rejects.toMatchObject(
      { code: 'GRAPH_INVALID' },
    );
  });

  test('a graph is no part of itself, nor takes the name of a model that is none', async () => {
    await propose('e', 'one', scorer(3));
    await expect(declare('e', blend)).rejects.toMatchObject({ code: 'GRAPH_NAME_TAKEN' });
    await declare('inner', spec('nodes: { e: { model: "model:e@1" } }'));
    expect(await settled('inner')).toMatchObject({ state: 'made' });
    await expect(declare('outer', spec('nodes: { inner: { model: "model:inner@champion" } }'))).rejects.toThrow(
      'graph "outer" does not fit together: node "inner": model:inner@1 is a graph, and a graph has none in it',
    );
  });
});

test('what is wrong whatever its models are is told by its place in the document', async () => {
  const { checkGraph } = await import('./graphs-kind.ts');
  expect(
    checkGraph(spec('nodes: { a: { file: a.onnx }, b: { model: "model:b@x y" }, c: { use: mean, of: [a, d] } }')),
  ).toMatchObject([
    { path: ['nodes', 'a'], expected: 'model: model:<name>@<alias or version>' },
    { path: ['nodes', 'b', 'model'], message: '"model:b@x y" is no reference' },
    { path: ['nodes', 'c', 'of', 1], message: 'there is no node "d"' },
  ]);
});
