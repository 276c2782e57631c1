// A scikit-learn pickle over REST (breast-cancer boosting, 100 trees, 30 columns, 1 row a request), the data plane with
// everything on, beside MLServer on the same pickle and the same `predict` in a process of its own, in turn in each round.
//   npm run build && MLSERVER_VENV=… node bench/python-models.mjs [--seconds 3] [--rounds 3] [--workers 1] [--json]
// Goals: at 16 connections ten times MLServer; at one connection the p50 less than 0.5 ms above that of `predict` itself.
// Needs wrk in the PATH; MLServer is measured where its virtual environment is named (mlserver, mlserver-sklearn, uvloop<0.22).
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { wrk } from './support/load-tools.mjs';
import { processTree } from './support/process-tree.mjs';
import { startMlserver } from './support/serving-peers.mjs';
import { sample } from './support/serving-tidemill.mjs';

const root = fileURLToPath(new URL('../', import.meta.url));
const dist = (path) => import(join(root, 'dist', path));
const pythonFolder = join(root, 'node_modules/.cache/tidemill-python');
const [row] = sample.rows;
const request = {
  path: '/v2/models/bc/infer',
  body: JSON.stringify({ inputs: [{ name: 'input-0', shape: [1, 30], datatype: 'FP64', data: row }] }),
};

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    workers: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];

const folder = mkdtempSync(join(tmpdir(), 'tidemill-bench-'));
const started = [];
try {
  report(await compare());
} finally {
  for (const { stop } of started) await stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

async function compare() {
  const python = await preparePython();
  await python('serving-peers/make_models.py', folder, 'boosting');
  const pickle = join(folder, 'model.pkl');
  const servers = { tidemill: await startPlane(pickle) };
  started.push(servers.tidemill);
  const venv = process.env.MLSERVER_VENV;
  if (venv !== undefined) {
    const settings = { venv, folder: join(folder, 'mlserver'), probe: { json: request }, workers: 0, pickle };
    servers.mlserver = await startMlserver(settings);
    started.push(servers.mlserver);
  }
  for (const server of Object.values(servers))
    await wrk({ base: server.base, ...request, connections: 16, seconds: 2 });
  const measured = [];
  for (let round = 0; round < rounds; round += 1) {
    const one = { predict: JSON.parse(await python('time-predict.py', pickle, '1')) };
    for (const [name, server] of Object.entries(servers))
      for (const connections of [1, 16]) one[`${name} c${connections}`] = await measure(server, connections);
    measured.push(one);
  }
  return measured;
}

/** What runs a script of bench/support in the environment of models that declare none. */
async function preparePython() {
  const { createPythonEnvironments } = await dist('platform/python-environments.js');
  const { runCommand, scrubEnvironment } = await dist('platform/processes.js');
  const env = { ...scrubEnvironment(process.env), OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' };
  const environments = createPythonEnvironments({ folder: pythonFolder, env });
  const requirementsPath = join(root, 'python/requirements/default.txt');
  const { pythonPath } = await environments.ensureEnvironment({ requirementsPath });
  return async (script, ...args) => {
    const { code, stdout, tail } = await runCommand([pythonPath, join(root, 'bench/support', script), ...args], {
      env,
    });
    if (code !== 0) throw new Error(tail.join('\n'));
    return stdout;
  };
}

/** One cell, with the processor time that a request costs the server and all that it has started. */
async function measure({ base, group }, connections) {
  const before = processorMs(group);
  const result = await wrk({ base, ...request, connections, seconds });
  return { ...result, cpuUs: ((processorMs(group) - before) / result.calls) * 1000 };
}

function processorMs(pid) {
  return processTree(pid).reduce((sum, { ms }) => sum + ms, 0);
}

async function startPlane(pickle) {
  const control = await startControl(pickle);
  const home = join(folder, 'home');
  mkdirSync(home);
  const child = spawn(
    process.execPath,
    [
      ...[join(root, 'dist/program/serving.js'), '--control-url', control.url, '--home', home, '--port', '0'],
      ...['--python-folder', pythonFolder, '--log-file', join(folder, 'serving.log')],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, TIDEMILL_POOL_TOKEN: 'bench' } },
  );
  const lines = createInterface({ input: child.stdout });
  const { url } = JSON.parse(await new Promise((resolve) => lines.once('line', resolve)));
  while (!(await fetch(`${url}/v2/models/bc/ready`)).ok) await delay(50);
  const stop = async () => {
    child.kill();
    if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
    control.close();
  };
  return { base: url, group: child.pid, stop };
}

/** What a data plane asks of a control plane: one spec, the file, and places for reports and records. */
async function startControl(pickle) {
  const bytes = readFileSync(pickle);
  const spec = specOf({
    path: 'model.pkl',
    digest: createHash('sha256').update(bytes).digest('hex'),
    sizeBytes: bytes.length,
  });
  const server = createServer(async (asked, response) => {
    const chunks = [];
    for await (const chunk of asked) chunks.push(chunk);
    const { pathname, searchParams } = new URL(asked.url, 'http://x');
    if (pathname.endsWith('/spec')) {
      if (asked.headers['if-none-match'] !== undefined) {
        await delay(5_000, undefined, { ref: false });
        return response.writeHead(304).end();
      }
      return response.writeHead(200, { etag: '"bench.1"' }).end(JSON.stringify(spec));
    }
    if (pathname.includes('/files/')) return response.writeHead(200).end(bytes);
    if (pathname.endsWith('/report')) return response.writeHead(204).end();
    const next = Number(searchParams.get('from')) + countFrames(Buffer.concat(chunks));
    response.writeHead(200).end(JSON.stringify({ next }));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => server.closeAllConnections() ?? server.close(),
  };
}

/** Not decoded: that would take the time of a core from what is measured. */
function countFrames(bytes) {
  let count = 0;
  for (let at = 0; at + 8 <= bytes.length; at += 8 + bytes.readUInt32LE(at)) count += 1;
  return count;
}

function specOf(file) {
  return {
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
        workers: { count: Number(values.workers) },
        revisions: [{ id: 'r1', modelRef: 'model:bc@1', runtime: 'python', files: [file] }],
      },
    ],
  };
}

function report(measured) {
  const best = (cell, field, of = Math.min) => of(...measured.map((one) => one[cell][field]));
  const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
  const over = measured.map((one) => one['tidemill c1'].p50Ms - one.predict.p50Ms);
  const ratios = measured.flatMap((one) =>
    'mlserver c16' in one ? [one['tidemill c16'].perSecond / one['mlserver c16'].perSecond] : [],
  );
  if (values.json)
    return console.log(JSON.stringify({ cpus: cpus().length, node: process.version, measured, over, ratios }));
  console.log(`1 row, Node ${process.version}, ${cpus().length} CPUs, best of ${rounds} rounds`);
  console.log(`predict itself, in a process of its own: p50 ${best('predict', 'p50Ms').toFixed(3)} ms`);
  for (const cell of Object.keys(measured[0]).filter((name) => name !== 'predict')) {
    const [name, connections] = cell.split(' ');
    const rate = best(cell, 'perSecond', Math.max).toFixed(0).padStart(7);
    const latency = `p50 ${best(cell, 'p50Ms').toFixed(2)} ms   p99 ${best(cell, 'p99Ms').toFixed(2)} ms`;
    const bad = measured.reduce((sum, one) => sum + one[cell].bad, 0);
    console.log(
      `${name.padEnd(9)} ${connections.padEnd(4)} ${rate} requests/s   ${latency}   ${best(cell, 'cpuUs').toFixed(0)} us of processor   ${bad} bad`,
    );
  }
  const each = (numbers, digits) => numbers.map((number) => number.toFixed(digits)).join(', ');
  const bestOver = best('tidemill c1', 'p50Ms') - best('predict', 'p50Ms');
  console.log(
    `over predict itself at one connection: ${each(over, 3)} ms, best over best ${bestOver.toFixed(3)} (goal below 0.5)`,
  );
  if (ratios.length > 0)
    console.log(`times MLServer at 16 connections: ${each(ratios, 1)}, median ${median(ratios).toFixed(1)} (goal 10)`);
}
