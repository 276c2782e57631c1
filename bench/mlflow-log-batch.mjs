// MLflow's `log-batch` of 100 metrics: requests a second of Tidemill beside a real `mlflow server` on SQLite, both with
// their default settings, same script, same run; every answer of ours is durable (synchronous=FULL).
//   MLFLOW_VENV=<folder of a venv with mlflow> npm run build && node bench/mlflow-log-batch.mjs
//     [--seconds 5] [--rounds 3] [--connections 8] [--url <a Tidemill that is up>] [--json]
// Goal: ten times MLflow's requests a second. MLflow's server loses 40 ms to Nagle's algorithm and delayed ACKs on
// connections that are kept alive, so the same is measured over a fresh connection for each call: there nothing stalls.
// Rounds alternate between the servers, medians are printed; processor time a request holds on a busy machine too. Without MLFLOW_VENV only our figure is.
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { call } from './support/http.mjs';
import { alternate, loadOptions, printRow, runLoad } from './support/load.mjs';
import { startMlflow, startTidemill } from './support/servers.mjs';

const self = fileURLToPath(import.meta.url);
const api = '/api/2.0/mlflow/runs';
const load = loadOptions();
if (load === undefined) await compare();
else await logBatches(load);

/** Each connection logs to its own run, one call after the other. */
async function logBatches({ base, ...options }) {
  await runLoad({
    ...options,
    async prepare(agent) {
      const { text } = await call(base, agent, 'POST', `${api}/create`, { experiment_id: '0', start_time: Date.now() });
      return JSON.parse(text).run.info.run_id;
    },
    async next(agent, run_id, step) {
      const timestamp = Date.now();
      const metrics = Array.from({ length: 100 }, (_, n) => ({
        key: `metric_${n}`,
        value: Math.random(),
        timestamp,
        step,
      }));
      const { status, text } = await call(base, agent, 'POST', `${api}/log-batch`, { run_id, metrics });
      if (status !== 200) throw new Error(`log-batch answered ${status}: ${text.slice(0, 300)}`);
    },
  });
}

async function compare() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
      connections: { type: 'string', default: '8' },
      url: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const [seconds, rounds, connections] = [Number(values.seconds), Number(values.rounds), Number(values.connections)];
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-bench-'));
  const venv = process.env.MLFLOW_VENV;
  const servers = [];
  try {
    servers.push(await startTidemill({ folder, url: values.url }));
    if (venv !== undefined) servers.push(await startMlflow({ folder, venv }));
    const rows = [];
    for (const keepAlive of [true, false])
      for (const row of await alternate(self, servers, { rounds, seconds, connections, keepAlive }))
        rows.push({ ...row, connections: keepAlive ? 'kept alive' : 'fresh' });
    const ratio = (connection) => {
      const [a, b] = rows.filter((row) => row.connections === connection);
      return b && a.perSecond / b.perSecond;
    };
    const ratios = { keptAlive: ratio('kept alive'), fresh: ratio('fresh') };
    if (values.json)
      return void console.log(JSON.stringify({ rows, ratios, connections, cpus: cpus().length }, null, 2));
    console.log(
      `log-batch of 100 metrics, ${connections} connections, ${cpus().length} cores, Node ${process.version}`,
    );
    for (const row of rows) printRow(row, row.connections);
    if (ratios.keptAlive !== undefined)
      console.log(`ratio: ${ratios.keptAlive.toFixed(1)} kept alive, ${ratios.fresh.toFixed(1)} fresh (goal 10)`);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
