import { expect, test } from 'vitest';
import {
  getDataset,
  getDatasetProfile,
  listDatasets,
  listDatasetVersions,
  listIngestions,
  previewDataset,
} from '../src/contracts/datasets.ts';
import { getEvaluation, listEvaluations } from '../src/contracts/evaluation.ts';
import { getFeatures, getFeatureView, listFeatureViews } from '../src/contracts/features.ts';
import { listJobs } from '../src/contracts/jobs.ts';
import { traceLineage } from '../src/contracts/lineage.ts';
import { explainStep, getRun, listPipelines, listRuns, startRun } from '../src/contracts/pipelines.ts';
import { listModels } from '../src/contracts/registry.ts';
import { getWorkspace } from '../src/contracts/workspace.ts';
import { newPostgresUrl } from '../src/platform/testing/database.ts';
import type { Client } from '../src/sdk/index.ts';
import { startControlPlane, temporaryFolder } from './support/control-plane.ts';
import { createTestProject } from './support/project.ts';
import { copyingPipeline, flightRows, modelBytes } from './support/served-model.ts';

const declared = `project: flights
datasets:
  flights: { source: data/*.csv, time: time_hour }
  small: { source: small/*.csv, checks: [{ column: id, unique: true }] }
`;
const document = `${declared}features:
  fleet: { dataset: flights, entity: carrier, time: time_hour, columns: [distance] }
pipelines:
  train:${copyingPipeline('late')}
`;

/** As many small parts as make a pack. */
const parts = 16;

async function finishedRun(client: Client) {
  const { id } = await client.call(startRun, { params: { name: 'train' }, body: {} });
  return await client.call(getRun, { params: { runId: id }, query: { wait: 60 } });
}

/** All pages of a list, one row each, and all at once: the same rows in the same order. */
async function pagesOf<Item>(
  page: (query: {
    readonly limit?: number;
    readonly cursor?: string;
  }) => Promise<{ items: readonly Item[]; next?: string }>,
): Promise<readonly Item[]> {
  const whole = await page({ limit: 100 });
  const items: Item[] = [];
  let cursor: string | undefined;
  do {
    const one = await page({ limit: 1, ...(cursor !== undefined && { cursor }) });
    items.push(...one.items);
    cursor = one.next;
  } while (cursor !== undefined);
  expect(items).toEqual(whole.items);
  return items;
}

/** What a reader sees of datasets, runs and verdicts. */
async function everything(client: Client) {
  const params = { name: 'flights' };
  return {
    datasets: await pagesOf((query) => client.call(listDatasets, { query })),
    versions: await pagesOf((query) => client.call(listDatasetVersions, { params, query })),
    ingestions: await pagesOf((query) => client.call(listIngestions, { params: { name: 'small' }, query })),
    profile: await client.call(getDatasetProfile, { params, query: { version: 1 } }),
    views: (await client.call(listFeatureViews, {})).items,
    pipelines: (await client.call(listPipelines, {})).items,
    runs: await pagesOf((query) => client.call(listRuns, { query })),
    evaluations: await pagesOf((query) => client.call(listEvaluations, { query })),
    models: await pagesOf((query) => client.call(listModels, { query })),
    workspace: await client.call(getWorkspace, {}),
  };
}

test('on PostgreSQL a project goes from its document to a judged model, and all of it is there after a restart', async () => {
  const databaseUrl = await newPostgresUrl();
  const home = await temporaryFolder();
  const server = await startControlPlane({ databaseUrl, home });
  const project = await createTestProject(server.client, document);
  await project.write('model.onnx', await modelBytes());
  await project.write('data/1.csv', flightRows);
  for (let at = 0; at < parts; at += 1) await project.write(`small/${at}.csv`, `id\n${at}\n`);

  // workspace: all at once, then nothing, and the difference of what was taken out
  expect(await project.apply()).toMatchObject({ changes: 4 });
  expect(await project.apply()).toMatchObject({ changes: 0 });

  // datasets: a landing that is blocked, a pack behind the readers' back
  expect(await project.land('flights')).toMatchObject({ state: 'published', version: 1 });
  expect(await project.land('flights')).toBeUndefined();
  expect(await project.land('small')).toMatchObject({ state: 'published', version: 1 });
  await project.write('small/twice.csv', 'id\n100\n100\n');
  expect(await project.land('small')).toMatchObject({ state: 'blocked' });
  const client = await project.client();
  expect(await client.call(getDataset, { params: { name: 'small' } })).toMatchObject({
    current: { version: 1, rows: parts },
  });
  const preview = await client.call(previewDataset, { params: { name: 'flights' }, query: { limit: 3 } });
  expect(preview.rows).toHaveLength(3);
  await expect
    .poll(
      async () =>
        (await client.call(listJobs, { query: { owner: 'dataset:small', state: 'succeeded' } })).items.map(
          ({ tag }) => tag,
        ),
      {
        timeout: 30_000,
      },
    )
    .toContain('datasets.pack');
  expect(await project.query('select count(*)::int as n, sum(id)::int as s from small', 'small')).toEqual([
    { n: parts, s: 120 },
  ]);

  // features: the view is kept and read as of an instant
  const found = await client.call(getFeatures, {
    body: {
      views: ['fleet'],
      at: 'at',
      rows: [
        { carrier: 'UA', at: '2026-01-03T00:00:00Z' },
        { carrier: 'XX', at: '2026-01-03T00:00:00Z' },
      ],
    },
  });
  expect(found.rows.map((row) => row.at(-1) === null)).toEqual([false, true]);

  // pipelines and evaluation: a run, the same from the cache, the verdict of its gate
  const first = await finishedRun(client);
  expect(first).toMatchObject({ state: 'succeeded', result: { model: 'late', version: 1, verdict: 'first' } });
  const second = await finishedRun(client);
  expect(second.steps.find(({ step }) => step === 'fit')).toMatchObject({ state: 'cached' });
  const why = await client.call(explainStep, { params: { runId: second.id, step: 'fit' } });
  expect(why).toMatchObject({ state: 'cached', differs: [] });
  const [evaluation] = (await client.call(listEvaluations, { query: {} })).items;
  expect(await client.call(getEvaluation, { params: { evaluationId: evaluation?.id ?? '' } })).toMatchObject({
    verdict: 'first',
  });
  const up = await client.call(traceLineage, { query: { ref: 'model:late@1', direction: 'up' } });
  expect(up.nodes.map(({ ref }) => ref)).toContain('dataset:flights@1');

  // a version that shares the part of the one before
  await project.write('data/2.csv', flightRows.replaceAll('2026-01-01', '2026-01-02'));
  expect(await project.land('flights')).toMatchObject({ state: 'published', version: 2 });

  // restart: the same to the letter
  const before = await everything(client);
  expect([before.versions.length, before.ingestions.length, before.runs.length]).toEqual([2, 2, 2]);
  await server.control.stop();
  const again = await startControlPlane({ databaseUrl, home });
  const later = again.client.inProject('flights');
  expect(await everything(later)).toEqual(before);

  // prune: declarations go, versions and runs stay
  const left = await createTestProject(again.client, declared);
  expect(await left.apply({ prune: true })).toMatchObject({ changes: 2 });
  await expect(later.call(getFeatureView, { params: { name: 'fleet' } })).rejects.toMatchObject({
    code: 'FEATURE_VIEW_NOT_FOUND',
  });
  expect((await later.call(listRuns, { query: {} })).items).toHaveLength(2);
}, 120_000);
