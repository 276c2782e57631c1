import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { getDataset } from '../src/contracts/datasets.ts';
import { getFeatureView } from '../src/contracts/features.ts';
import { traceLineage } from '../src/contracts/lineage.ts';
import { setGoal } from '../src/contracts/projects.ts';
import { applyWorkspace } from '../src/contracts/workspace.ts';
import { startControlPlane } from './support/control-plane.ts';
import { createTestProject } from './support/project.ts';

const goal = `goal:
  statement: Be on time.
  metric: { name: auc, target: ">= 0.70" }
`;
const document = `project: p
${goal}datasets:
  rows: { source: data/*.csv, time: at }
features:
  view: { sql: features/view.sql, entity: id, time: at }
`;
const changed = (differences: readonly { readonly change: string; readonly resource: string }[]) =>
  differences.filter(({ change }) => change !== 'unchanged').map(({ change, resource }) => `${change} ${resource}`);

async function start(text = document) {
  const { client } = await startControlPlane();
  const project = await createTestProject(client, text);
  await project.write('features/view.sql', 'select id, at, 1 as x from rows');
  return project;
}

describe('apply', () => {
  test('makes everything at once, and nothing the second time', async () => {
    const project = await start();
    const planned = await project.diff();
    expect(changed(planned.differences)).toEqual(['create project:p', 'create dataset:rows', 'create features:view']);
    expect(await project.apply()).toMatchObject({ changes: 3 });
    expect(await project.apply()).toMatchObject({ changes: 0 });
    const after = await project.diff();
    expect(changed(after.differences)).toEqual([]);
    expect(after.code).toBe(false);
    const client = await project.client();
    const graph = await client.call(traceLineage, { query: { ref: 'features:view', direction: 'up' } });
    expect(graph.nodes.map(({ ref }) => ref)).toContainEqual(expect.stringMatching(/^snapshot:/));
  });

  test('of something that is no snapshot is refused, whatever its bytes are', async () => {
    const project = await start();
    const client = await project.client();
    const outside = { path: '../x', sha256: '0'.repeat(64), sizeBytes: 1 };
    for (const [bytes, problem] of [
      ['not JSON', 'it is no list of files'],
      ['{"tree":2}', 'it is no list of files'],
      [JSON.stringify({ tree: 1, files: [outside] }), '"../x" lies outside of its folder'],
    ] as const) {
      const snapshot = createHash('sha256').update(bytes).digest('hex');
      await client.request(`/api/v1/artifacts/${snapshot}`, { method: 'PUT', body: bytes });
      await expect(client.call(applyWorkspace, { body: { snapshot } })).rejects.toMatchObject({
        code: 'WORKSPACE_SNAPSHOT_UNREADABLE',
        message: expect.stringContaining(problem),
      });
    }
  });

  test('takes a change of code alone: the SQL of a view changes with its file', async () => {
    const project = await start();
    await project.apply();
    await project.write('features/view.sql', 'select id, at, 2 as x from rows');
    const planned = await project.diff();
    expect(changed(planned.differences)).toEqual([]);
    expect(planned.code).toBe(true);
    expect(await project.apply()).toMatchObject({ changes: 0 });
    const client = await project.client();
    expect(await client.call(getFeatureView, { params: { name: 'view' } })).toMatchObject({
      generation: 2,
      sql: expect.stringContaining('2 as x'),
    });
  });

  test('shows what was changed elsewhere, and mends it', async () => {
    const project = await start();
    await project.apply();
    const client = await project.client();
    await client.call(setGoal, {
      body: { goal: { statement: 'Be late.', metric: { name: 'auc', target: '>= 0.5' } } },
    });
    expect(changed((await project.diff()).differences)).toEqual(['change project:p']);
    expect(await project.apply()).toMatchObject({ changes: 1 });
    expect(changed((await project.diff()).differences)).toEqual([]);
  });

  test('takes away only with prune, and never what was landed', async () => {
    const project = await start();
    await project.write('data/1.csv', 'id,at\n1,2013-01-01T00:00:00Z\n');
    await project.apply();
    await project.land('rows');
    await project.write('tidemill.yaml', `project: p\n${goal}datasets:\n  other: { source: x.csv }\n`);
    expect(changed((await project.apply()).differences)).toEqual([
      'create dataset:other',
      'absent dataset:rows',
      'absent features:view',
    ]);
    expect(changed((await project.apply({ prune: true })).differences)).toEqual([
      'prune dataset:rows',
      'prune features:view',
    ]);
    const client = await project.client();
    const rows = await client.call(getDataset, { params: { name: 'rows' } });
    expect(rows).toMatchObject({ current: { version: 1, rows: 1 } });
    expect(rows.spec).toBeUndefined();
    await expect(client.call(getFeatureView, { params: { name: 'view' } })).rejects.toMatchObject({
      code: 'FEATURE_VIEW_NOT_FOUND',
    });
  });

  test('reads sections from included files and names them in what is wrong', async () => {
    const project = await start(`project: p\ninclude: [more.yaml]\ndatasets:\n  rows: { source: data/*.csv }\n`);
    await project.write('more.yaml', 'features:\n  view: { sql: features/view.sql, entity: id, time: at }\n');
    expect(await project.apply()).toMatchObject({ changes: 2 });
    await project.write('features/view.sql', 'select id, at from rosw');
    await expect(project.apply()).rejects.toMatchObject({
      code: 'WORKSPACE_INVALID',
      message: 'more.yaml:2:16: the query reads "rosw", which is no dataset; did you mean "rows"?',
    });
    await rm(join(project.folder, 'more.yaml'));
    await expect(project.apply()).rejects.toMatchObject({
      message: expect.stringMatching(/^tidemill\.yaml:2:11: there is no file "more\.yaml"/),
    });
  });
});
