import { describe, expect, test } from 'vitest';
import { getFeatures, getFeatureView } from '../src/contracts/features.ts';
import { getRun, startRun } from '../src/contracts/pipelines.ts';
import { startControlPlane } from './support/control-plane.ts';
import { createTestProject, type TestProject } from './support/project.ts';

const document = `project: sky
datasets:
  flights: { source: data/flights.csv, time: at }
  weather: { source: data/weather/*.csv, time: at }
features:
  weather: { dataset: weather, entity: origin, time: at, ttl: 3h, columns: [temp] }
  delays: { sql: features/delays.sql, entity: origin, time: hour_end, known_after: 1h, ttl: 6h }
pipelines:
  train:
    steps:
      prepare:
        run: 'cp \${inputs.rows} \${outputs.train}'
        outputs: { train: dataset }
        inputs: { rows: { spine: dataset:flights, at: at, features: [weather, delays] } }
`;

async function sky(): Promise<TestProject> {
  const { client } = await startControlPlane();
  const project = await createTestProject(client, document);
  await project.write(
    'features/delays.sql',
    `select origin, date_trunc('hour', "at") + interval 1 hour as hour_end, avg(delay) as mean_delay
from flights group by all`,
  );
  await project.write(
    'data/flights.csv',
    `id,origin,at,delay
1,JFK,2013-01-01T05:00:00Z,10
2,EWR,2013-01-01T05:30:00Z,20
3,JFK,2013-01-01T08:00:00Z,30
4,JFK,2013-01-02T00:00:00Z,40
5,LGA,2013-01-02T01:00:00Z,50
6,JFK,2013-01-02T03:00:00Z,60
7,JFK,2013-01-02T03:00:01Z,70
`,
  );
  await project.write('data/weather/1.csv', 'origin,at,temp\nJFK,2013-01-01T05:00:00Z,1\nEWR,2013-01-01T04:00:00Z,2\n');
  // exactly the ttl before flight 6, a second too old for flight 7
  await project.write('data/weather/2.csv', 'origin,at,temp\nJFK,2013-01-02T00:00:00Z,3\n');
  await project.write('data/weather/3.csv', 'origin,at,temp\nJFK,2013-01-03T00:00:00Z,9\n');
  await project.apply();
  await project.land('flights');
  await project.land('weather');
  return project;
}

/** A view whose rows may be corrected; `created` says how it knows. */
const corrected = (created: string) => `project: sky
datasets:
  weather: { source: data/weather/*.csv, time: at }
features:
  weather: { dataset: weather, entity: origin, time: at, ${created}columns: [temp] }
`;

describe('features as of an instant', () => {
  test('are those of the training rows, value for value, and parts are left unread only when they cannot matter', async () => {
    const project = await sky();
    const client = await project.client();
    const { id } = await client.call(startRun, { params: { name: 'train' }, body: {} });
    const run = await client.call(getRun, { params: { runId: id }, query: { wait: 60 } });
    expect(run).toMatchObject({ state: 'succeeded' });
    const output = run.steps.find(({ step }) => step === 'prepare')?.outputs?.['train'] as { dataset: string };
    const name = output.dataset.replace(/^dataset:/, '').replace(/@.*$/, '');
    const trained = (await project.query(
      `select id, origin, strftime("at", '%Y-%m-%dT%H:%M:%SZ') as "at", weather__temp, delays__mean_delay
       from "${name}" order by id`,
      name,
    )) as readonly Record<string, string | number | null>[];
    expect(trained.map((row) => row['weather__temp'])).toEqual([1, 2, 1, 3, null, 3, null]);
    // one by one, so that each call leaves other parts unread
    for (const row of trained) {
      const served = await client.call(getFeatures, {
        body: {
          views: ['weather', 'delays'],
          at: 'at',
          rows: [{ origin: row['origin'] ?? null, at: row['at'] ?? null }],
        },
      });
      expect(served.columns).toEqual(['weather__temp', 'delays__mean_delay']);
      expect([row['id'], ...(served.rows[0] ?? [])]).toEqual([
        row['id'],
        row['weather__temp'],
        row['delays__mean_delay'],
      ]);
      expect(served.read).toEqual([
        'features:weather@1',
        'dataset:weather@1',
        'features:delays@1',
        'dataset:flights@1',
      ]);
    }
    const all = await client.call(getFeatures, {
      body: {
        views: ['weather'],
        at: 'at',
        rows: trained.map(({ origin, at }) => ({ origin: origin ?? null, at: at ?? null })),
      },
    });
    expect(all.rows).toEqual(trained.map((row) => [row['weather__temp']]));
  });

  test('are joined anew for training when a view that was taken away comes back as another one', async () => {
    const project = await sky();
    const client = await project.client();
    const prepare = async () => {
      const { id } = await client.call(startRun, { params: { name: 'train' }, body: {} });
      const run = await client.call(getRun, { params: { runId: id }, query: { wait: 60 } });
      expect(run).toMatchObject({ state: 'succeeded' });
      return { state: run.steps[0]?.state, why: run.steps[0]?.why, rows: run.steps[0]?.outputs['rows']?.sha256 };
    };
    const first = await prepare();
    const [beforePipelines = ''] = document.split('features:');
    await project.write('tidemill.yaml', beforePipelines);
    await project.apply({ prune: true });
    await project.write('tidemill.yaml', document);
    await project.apply();
    expect(await prepare()).toMatchObject({ state: 'cached', rows: first.rows });

    await project.write('tidemill.yaml', beforePipelines);
    await project.apply({ prune: true });
    await project.write('tidemill.yaml', document.replace('ttl: 3h', 'ttl: 1d'));
    await project.apply();
    const other = await prepare();
    expect(other).toMatchObject({ state: 'succeeded', why: 'changed: features.weather' });
    expect(other.rows).not.toBe(first.rows);
  });

  test('refuse unknown views, data that is not there and rows without key or instant, each by name', async () => {
    const { client: root } = await startControlPlane();
    const project = await createTestProject(root, document);
    await project.write('features/delays.sql', 'select origin, "at" as hour_end, delay from flights');
    await project.apply();
    const client = await project.client();
    const ask = (view: string, row: Record<string, string>) =>
      client.call(getFeatures, { body: { views: [view], at: 'at', rows: [row] } });
    const row = { origin: 'JFK', at: '2013-01-01T00:00:00Z' };
    await expect(ask('wether', row)).rejects.toMatchObject({
      code: 'FEATURE_VIEW_NOT_FOUND',
      message: expect.stringContaining('did you mean "weather"?'),
    });
    await expect(ask('weather', row)).rejects.toMatchObject({
      code: 'FEATURE_DATA_MISSING',
      message: expect.stringContaining('"weather"'),
    });
    await expect(ask('weather', { origin: 'JFK', at: 'noon' })).rejects.toMatchObject({ code: 'FEATURE_ROW_INVALID' });
    await project.write('data/weather/1.csv', 'origin,at,temp\nJFK,2013-01-01T05:00:00Z,1\n');
    await project.land('weather');
    await expect(ask('weather', { at: row.at })).rejects.toMatchObject({
      code: 'FEATURE_ROW_INVALID',
      message: expect.stringContaining('"origin"'),
    });
  });

  test('among rows of one time that which was written last counts, where the view says when that was', async () => {
    const { client: root } = await startControlPlane();
    const project = await createTestProject(root, corrected(''));
    // the correction is the lower value: without "created" the greater one counts
    await project.write(
      'data/weather/1.csv',
      'origin,at,temp,written\nJFK,2013-01-01T05:00:00Z,9,2013-01-01T05:10:00Z\nJFK,2013-01-01T05:00:00Z,1,2013-01-01T06:00:00Z\n',
    );
    await project.apply();
    await project.land('weather');
    const client = await project.client();
    const ask = async () =>
      (
        await client.call(getFeatures, {
          body: { views: ['weather'], at: 'at', rows: [{ origin: 'JFK', at: '2013-01-01T07:00:00Z' }] },
        })
      ).rows;
    expect(await ask()).toEqual([[9]]);
    await project.write('tidemill.yaml', corrected('created: written, '));
    await project.apply();
    expect(await ask()).toEqual([[1]]);
    expect(await client.call(getFeatureView, { params: { name: 'weather' } })).toMatchObject({
      spec: { created: 'written' },
      generation: 2,
    });
  });
});
