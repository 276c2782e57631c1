import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { findDataPlane } from '../src/app/data-plane-process.ts';
import type { DemoReport } from '../src/cli/demo/report.ts';
import { runQuery } from '../src/contracts/datasets.ts';
import { listEvaluations } from '../src/contracts/evaluation.ts';
import { listEvents } from '../src/contracts/event-operations.ts';
import type { EventType } from '../src/contracts/event-types.ts';
import { traceLineage } from '../src/contracts/lineage.ts';
import { getPrediction } from '../src/contracts/predictions.ts';
import { type RunningServer, runningServerFile } from '../src/contracts/running-server.ts';
import { builtModule } from '../src/platform/testing/built-program.ts';
import { type Client, createClient } from '../src/sdk/index.ts';
import { temporaryFolder } from './support/control-plane.ts';

const run = promisify(execFile);
const tidemill = join(import.meta.dirname, '..', 'bin', 'tidemill');
/** Of a run that may first build its Python environment, on two busy cores. */
const longestMs = 20 * 60_000;

/** Where every test that runs a user's Python has its environments: they take minutes to make. */
const environments = join(import.meta.dirname, '..', 'node_modules/.cache/tidemill-python');

/** A home that has the environments, and nothing else. */
async function newHome(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'tidemill-demo-'));
  await mkdir(environments, { recursive: true });
  await symlink(environments, join(home, 'python'));
  return home;
}

describe('the demo, a tenth of the flights from January to August', () => {
  let home = '';
  let report: DemoReport;
  let client: Client;
  /** Of the first page of 500. */
  const count = async (type: EventType): Promise<number> =>
    (await client.call(listEvents, { query: { type: [type], order: 'asc', limit: 500 } })).items.length;

  beforeAll(async () => {
    await builtModule('cli/main.js');
    home = await newHome();
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
    // the window and the alert that it gave rise to are one unit
    const window = items
      .slice(0, fired)
      .findLast(({ type, cause }) => type === 'window.closed' && cause === alert?.cause);
    expect(window, 'the window of the alert').toBeDefined();
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

  test('puts the first version in charge of everything before the first prediction, a later one by canary', async () => {
    const { items } = await client.call(listEvents, {
      query: {
        type: [
          'registry.alias.moved',
          'rollout.started',
          'rollout.advanced',
          'rollout.completed',
          'prediction.chunk.taken',
        ],
        order: 'asc',
        limit: 500,
      },
    });
    const factsOf = (type: string) =>
      items.flatMap((event) => (event.type === type ? [event.data as Readonly<Record<string, unknown>>] : []));
    const firstChunk = items.findIndex(({ type }) => type === 'prediction.chunk.taken');
    expect(items.slice(0, firstChunk).map(({ type }) => type)).toEqual(
      expect.arrayContaining(['registry.alias.moved', 'rollout.completed']),
    );
    const [, later] = factsOf('registry.alias.moved');
    expect(Number(later?.['to'])).toBeGreaterThan(1);
    const rollout = factsOf('rollout.started').find(({ version }) => version === later?.['to'])?.['rolloutId'];
    const percents = factsOf('rollout.advanced').flatMap(({ rolloutId, percent }) =>
      rolloutId === rollout ? [percent] : [],
    );
    expect(percents).toEqual([10, 50, 100]);
    expect(factsOf('rollout.completed').map(({ rolloutId }) => rolloutId)).toContain(rollout);
  });

  test('has landed, logged and matched day by day, each an event', async () => {
    expect(await count('dataset.version.created')).toBe(500); // three a day, more than a page
    expect(await count('prediction.settled')).toBeGreaterThan(170);
    expect(await count('truth.recorded')).toBeGreaterThan(170);
    expect(await count('window.closed')).toBeGreaterThan(170);
  });

  test('tells the first proposal by its verdict', () => {
    const texts = report.happenings.map(({ text }) => text);
    expect(texts.some((text) => text.startsWith('gate: first'))).toBe(true);
    expect(texts.some((text) => text.startsWith('gate: passed'))).toBe(true);
  });

  test('judges every version on rows later than what it and the champion were trained on', async () => {
    const { items } = await client.call(listEvaluations, { query: {} });
    expect(items.length).toBeGreaterThan(1);
    for (const { result } of items.filter(({ state }) => state === 'decided'))
      expect(result?.overlap).toMatchObject({ overlaps: 'none', time: 'time_hour' });
  });

  test('answers every row, and has each in the log once', async () => {
    const { asked, refused } = report.predictions;
    expect(refused).toBe(0);
    let [logged, after] = [0, '0'];
    for (;;) {
      const { items } = await client.call(listEvents, {
        query: { type: ['prediction.chunk.taken'], after, order: 'asc', limit: 500 },
      });
      for (const { data } of items) logged += (data as { readonly requests: number }).requests;
      after = items.at(-1)?.position ?? after;
      if (items.length < 500) break;
    }
    expect(logged).toBe(asked);
  });

  test('serves almost every row with weather and delays', () => {
    const { asked, lacking } = report.predictions;
    expect(asked).toBeGreaterThan(10_000);
    expect(lacking / asked).toBeLessThan(0.02);
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

  test('answers and learns the truth as docs/predictions.md says', async () => {
    const page = await readFile(join(import.meta.dirname, '../docs/predictions.md'), 'utf8');
    const script = /```sh\n(.*?)```/s.exec(page)?.[1] ?? '';
    const { url, servingUrl } = JSON.parse(await readFile(join(home, runningServerFile), 'utf8')) as RunningServer;
    const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: await temporaryFolder(),
      env: {
        ...process.env,
        PATH: `${dirname(tidemill)}:${process.env['PATH'] ?? ''}`,
        TIDEMILL_URL: url,
        SERVING: servingUrl,
      },
    });
    expect(stdout).toContain('"model_name":"late-arrival"');
    expect(stdout).toContain('2013-09-01');
  }, 60_000);

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

test(
  'the demo with --exit tells each week in a line and each month in a row, and leaves neither plane behind',
  async () => {
    const home = await newHome();
    onTestFinished(() => rm(home, { recursive: true, force: true }));
    const short = ['--until', '2013-03-05', '--share', '0.05', '--exit'];
    const ports = ['--port', '0', '--serving-port', '0'];
    // rejects unless it ends with 0
    const { stdout, stderr } = await run(tidemill, ['demo', '--home', home, ...short, ...ports], {
      env: { ...process.env, NO_COLOR: '1' },
    });
    expect(stderr).toMatch(/^week +predictions +AUC live +first +drifted +open alerts +triggered +serves$/m);
    expect(stderr).toMatch(/^2013-03-01 … 03-03 +\d+ +0\.\d{3}\* +0\.\d{3} +\d+ +.* v1 100 %$/m);
    expect(stderr).toMatch(/^2013-03-04 … 03-04 +\d+ .* v1 100 %$/m);
    expect(stdout).toMatch(/^\d+ predictions in \d+ s, 0 refused; /m);
    expect(stdout).toMatch(/^MONTH +ROWS +LIVE +AUC FIRST +AUC LIVE +DIFFERENCE \[95 %\] /m);
    expect(stdout).toMatch(/^2013-03 +\d+ +v1 +(0\.\d{3}) +\1 +\+0\.000 \[0\.000, 0\.000\] /m);
    expect(stdout).toMatch(/^ {2}2013-02-28 {2}rollout of version 1 is complete$/m);
    expect(stdout).toContain(' up   starts both planes again; then\n');

    const [, url = ''] = /watch the loop at (\S+)/.exec(stderr) ?? [];
    expect(url).toMatch(/^http:/);
    await expect(fetch(url)).rejects.toThrow('fetch failed');
    expect(await findDataPlane(join(home, 'serving'))).toBeUndefined();
    expect(existsSync(join(home, runningServerFile))).toBe(false);
  },
  longestMs,
);

describe('the demo, where it cannot go on', () => {
  interface Ended {
    readonly code: number | null;
    readonly said: string;
  }
  function startDemo(home: string, flags: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    const child = spawn(tidemill, ['demo', '--home', home, '--serving-port', '0', ...flags], {
      env: { ...process.env, NO_COLOR: '1', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    const listeners = new Set<() => void>();
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        for (const listener of listeners) listener();
      });
    const ended = new Promise<Ended>((resolve) => child.once('close', (code) => resolve({ code, said })));
    const hears = (text: string) =>
      new Promise<void>((resolve, reject) => {
        const look = () => said.includes(text) && resolve();
        listeners.add(look);
        look();
        void ended.then(() => reject(new Error(`it ended before it said "${text}": ${said}`)));
      });
    return { child, ended, hears };
  }

  beforeAll(() => builtModule('cli/main.js').then(() => undefined), longestMs);

  test('says that a port is taken, and begins nothing', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as AddressInfo;
    const home = join(await temporaryFolder(), 'home');
    const { code, said } = await startDemo(home, ['--port', String(port)]).ended;
    holder.close();
    expect(code).toBe(1);
    expect(said).toBe(`error port: ${port} is in use by another program: stop it or choose another with --port\n`);
    expect(existsSync(home)).toBe(false);
  });

  test('says that Python is missing, before it does anything', async () => {
    const home = join(await temporaryFolder(), 'home');
    const { code, said } = await startDemo(home, ['--port', '0'], { TIDEMILL_PYTHON: 'no-such-python' }).ended;
    expect(code).toBe(1);
    expect(said).toMatch(/^error Python: .*no-such-python.*\n$/);
    expect(existsSync(home)).toBe(false);
  });

  test('Ctrl-C ends it with the server that it started; a second run says how to go on, --fresh starts over', async () => {
    const home = join(await temporaryFolder(), 'home');
    const demo = startDemo(home, ['--port', '0']);
    await demo.hears('cutting the year');
    demo.child.kill('SIGINT');
    const interrupted = await demo.ended;
    expect(interrupted.code).toBe(130);
    expect(interrupted.said).toContain('The server is stopped. "tidemill demo --fresh" starts over');
    expect(existsSync(join(home, 'running.json'))).toBe(false);

    const second = await startDemo(home, ['--port', '0']).ended;
    expect(second.code).toBe(5);
    expect(second.said).toContain('"tidemill demo --fresh"');

    // where callers must show a token, the demo shows that of its home
    const fresh = startDemo(home, ['--port', '0', '--fresh'], { TIDEMILL_AUTH: 'on' });
    await fresh.hears('cutting the year');
    fresh.child.kill('SIGINT');
    expect((await fresh.ended).code).toBe(130);
  }, 120_000);
});
