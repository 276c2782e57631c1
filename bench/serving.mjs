// Inference over HTTP, single rows as JSON unless told otherwise: 16 keep-alive connections, breast-cancer boosting (100 trees, 30 FP32 columns), every
// prediction captured and taken into the prediction log while it runs, beside a bare node:http server that runs
// onnxruntime in line.
//   npm run build && node bench/serving.mjs [--seconds 5] [--rounds 3] [--connections 16] [--rows 1] [--binary] [--json]
// With --binary the inputs and outputs are binary tensors, and the rounds alternate between those and JSON of the same
// rows to us (goal at 100 rows: 1.5 times as many requests a second); the bare server reads JSON alone and stays out.
// Ours is `tidemill up` on a fresh home: both planes and the worker, the model in the registry and deployed by a
// `tidemill.yaml`. Goal: at least half of the bare server's requests a second, and 60 s after the last answer
// the log has as many rows as were answered. Rounds alternate, medians are printed; processor time a request by process.
import { fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { modelPaths, noTime, planesProcessorMs, sample, startServedModel } from './support/serving-tidemill.mjs';
import { httpRequest, runSocketLoad } from './support/socket-load.mjs';

const self = fileURLToPath(import.meta.url);
const root = join(self, '../..');
// As a client prints them: the shortest text that is the same FP32.
const valuesOf = (row) => row.map((value) => Number(value.toPrecision(7)));

/** The requests that the load generator sends in turn, each as the bytes of a whole HTTP request. */
function requestsOf(port, rows, form) {
  return sample.rows.map((_, first) => {
    const chosen = Array.from({ length: rows }, (_, row) => sample.rows[(first + row) % sample.rows.length]);
    const values = chosen.flatMap(valuesOf);
    const keys = Array.from({ length: rows }, (_, row) => `patient-${first}-${row}`);
    const parameters = { keys: rows === 1 ? keys[0] : JSON.stringify(keys) };
    const input = { name: 'x', shape: [rows, 30], datatype: 'FP32' };
    let body = Buffer.from(JSON.stringify({ parameters, inputs: [{ ...input, data: values }] }));
    let headers = 'content-type: application/json';
    if (form === 'binary') {
      const tensor = Buffer.from(Float32Array.from(values).buffer);
      const header = JSON.stringify({
        parameters: { ...parameters, binary_data_output: true },
        inputs: [{ ...input, parameters: { binary_data_size: tensor.length } }],
      });
      body = Buffer.concat([Buffer.from(header), tensor]);
      headers = `content-type: application/octet-stream\r\ninference-header-content-length: ${Buffer.byteLength(header)}`;
    }
    return httpRequest({ port, path: '/v2/models/bc/infer', headers, body });
  });
}

const roles = { bare: runBareServer, load: runLoad };
const role = roles[process.argv[2]];
await (role === undefined ? compare() : role(...process.argv.slice(3)));

/** What one would write by hand: parse, run, stringify; nothing else. */
async function runBareServer() {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const session = await InferenceSession.create(modelPaths.boosting, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', async () => {
      const [input] = JSON.parse(Buffer.concat(chunks).toString()).inputs;
      const outputs = await session.run({ x: new Tensor('float32', Float32Array.from(input.data), input.shape) });
      const text = JSON.stringify({
        model_name: 'bc',
        outputs: Object.entries(outputs).map(([name, { dims, data }]) => ({
          name,
          shape: dims,
          data: Array.from(data, Number),
        })),
      });
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
      response.end(text);
    });
  });
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
}

async function runLoad(port, connections, seconds, rows, form) {
  const requests = requestsOf(port, Number(rows), form);
  const options = { port: Number(port), connections: Number(connections), seconds, expected: '"probabilities"' };
  process.send(await runSocketLoad({ ...options, requests }));
  process.disconnect();
}

function start(name, ...args) {
  const child = fork(self, [name, ...args.map(String)]);
  const next = () => new Promise((resolve) => child.once('message', resolve));
  return { child, next };
}

async function load(port, { connections, rows }, seconds, form) {
  return start('load', port, connections, seconds, rows, form).next();
}

async function compare() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
      connections: { type: 'string', default: '16' },
      rows: { type: 'string', default: '1' },
      binary: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const home = mkdtempSync(join(tmpdir(), 'tidemill-bench-'));
  const bare = start('bare');
  const { port: barePort } = await bare.next();
  let plane;
  try {
    plane = await startServedModel(home);
    // What ours is laid beside: the bare server, or our own JSON.
    const besides = values.binary ? plane.port : barePort;
    const form = values.binary ? 'binary' : 'json';
    const results = { beside: [], own: [] };
    let sent = 0;
    const count = ({ requests, ...result }, isOurs) => {
      if (isOurs) sent += requests;
      return result;
    };
    count(await load(besides, values, 1, 'json'), values.binary); // all compiled by the engine before anything counts
    count(await load(plane.port, values, 1, form), true);
    const cpu = { beside: noTime(), own: noTime() };
    const measured = { beside: 0, own: 0 };
    for (let round = 0; round < Number(values.rounds); round += 1)
      for (const [name, port, as] of [
        ['beside', besides, 'json'],
        ['own', plane.port, form],
      ]) {
        const before = planesProcessorMs(plane.pid);
        const result = await load(port, values, values.seconds, as);
        const after = planesProcessorMs(plane.pid);
        for (const process of Object.keys(before)) cpu[name][process] += after[process] - before[process];
        measured[name] += result.requests;
        results[name].push(count(result, name === 'own' || values.binary));
      }
    const drainFromMs = performance.now();
    const waitSeconds = () => (performance.now() - drainFromMs) / 1000;
    await plane.api('/flush', { timeout: 120 });
    let taken = 0;
    do {
      taken = (await plane.api('/predictions')).rows;
    } while (taken < sent * Number(values.rows) && waitSeconds() < 180 && (await delay(50, true)));
    const drainSeconds = waitSeconds();
    const perRequest = (name) =>
      Object.fromEntries(Object.entries(cpu[name]).map(([part, ms]) => [part, (ms / measured[name]) * 1000]));
    const cpuUs = perRequest('own');
    report(values, results, {
      sent,
      taken,
      drainSeconds,
      cpuUs,
      besideCpuUs: values.binary ? perRequest('beside') : {},
    });
  } finally {
    await plane?.stop();
    bare.child.kill();
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

function median(list, key) {
  return list.map((item) => item[key]).sort((a, b) => a - b)[Math.floor(list.length / 2)];
}

function report(values, { beside, own }, { sent, taken, drainSeconds, cpuUs, besideCpuUs }) {
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules/onnxruntime-node/package.json'), 'utf8'));
  const figures = (results) => ({
    perSecond: Math.round(median(results, 'perSecond')),
    p50Ms: median(results, 'p50Ms'),
    p99Ms: median(results, 'p99Ms'),
  });
  const rows = Number(values.rows);
  const names = values.binary
    ? ['tidemill, JSON', 'tidemill, binary tensors']
    : ['bare node:http + onnxruntime in line', 'tidemill, full capture, intake running'];
  const summary = {
    connections: Number(values.connections),
    rows,
    node: process.version,
    onnxruntime: version,
    cpus: cpus().length,
    [values.binary ? 'json' : 'bare']: figures(beside),
    [values.binary ? 'binary' : 'tidemill']: figures(own),
    ratio: median(own, 'perSecond') / median(beside, 'perSecond'),
    bad: [...beside, ...own].reduce((sum, { bad }) => sum + bad, 0),
    answered: sent,
    taken,
    drainSeconds,
    cpuUs,
    ...(values.binary && { jsonCpuUs: besideCpuUs }),
  };
  if (values.json) console.log(JSON.stringify(summary));
  else {
    const line = (name, { perSecond, p50Ms, p99Ms }) =>
      `${name.padEnd(40)} ${String(perSecond).padStart(7)} req/s   p50 ${p50Ms.toFixed(2)} ms   p99 ${p99Ms.toFixed(2)} ms`;
    const time = (used) =>
      Object.entries(used)
        .map(([name, us]) => `${name} ${us.toFixed(0)} us`)
        .join(', ');
    console.log(
      `${rows === 1 ? 'single row' : `${rows} rows`}, ${values.connections} connections, Node ${process.version}, onnxruntime-node ${version}, ${cpus().length} CPUs`,
    );
    console.log(line(names[0], figures(beside)));
    console.log(line(names[1], figures(own)));
    console.log(
      `ratio ${summary.ratio.toFixed(2)} (goal ${values.binary ? '1.50 at 100 rows' : '0.50 at one'}); ${taken} of ${sent * rows} answered rows are in the log, ${drainSeconds.toFixed(1)} s after the last (goal 60); bad answers ${summary.bad}`,
    );
    console.log(`processor time a request: ${time(cpuUs)}${values.binary ? `; of JSON: ${time(besideCpuUs)}` : ''}`);
  }
  if (summary.bad > 0 || taken !== sent * rows) process.exitCode = 1;
}
