// MLflow's `log-batch` of 100 metrics: requests a second of Tidemill beside a real `mlflow server` on SQLite, both with
// their default settings, same script, same run; every answer of ours is durable (synchronous=FULL).
//   MLFLOW_VENV=<folder of a venv with mlflow> npm run build && node bench/mlflow-log-batch.mjs
//     [--seconds 5] [--rounds 3] [--connections 8] [--url <a Tidemill that is up>] [--json]
// Goal: ten times MLflow's requests a second. MLflow's server loses 40 ms to Nagle's algorithm and delayed ACKs on
// connections that are kept alive, so the same is measured over a fresh connection for each call: there nothing stalls.
// Rounds alternate between the servers, medians are printed; processor time a request holds on a busy machine too. Without MLFLOW_VENV only our figure is.
import { fork, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const self = fileURLToPath(import.meta.url);
const root = join(self, '../..');
if (process.argv[2] === 'load') await runLoad(JSON.parse(process.argv[3]));
else await compare();

function call(base, agent, method, path, body) {
  const url = new URL(path, base);
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = text && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const sent = request(url, { method, agent, headers: headers ?? {} }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() }));
      response.on('error', reject);
    });
    sent.on('error', (error) => reject(new Error(`${method} ${url}: ${error.message}`, { cause: error })));
    sent.end(text);
  });
}

/** One measurement, in a process of its own: each connection logs to its own run, one call after the other. */
async function runLoad({ base, seconds, connections, keepAlive }) {
  const agent = new Agent({ keepAlive, maxSockets: connections });
  const api = '/api/2.0/mlflow/runs';
  const runs = [];
  for (let n = 0; n < connections; n += 1) {
    const { text } = await call(base, agent, 'POST', `${api}/create`, { experiment_id: '0', start_time: Date.now() });
    runs.push(JSON.parse(text).run.info.run_id);
  }
  const latencies = [];
  const begun = performance.now();
  const until = begun + seconds * 1000;
  await Promise.all(
    runs.map(async (run_id) => {
      for (let step = 0; performance.now() < until; step += 1) {
        const timestamp = Date.now();
        const metrics = Array.from({ length: 100 }, (_, n) => ({
          key: `metric_${n}`,
          value: Math.random(),
          timestamp,
          step,
        }));
        const start = performance.now();
        const { status, text } = await call(base, agent, 'POST', `${api}/log-batch`, { run_id, metrics });
        if (status !== 200) throw new Error(`log-batch answered ${status}: ${text.slice(0, 300)}`);
        latencies.push(performance.now() - start);
      }
    }),
  );
  const elapsed = (performance.now() - begun) / 1000;
  agent.destroy();
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
  process.send({ perSecond: latencies.length / elapsed, p50Ms: at(0.5), p99Ms: at(0.99), calls: latencies.length });
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Starts a server in a process group of its own and waits until it answers. */
async function start(command, args, base, env) {
  const begun = performance.now();
  const child = spawn(command, args, { detached: true, stdio: 'ignore', env: { ...process.env, ...env } });
  let ended = false;
  child.once('exit', () => (ended = true));
  for (;;) {
    if (ended) throw new Error(`${command} ${args.join(' ')} ended before it answered`);
    const up = await call(base, undefined, 'GET', '/version').catch(() => undefined);
    if (up?.status === 200) break;
    await delay(50);
  }
  const stop = async () => {
    const gone = ended ? Promise.resolve() : new Promise((resolve) => child.once('exit', resolve));
    try {
      process.kill(-child.pid, 'SIGTERM');
    } catch {
      return;
    }
    await Promise.race([gone, delay(15_000)]);
    try {
      process.kill(-child.pid, 'SIGKILL'); // whatever of the group outlived its parent
    } catch {
      // nothing did
    }
  };
  return {
    stop,
    group: child.pid,
    readyMs: performance.now() - begun,
    version: (await call(base, undefined, 'GET', '/version')).text,
  };
}

/** Processor time used so far by every process of a group, in ms; undefined where there is no /proc. */
function processorMs(group) {
  if (process.platform !== 'linux' || group === undefined) return undefined;
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
      if (Number(fields[2]) === group) ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // it ended meanwhile
    }
  }
  return ticks * 10; // a tick is 10 ms on every Linux that Node.js runs on
}

function measure(options) {
  return new Promise((resolve, reject) => {
    const child = fork(self, ['load', JSON.stringify(options)]);
    let result;
    child.once('message', (message) => (result = message));
    child.once('exit', (code) => (result ? resolve(result) : reject(new Error(`the load ended with ${code}`))));
  });
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
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
    const ports = [await freePort(), await freePort(), await freePort()];
    const ours = values.url ?? `http://127.0.0.1:${ports[0]}`;
    const up = ['up', '--home', join(folder, 'home'), '--port', `${ports[0]}`, '--serving-port', `${ports[1]}`];
    const started = values.url
      ? { stop: async () => undefined, readyMs: 0, version: '' }
      : await start(join(root, 'bin/tidemill'), up, ours, {});
    servers.push({ name: 'tidemill', base: ours, ...started });
    if (venv !== undefined) {
      const port = ports[2];
      const base = `http://127.0.0.1:${port}`;
      const store = ['--backend-store-uri', `sqlite:///${folder}/mlflow.db`];
      const artifacts = ['--artifacts-destination', join(folder, 'artifacts')];
      const args = ['server', '--host', '127.0.0.1', '--port', `${port}`, ...store, ...artifacts];
      const env = { PATH: `${join(venv, 'bin')}:${process.env.PATH}` };
      servers.push({ name: 'mlflow', base, ...(await start(join(venv, 'bin/mlflow'), args, base, env)) });
    }
    const rows = [];
    for (const keepAlive of [true, false]) {
      const results = new Map(servers.map(({ name }) => [name, []]));
      for (const { base } of servers) await measure({ base, seconds: 1, connections, keepAlive }); // warm
      for (let round = 0; round < rounds; round += 1)
        for (const { name, base, group } of servers) {
          const before = processorMs(group);
          const result = await measure({ base, seconds, connections, keepAlive });
          const used = before === undefined ? Number.NaN : processorMs(group) - before;
          results.get(name).push({ ...result, processorMs: used / result.calls });
        }
      for (const { name, version, readyMs } of servers) {
        const of = (field) => median(results.get(name).map((result) => result[field]));
        const server = name === 'mlflow' ? `mlflow ${version}` : name;
        const row = { server, connections: keepAlive ? 'kept alive' : 'fresh', perSecond: of('perSecond') };
        rows.push({ ...row, p50Ms: of('p50Ms'), p99Ms: of('p99Ms'), processorMs: of('processorMs'), readyMs });
      }
    }
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
    for (const row of rows)
      console.log(
        `${row.server.padEnd(16)} ${row.connections.padEnd(11)} ${row.perSecond.toFixed(0).padStart(6)} requests/s   p50 ${row.p50Ms.toFixed(1)} ms   p99 ${row.p99Ms.toFixed(1)} ms   ${row.processorMs.toFixed(2)} ms of processor a request   ready in ${(row.readyMs / 1000).toFixed(1)} s`,
      );
    if (ratios.keptAlive !== undefined)
      console.log(`ratio: ${ratios.keptAlive.toFixed(1)} kept alive, ${ratios.fresh.toFixed(1)} fresh (goal 10)`);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
