import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DemoReport } from '../src/cli/demo/report.ts';
import { runQuery } from '../src/contracts/datasets.ts';
import { listEvents } from '../src/contracts/event-operations.ts';
import { traceLineage } from '../src/contracts/lineage.ts';
import { getPrediction } from '../src/contracts/predictions.ts';
import { builtModule } from '../src/platform/testing/built-program.ts';
import { type Client, createClient } from '../src/sdk/index.ts';

const run = promisify(execFile);
const tidemill = join(import.meta.dirname, '..', 'bin', 'tidemill');
/** Of a run that may first build its Python environment, on two busy cores. */
const longestMs = 20 * 60_000;

describe('the demo, a tenth of the flights from January to August', () => {
  let home = '';
  let report: DemoReport;
  let client: Client;

  beforeAll(async () => {
    await builtModule('cli/main.js');
    home = await mkdtemp(join(tmpdir(), 'tidemill-demo-'));
    const { stdout } = await run(
      tidemill,
      ['demo', '--json', '--home', home, '--seed', '1', '--share', '0.1', '--port', '0', '--serving-port', '0'],
      { maxBuffer: 64 * 1024 * 1024 },
    );
    report = JSON.parse(stdout) as DemoReport;
    client = createClient({ url: report.url, project: 'flights' });
  }, longestMs);

  afterAll(async () => {
    await run(tidemill, ['down', '--home', home]);
    await rm(home, { recursive: true, force: true });
  }, 60_000);

  test('ends with the live model better than the first one left alone over July and August', () => {
    const late = report.months.filter(({ month }) => month === '2013-07' || month === '2013-08');
    expect(late).toHaveLength(2);
    for (const { auc } of late) expect(auc?.difference).toBeGreaterThan(0);
    expect(report.julyAugust?.auc?.lower).toBeGreaterThan(0);
  });

  test('goes round the whole loop by events: window, alert, trigger, run, gate, alias, canary, completion', async () => {
    const types = ['window.closed', 'alert.opened', 'trigger.fired', 'pipeline.run.started', 'pipeline.run.finished'];
    const later = [
      'model.version.proposed',
      'gate.decided',
      'registry.alias.moved',
      'rollout.started',
      'rollout.advanced',
      'rollout.completed',
    ];
    const { items } = await client.call(listEvents, {
      query: { type: [...types, ...later], order: 'asc', limit: 500 },
    });
    const fired = items.findIndex(({ type }) => type === 'trigger.fired');
    const alert = items.slice(0, fired).findLast(({ type }) => type === 'alert.opened');
    expect(alert?.subject).toBe('alert:late-arrival/performance');
    expect(items.slice(0, fired).some(({ type }) => type === 'window.closed')).toBe(true);
    expect(items[fired]?.cause).toBe(alert?.id);
    // the run is made in the very unit that fires, so both follow from the alert
    const after = items.slice(items.findIndex(({ id }) => id === alert?.id)).map(({ type }) => type);
    let at = 0;
    for (const type of ['pipeline.run.started', 'trigger.fired', ...later.filter((one) => one !== 'gate.decided')]) {
      const found = after.indexOf(type, at);
      expect(found, `${type} after ${after[at]}`).toBeGreaterThanOrEqual(0);
      at = found;
    }
    expect(after).toContain('gate.decided');
    expect(after).toContain('pipeline.run.finished');
  });

  test('tells the first proposal by its verdict', () => {
    const texts = report.happenings.map(({ text }) => text);
    expect(texts.some((text) => text.startsWith('gate: first'))).toBe(true);
    expect(texts.some((text) => text.startsWith('gate: passed'))).toBe(true);
  });

  test('serves almost every row with weather and delays', () => {
    const { asked, lacking, refused } = report.predictions;
    expect(asked).toBeGreaterThan(10_000);
    expect(lacking / asked).toBeLessThan(0.02);
    expect(refused / asked).toBeLessThan(0.02);
  });

  test('serves the very vector that training saw for the same key', async () => {
    const { rows = [] } = await client.call(runQuery, {
      body: {
        sql: `select *, strftime(time_hour at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as at from train`,
        inputs: [{ name: 'train', dataset: 'train.prepare.train' }],
        rows: 100_000,
      },
    });
    const trained = new Map(
      (rows as readonly Record<string, unknown>[]).map((row) => [
        JSON.stringify([row['carrier'], row['flight'], row['origin'], row['at']]),
        row,
      ]),
    );
    let compared = 0;
    for (const { prediction, key } of report.predictions.samples) {
      const row = trained.get(JSON.stringify(key));
      if (row === undefined) continue;
      const { rows: served } = await client.call(getPrediction, { params: { predictionId: prediction } });
      for (const [name, value] of Object.entries(served[0]?.inputs ?? {})) {
        const [scalar] = [value].flat() as readonly unknown[];
        expect(scalar ?? null, `${name} of ${key.join(' ')}`).toEqual(row[name] ?? null);
      }
      compared += 1;
    }
    expect(compared).toBeGreaterThan(10);
  });

  test('leads from a prediction to the data that trained its model, and from the data to its predictions and alerts', async () => {
    const last = report.predictions.samples.at(-1)?.prediction ?? '';
    const up = await client.call(traceLineage, { query: { ref: `prediction:${last}`, direction: 'up' } });
    const above = up.nodes.map(({ ref }) => ref);
    expect(above.some((ref) => ref.startsWith('model:late-arrival@'))).toBe(true);
    expect(above.some((ref) => ref.startsWith('dataset:train.prepare.train@'))).toBe(true);
    const flights = above.find((ref) => /^dataset:flights@\d+$/.test(ref));
    expect(flights).toBeDefined();
    expect(above.some((ref) => ref.startsWith('alert:late-arrival'))).toBe(true);

    const down = await client.call(traceLineage, {
      query: { ref: 'dataset:flights@1', direction: 'down', limit: 5000 },
    });
    const below = down.nodes.map(({ ref }) => ref);
    expect(below.some((ref) => ref.startsWith('model:late-arrival@'))).toBe(true);
    expect(below.some((ref) => ref.startsWith('prediction:'))).toBe(true);
    expect(below.some((ref) => ref.startsWith('alert:'))).toBe(true);
  });
});
