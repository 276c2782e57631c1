import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { openTestServer } from '#platform/testing/http';
import { createLineageModule, type NewEdge } from './index.ts';

const someone = { actor: 'user:test' };
const loop: readonly NewEdge[] = [
  { from: 'dataset:flights@1', to: 'run:r1', kind: 'consumed' },
  { from: 'run:r1', to: 'model:late@1', kind: 'produced' },
  { from: 'model:late@1', to: 'revision:a', kind: 'deployed' },
  { from: 'model:late@1', to: 'alert:late/performance', kind: 'caused' },
  { from: 'alert:late/performance', to: 'run:r2', kind: 'triggered' },
  { from: 'run:r2', to: 'model:late@2', kind: 'produced' },
  { from: 'model:late@2', to: 'alert:late/performance', kind: 'caused' },
];

const refs = (nodes: readonly { readonly ref: string }[]) => nodes.map(({ ref }) => ref).toSorted();

describeDatabases('lineage', (open) => {
  async function withLoop(project = 'default') {
    const database = await open();
    const module = createLineageModule({ database });
    await database.write(someone, (unit) => module.api.record(unit, project, loop));
    return { database, module, api: module.api };
  }

  test('leads down to everything that came of a data set, once, through a cycle', async () => {
    const { api, database } = await withLoop();
    const graph = await api.trace(database.read, 'default', 'dataset:flights@1', { direction: 'down' });
    expect(graph.nodes.map(({ ref, depth }) => `${depth} ${ref}`)).toEqual([
      '0 dataset:flights@1',
      '1 run:r1',
      '2 model:late@1',
      '3 alert:late/performance',
      '3 revision:a',
      '4 run:r2',
      '5 model:late@2',
    ]);
    expect(graph.edges).toHaveLength(loop.length);
    expect(graph.truncated).toBe(false);
  });

  test('leads up to what a version was made from, and to nothing beside it', async () => {
    const { api, database } = await withLoop();
    const graph = await api.trace(database.read, 'default', 'model:late@1', { direction: 'up' });
    expect(refs(graph.nodes)).toEqual(['dataset:flights@1', 'model:late@1', 'run:r1']);
    expect(graph.nodes.at(-1)).toEqual({ ref: 'dataset:flights@1', depth: -2 });
  });

  test('says when it was cut by depth or by the number of nodes', async () => {
    const { api, database } = await withLoop();
    const trace = (options: { depth?: number; limit?: number }) =>
      api.trace(database.read, 'default', 'dataset:flights@1', { direction: 'down', ...options });
    expect(await trace({ depth: 2 })).toMatchObject({ truncated: true, nodes: { length: 3 } });
    expect(await trace({ limit: 2 })).toMatchObject({ truncated: true, nodes: { length: 3 } });
    expect(await trace({ depth: 6 })).toMatchObject({ truncated: false });
  });

  test('recording a fact again keeps who wrote it first and when', async () => {
    const { api, database } = await withLoop();
    database.clock.advance(1000);
    await database.write({ actor: 'user:other' }, (unit) => api.record(unit, 'default', loop.slice(0, 1)));
    const { edges } = await api.trace(database.read, 'default', 'run:r1', { direction: 'up' });
    expect(edges).toEqual([{ ...loop[0], actor: 'user:test', atMs: database.clock.nowMs() - 1000 }]);
  });

  test('one project knows nothing of another', async () => {
    const { api, database } = await withLoop('flights');
    const graph = await api.trace(database.read, 'default', 'model:late@1', { direction: 'both' });
    expect(graph).toMatchObject({ nodes: [{ ref: 'model:late@1' }], edges: [] });
  });

  test('walks on through edges that a module answers from its own log', async () => {
    const { api, database } = await withLoop();
    api.registerResolver('prediction', async (_reader, _project, name) => ({
      edges: [
        { from: 'revision:a', to: `prediction:${name}`, kind: 'served' },
        { from: `prediction:${name}`, to: 'artifact:unrelated', kind: 'x' },
      ],
    }));
    const graph = await api.trace(database.read, 'default', 'prediction:p1.0', { direction: 'up' });
    expect(refs(graph.nodes)).toEqual(['dataset:flights@1', 'model:late@1', 'prediction:p1.0', 'revision:a', 'run:r1']);
  });

  test('says of how many a module shows only some', async () => {
    const { api, database } = await withLoop();
    const predictions = ['p1', 'p2'].map((id) => ({ from: 'revision:a', to: `prediction:${id}`, kind: 'answered' }));
    api.registerResolver('revision', async () => ({ edges: predictions, total: 17_180 }));
    const down = (depth: number) => api.trace(database.read, 'default', 'model:late@1', { direction: 'down', depth });
    expect((await down(3)).samples).toEqual([{ ref: 'revision:a', kind: 'answered', shown: 2, total: 17_180 }]);
    expect((await down(1)).samples, 'at the rim none is shown').toEqual([]);
  });

  test('begins at what an alias stands for', async () => {
    const { api, database } = await withLoop();
    api.registerAlias('model', async (_reader, _project, name, at) =>
      at === 'champion' ? `model:${name}@2` : undefined,
    );
    const graph = await api.trace(database.read, 'default', 'model:late@champion', { direction: 'down', depth: 1 });
    expect(graph.root).toBe('model:late@2');
    expect(refs(graph.nodes)).toEqual(['alert:late/performance', 'model:late@2']);
  });

  test('answers over HTTP, both ways unless told', async () => {
    const { module } = await withLoop();
    const app = await openTestServer();
    module.routes(app);
    const graph = (await app.inject('/api/v1/lineage?ref=model:late@1')).json();
    expect(graph.nodes.map(({ ref }: { ref: string }) => ref)).toContain('model:late@2');
    expect(graph.edges[0]).toMatchObject({ actor: 'user:test', at: '2026-01-01T00:00:00.000Z' });
    const bad = await app.inject('/api/v1/lineage?ref=nonsense');
    expect(bad.statusCode).toBe(400);
    expect(bad.json().error.code).toBe('LINEAGE_REFERENCE_INVALID');
  });

  test('finds the same closure as a search in memory, on any graph', async () => {
    const database = await open();
    const { api } = createLineageModule({ database });
    let project = 0;
    const node = fc.integer({ min: 0, max: 12 }).map((n) => `run:n${n}`);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(node, node), { maxLength: 30 }), node, async (pairs, root) => {
        project += 1;
        const name = `p${project}`;
        const edges = pairs.map(([from, to]) => ({ from, to, kind: 'made' }));
        await database.write(someone, (unit) => api.record(unit, name, edges));
        const graph = await api.trace(database.read, name, root, { direction: 'down' });
        const reached = new Set([root]);
        for (let grown = true; grown; ) {
          const before = reached.size;
          for (const { from, to } of edges) if (reached.has(from)) reached.add(to);
          grown = reached.size > before;
        }
        expect(refs(graph.nodes)).toEqual([...reached].toSorted());
        const inside = edges.filter(({ from }) => reached.has(from)).map(({ from, to }) => `${from} ${to}`);
        expect(new Set(graph.edges.map(({ from, to }) => `${from} ${to}`))).toEqual(new Set(inside));
      }),
      { numRuns: 30 },
    );
  });
});
