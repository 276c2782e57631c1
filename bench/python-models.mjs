// A scikit-learn pickle over REST (breast-cancer boosting, 100 trees, 30 columns, 1 row a request), the data plane with
// everything on, beside MLServer on the same pickle and the same `predict` in a process of its own.
//   npm run build && node bench/python-models.mjs [--seconds 5] [--rounds 3] [--workers 1] [--mlserver] [--json]
// Goals: at 16 connections ten times MLServer; at one connection the p50 less than 0.5 ms above that of `predict` itself.
// MLServer is installed into a Python environment of its own the first time, some hundred megabytes.
import { fork, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { processTree } from './support/process-tree.mjs';
import { freePort } from './support/servers.mjs';
import { httpRequest, runSocketLoad } from './support/socket-load.mjs';

const self = fileURLToPath(import.meta.url);
const root = join(self, '../..');
const dist = (path) => import(join(root, 'dist', path));
/** Its last release dies on a newer uvloop. */
const mlserver = 'mlserver==1.7.1\nmlserver-sklearn==1.7.1\nuvloop<0.22\n';

const roles = { load: runLoad };
const role = roles[process.argv[2]];
await (role === undefined ? compare() : role(...process.argv.slice(3)));

async function runLoad(port, connections, seconds, path) {
  const bodies = await new Promise((resolve) => process.once('message', resolve));
  const requests = bodies.map((body) => httpRequest({ port, path, body }));
  const options = { port: Number(port), connections: Number(connections), seconds, expected: '"predict"' };
  process.send(await runSocketLoad({ ...options, requests }));
  process.disconnect();
}

function load(target, connections, seconds) {
  const child = fork(self, ['load', target.port, connections, seconds, target.path].map(String));
  child.send(target.bodies);
  return new Promise((resolve) => child.once('message', resolve));
}

/** What a data plane asks of a control plane: one spec, the file, and places for reports and records. */
async function startControl(modelPath, workers) {
  const { decodeFrames } = await dist('contracts/spool-frame.js');
  const bytes = readFileSync(modelPath);
  const digest = createHash('sha256').update(bytes).digest('hex');
  const spec = {
    version: 1,
    pool: 'default',
    epoch: 'bench',
    generation: 1,
    endpoints: [
      {
        project: 'default',
        name: 'bc',
        access: { tokens: [] },
        traffic: [{ revision: 'r1', basisPoints: 10_000 }],
        shadows: [],
        capture: { enabled: true },
        workers: { count: workers },
        revisions: [
          {
            id: 'r1',
            modelRef: 'model:bc@1',
            runtime: 'python',
            files: [{ path: 'model.pkl', digest, sizeBytes: bytes.length }],
          },
        ],
      },
    ],
  };
  const taken = { records: 0 };
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { pathname, searchParams } = new URL(request.url, 'http://x');
    if (pathname.endsWith('/spec')) {
      if (request.headers['if-none-match'] !== undefined) {
        await delay(5_000, undefined, { ref: false });
        return response.writeHead(304).end();
      }
      return response.writeHead(200, { etag: '"bench.1"' }).end(JSON.stringify(spec));
    }
    if (pathname.includes('/files/')) return response.writeHead(200).end(bytes);
    if (pathname.endsWith('/report')) return response.writeHead(204).end();
    const { frames } = decodeFrames(Buffer.concat(chunks));
    taken.records += frames.length;
    response.writeHead(200).end(JSON.stringify({ next: Number(searchParams.get('from')) + frames.length }));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    taken,
    close: () => server.closeAllConnections() ?? server.close(),
  };
}

async function startPlane(folder, workers, rows) {
  const control = await startControl(join(folder, 'model.pkl'), workers);
  const args = ['--control-url', control.url, '--home', join(folder, 'home'), '--port', '0'];
  const python = ['--python-folder', join(root, 'node_modules/.cache/tidemill-python')];
  const log = ['--log-file', join(folder, 'serving.log')];
  const child = spawn(process.execPath, [join(root, 'dist/program/serving.js'), ...args, ...python, ...log], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TIDEMILL_POOL_TOKEN: 'bench' },
  });
  const lines = createInterface({ input: child.stdout });
  const { url } = JSON.parse(await new Promise((resolve) => lines.once('line', resolve)));
  while (!(await fetch(`${url}/v2/models/bc/ready`)).ok) await delay(50);
  const bodies = rows.map((row) =>
    JSON.stringify({ inputs: [{ name: 'input-0', shape: [1, 30], datatype: 'FP64', data: row }] }),
  );
  const end = async () => {
    child.kill();
    await new Promise((resolve) => child.once('exit', resolve));
    control.close();
  };
  return { pid: child.pid, port: new URL(url).port, path: '/v2/models/bc/infer', bodies, end, control };
}

async function startMlserver(folder, environments, rows) {
  const { binPath } = await environments.ensureEnvironment({ requirementsText: mlserver, onProgress: console.error });
  const [http, grpc, metrics] = [await freePort(), await freePort(), await freePort()];
  const child = spawn(join(binPath, 'mlserver'), ['start', folder], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: `${binPath}:${process.env.PATH}`,
      HOME: folder,
      MLSERVER_HTTP_PORT: String(http),
      MLSERVER_GRPC_PORT: String(grpc),
      MLSERVER_METRICS_PORT: String(metrics),
      MLSERVER_PARALLEL_WORKERS: '0', // its best figure at one row
      MLSERVER_DEBUG: 'false',
    },
  });
  const ready = () =>
    fetch(`http://127.0.0.1:${http}/v2/models/bc/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (child.exitCode === null && !(await ready())) await delay(200);
  if (child.exitCode !== null) throw new Error(`MLServer ended with ${child.exitCode}`);
  const bodies = rows.map((row) =>
    JSON.stringify({ inputs: [{ name: 'predict', shape: [1, 30], datatype: 'FP64', data: row }] }),
  );
  const end = async () => {
    child.kill();
    await new Promise((resolve) => child.once('exit', resolve));
  };
  return { pid: child.pid, port: http, path: '/v2/models/bc/infer', bodies, end };
}

/** Processor time so far, in ms, of a process and all that it has started. */
function processorMs(pid) {
  return processTree(pid).reduce((sum, { ms }) => sum + ms, 0);
}

/** The best of some rounds at 1 and at 16 connections, with processor time a request at 16. */
async function measure(target, rounds, seconds) {
  await load(target, 16, 1);
  const best = {};
  for (const connections of [1, 16]) {
    for (let round = 0; round < rounds; round += 1) {
      const before = processorMs(target.pid);
      const result = await load(target, connections, seconds);
      const cpuUs = ((processorMs(target.pid) - before) / result.requests) * 1000;
      const known = best[connections];
      best[connections] = {
        perSecond: Math.max(known?.perSecond ?? 0, result.perSecond),
        p50Ms: Math.min(known?.p50Ms ?? Number.POSITIVE_INFINITY, result.p50Ms),
        p99Ms: Math.min(known?.p99Ms ?? Number.POSITIVE_INFINITY, result.p99Ms),
        cpuUs: Math.min(known?.cpuUs ?? Number.POSITIVE_INFINITY, cpuUs),
        bad: (known?.bad ?? 0) + result.bad,
      };
    }
  }
  return best;
}

async function compare() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
      workers: { type: 'string', default: '1' },
      mlserver: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const { createPythonEnvironments } = await dist('platform/python-environments.js');
  const { runCommand, scrubEnvironment } = await dist('platform/processes.js');
  const env = { ...scrubEnvironment(process.env), OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' };
  const environments = createPythonEnvironments({ folder: join(root, 'node_modules/.cache/tidemill-python'), env });
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-bench-'));
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
  const fit = async (requirements, name) => {
    const { pythonPath } = await environments.ensureEnvironment(requirements);
    const target = join(folder, name);
    mkdirSync(target);
    const script = join(root, 'bench/support/breast-cancer.py');
    const { stdout, tail } = await runCommand([pythonPath, script, target, '2'], { env });
    if (stdout === '') throw new Error(tail.join('\n'));
    return { folder: target, ...JSON.parse(stdout) };
  };
  const results = { cpus: cpus().length, node: process.version };
  let target;
  try {
    const own = await fit({ requirementsPath: join(root, 'python/requirements/default.txt') }, 'own');
    results.predictP50Ms = own.p50Ms;
    target = await startPlane(own.folder, Number(values.workers), own.rows);
    results.tidemill = await measure(target, rounds, seconds);
    await target.end();
    if (values.mlserver) {
      const other = await fit({ requirementsText: mlserver }, 'mlserver');
      target = await startMlserver(other.folder, environments, other.rows);
      results.mlserver = await measure(target, rounds, seconds);
      await target.end();
    }
  } finally {
    await (target !== undefined && stopped(target.pid) ? undefined : target?.end());
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
  report(results, values.json);
}

function stopped(pid) {
  try {
    return !process.kill(pid, 0);
  } catch {
    return true;
  }
}

function report(results, json) {
  if (json) return console.log(JSON.stringify(results));
  console.log(
    `1 row, Node ${results.node}, ${results.cpus} CPUs; predict itself p50 ${results.predictP50Ms.toFixed(3)} ms`,
  );
  for (const name of ['tidemill', 'mlserver'])
    for (const [connections, one] of Object.entries(results[name] ?? {}))
      console.log(
        `${name.padEnd(9)} c${connections.padEnd(3)} ${one.perSecond.toFixed(0).padStart(7)} req/s   p50 ${one.p50Ms.toFixed(2)} ms   p99 ${one.p99Ms.toFixed(2)} ms   ${one.cpuUs.toFixed(0)} us of processor   bad ${one.bad}`,
      );
  const { tidemill, mlserver: other } = results;
  console.log(
    `over predict itself at one connection: ${(tidemill[1].p50Ms - results.predictP50Ms).toFixed(3)} ms (goal below 0.5)`,
  );
  if (other)
    console.log(`ratio at 16 connections: ${(tidemill[16].perSecond / other[16].perSecond).toFixed(1)} (goal 10)`);
}
