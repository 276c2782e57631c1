// Reads of MLflow's API: requests a second, latency and processor time of Tidemill beside a real `mlflow server`, both with
// their default settings, on SQLite or PostgreSQL, and the same rows, which are written by SQL (bench/support/seed-runs.mjs).
//   MLFLOW_VENV=<folder of a venv with mlflow> npm run build && node bench/mlflow-reads.mjs
//     [--cases search10k,history10k] [--seconds 5] [--rounds 3] [--connections 8,1] [--json]
//     [--postgres <postgresql://user@host:port, a server where databases may be made>]
// Goals: search of 10,000 runs and a history of 10,000 points at 30 times MLflow's requests a second; 100,000 runs, the
// shape of FastTrackML's benchmark and a million points sampled to 320: p99 under 100 ms. Cases whose name ends in `only`
// are of Tidemill alone: MLflow takes minutes for some. MLflow's 40 ms stall on connections that are kept alive is hidden
// by a fresh connection for each call. Rounds alternate, medians are printed. Without MLFLOW_VENV only our figures are.
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { call } from './support/http.mjs';
import { alternate, loadOptions, printRow, runLoad } from './support/load.mjs';
import { createDatabases } from './support/postgres.mjs';
import { seedHistory, seedMlflow, seedTidemill } from './support/seed-runs.mjs';
import { openTarget } from './support/seed-target.mjs';
import { startMlflow, startTidemill } from './support/servers.mjs';

const self = fileURLToPath(import.meta.url);
const small = { experiments: 1, runs: 10_000, metrics: 20, params: 20, tags: 3, prefix: 'a' };
const large = { experiments: 1, runs: 100_000, metrics: 20, params: 20, tags: 3, prefix: 'b' };
const fast = { experiments: 50, runs: 1500, metrics: 20, params: 150, tags: 50, prefix: 'c' };
const idOf = (prefix, number) => prefix + number.toString(16).padStart(31, '0');

const filter = (n) => `metrics.m${n % 5} > 0.${1 + (n % 8)} and params.p0 = 'v${n % 10}'`;
const search = (experiment_ids, n, more = {}) => ({
  method: 'POST',
  path: '/api/2.0/mlflow/runs/search',
  body: { experiment_ids, max_results: 100, filter: filter(n), order_by: [`metrics.m${n % 5} DESC`], ...more },
});
const ids = (first, count) => Array.from({ length: count }, (_, n) => `${first + n}`);
const get = (path) => ({ method: 'GET', path: `/ajax-api/2.0/mlflow/metrics/${path}`, body: undefined });

/** What each case asks at its n-th call, and the shape of which it needs the rows; `ours`: not of MLflow. */
const cases = {
  search10k: { shape: small, ask: (n) => search(['0'], n) },
  history10k: {
    shape: small,
    history: true,
    ask: () => get(`get-history-bulk?metric_key=h&run_id=${idOf('a', 1)}`),
  },
  interval1M: {
    shape: small,
    history: true,
    ask: () => get(`get-history-bulk-interval?metric_key=h&max_results=320&run_ids=${idOf('a', 0)}`),
  },
  search100kOnly: { shape: large, ours: true, ask: (n) => search(['1'], n) },
  default100kOnly: { shape: large, ours: true, ask: (n) => search(['1'], n, { filter: '', order_by: [] }) },
  tag100kOnly: { shape: large, ours: true, ask: (n) => search(['1'], n, { filter: `tags.t0 = 'v${n % 4}'` }) },
  rare100kOnly: {
    shape: large,
    ours: true,
    ask: (n) => search(['1'], n, { filter: `params.p1 = 'v${(n * 7919) % 100_000}'` }),
  },
  status100kOnly: {
    shape: large,
    ours: true,
    ask: (n) => search(['1'], n, { filter: "attributes.status = 'FAILED'", order_by: [] }),
  },
  deep100kOnly: { shape: large, ours: true, deep: true, ask: (n) => search(['1'], n, { filter: '' }) },
  fasttrackOnly: { shape: fast, ours: true, ask: (n) => search(ids(2, 50), n) },
};

const load = loadOptions();
if (load === undefined) await compare();
else await ask(load);

/** Each connection asks one call after the other; a deep case goes on where its page before ended. */
async function ask({ base, name, ...options }) {
  const { ask: callOf, deep } = cases[name];
  let calls = 0;
  await runLoad({
    ...options,
    prepare: async () => ({ token: undefined }),
    async next(agent, own) {
      const { method, path, body } = callOf(deep ? 0 : calls);
      calls += 1;
      const sent = deep && own.token !== undefined ? { ...body, page_token: own.token } : body;
      // a server may close a connection that it kept alive just as it is used again
      const again = () => call(base, agent, method, path, sent);
      const { status, text } = await again().catch(again);
      if (status !== 200) throw new Error(`${name} answered ${status}: ${text.slice(0, 300)}`);
      if (deep) own.token = /"next_page_token":"([^"]*)"/.exec(text)?.[1];
    },
  });
}

/** Waits until Tidemill has listed every run, which it does in its own time. */
async function untilListed(place) {
  for (;;) {
    const database = await openTarget(place);
    const [{ n }] = await database.query("select count(*) as n from tracking_runs where listing = 'waiting'");
    await database.close();
    if (Number(n) === 0) return;
    await delay(1000);
  }
}

async function compare() {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: 'search10k,history10k,interval1M' },
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
      connections: { type: 'string', default: '8,1' },
      postgres: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];
  const names = values.cases === 'all' ? Object.keys(cases) : values.cases.split(',');
  for (const name of names)
    if (cases[name] === undefined) throw new Error(`no case ${name}: ${Object.keys(cases).join(', ')}`);
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-bench-'));
  const venv = names.some((name) => !cases[name].ours) ? process.env.MLFLOW_VENV : undefined;
  const servers = [];
  const databases = values.postgres && (await createDatabases(values.postgres, ['tidemill_bench', 'mlflow_bench']));
  try {
    const shapes = new Set(names.map((name) => cases[name].shape));
    const histories = names.some((name) => cases[name].history);
    servers.push(...(await seeded({ folder, venv, shapes, histories, urls: databases?.urls ?? [] })));
    const rows = [];
    for (const name of names)
      for (const connections of values.connections.split(',').map(Number))
        for (const keepAlive of [true, false]) {
          const these = cases[name].ours ? servers.slice(0, 1) : servers;
          const what = `${name} ${connections}×${keepAlive ? 'kept alive' : 'fresh'}`;
          const measured = await alternate(self, these, { rounds, seconds, connections, keepAlive, name });
          const ratio = measured[1] && measured[0].perSecond / measured[1].perSecond;
          rows.push({ case: name, connections, keepAlive, measured, ratio });
          if (values.json) continue;
          for (const row of measured) printRow(row, what);
          if (ratio !== undefined) console.log(`ratio: ${ratio.toFixed(1)}`);
        }
    if (values.json) console.log(JSON.stringify({ rows, cpus: cpus().length }, null, 2));
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await databases?.drop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Both servers with their rows: each makes its tables, is stopped, gets the rows by SQL and is started again. */
async function seeded({ folder, venv, shapes, histories, urls: [ours, theirs] }) {
  const firstOf = new Map([
    [small, 0],
    [large, 1],
    [fast, 2],
  ]);
  const fill = async (server, place, seed) => {
    for (const shape of shapes) await seed(place, shape, { firstExperiment: firstOf.get(shape) });
    if (!histories) return;
    await seedHistory(place, server, idOf('a', 0), 1_000_000);
    await seedHistory(place, server, idOf('a', 1), 10_000);
  };
  const tidemill = () => startTidemill({ folder, args: ours ? ['--database-url', ours] : [] });
  const mlflow = () => startMlflow({ folder, venv, ...(theirs && { store: theirs }) });
  await (await tidemill()).stop();
  const place = ours ?? join(folder, 'home/tidemill.db');
  await fill('tidemill', place, seedTidemill);
  const started = await tidemill();
  await untilListed(place);
  if (venv === undefined) return [started];
  await (await mlflow()).stop();
  await fill('mlflow', theirs ?? join(folder, 'mlflow.db'), seedMlflow);
  return [started, await mlflow()];
}
