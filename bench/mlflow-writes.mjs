// What a training script waits for: MLflow's `log-batch` of 100 metrics, `log-metric` and `runs/create`, on 1 and 8
// connections, of Tidemill beside a real `mlflow server`, both with their default settings, same script, same run; every
// answer of ours is durable (synchronous=FULL).
//   MLFLOW_VENV=<folder of a venv with mlflow> npm run build && node bench/mlflow-writes.mjs
//     [--seconds 4] [--rounds 3] [--what log-batch,log-metric,create] [--connections 1,8] [--url <a Tidemill that is up>]
//     [--postgres <postgres://user@host:port, a server where databases may be made>] [--json]
// Goal: 15 times MLflow's requests a second, and 10 times with TCP_QUICKACK on the client: MLflow's server loses 40 ms a
// call to Nagle's algorithm and delayed ACKs, and a win that is only this stall is none. Rounds alternate between the
// servers, medians are printed; processor time a request holds on a busy machine too. Without MLFLOW_VENV only ours is.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { alternate, loadOptions, printRow } from './support/load.mjs';
import { createDatabases } from './support/postgres.mjs';
import { startMlflow, startTidemill } from './support/servers.mjs';

const self = fileURLToPath(import.meta.url);
const venv = process.env.MLFLOW_VENV;
const load = loadOptions();
if (load === undefined) await compare();
else await runPython(load);

/** The load itself is Python over raw sockets: Node.js cannot set TCP_QUICKACK. */
async function runPython(options) {
  const python = venv === undefined ? 'python3' : join(venv, 'bin/python');
  const { stdout } = await promisify(execFile)(python, [
    join(self, '../support/load.py'),
    JSON.stringify({ ...options, seconds: Number(options.seconds) }),
  ]);
  process.send(JSON.parse(stdout));
}

async function compare() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '4' },
      rounds: { type: 'string', default: '3' },
      connections: { type: 'string', default: '1,8' },
      what: { type: 'string', default: 'log-batch,log-metric,create' },
      url: { type: 'string' },
      postgres: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-bench-'));
  const servers = [];
  const databases = values.postgres && (await createDatabases(values.postgres, ['tidemill_bench', 'mlflow_bench']));
  const [ours, theirs] = databases?.urls ?? [];
  try {
    servers.push(await startTidemill({ folder, url: values.url, args: ours ? ['--database-url', ours] : [] }));
    if (venv !== undefined) servers.push(await startMlflow({ folder, venv, ...(theirs && { store: theirs }) }));
    const rows = [];
    for (const what of values.what.split(','))
      for (const connections of values.connections.split(',').map(Number))
        for (const quickack of [false, true]) {
          const [own, peer] = await alternate(self, servers, { rounds, seconds, connections, what, quickack });
          const ratio = peer && own.perSecond / peer.perSecond;
          for (const row of [own, ...(peer ? [peer] : [])]) {
            rows.push({ ...row, what, connections, quickack, ...(row === own && { ratio }) });
            if (!values.json)
              printRow(
                row,
                `${what}, ${connections} connection${connections > 1 ? 's' : ''}${quickack ? ', QUICKACK' : ''}`,
              );
          }
          if (!values.json && ratio) console.log(`  ratio ${ratio.toFixed(1)} (goal ${quickack ? 10 : 15})`);
        }
    if (values.json) console.log(JSON.stringify({ rows, cpus: cpus().length, node: process.version }, null, 2));
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await databases?.drop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
