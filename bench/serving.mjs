// Single-row inference over HTTP: 16 keep-alive connections, breast-cancer boosting (100 trees, 30 FP32 columns), every
// prediction captured and taken into the prediction log while it runs, beside a bare node:http server that runs
// onnxruntime in line.
//   npm run build && node bench/serving.mjs [--seconds 5] [--rounds 3] [--connections 16] [--json]
// Ours is `tidemill up` on a fresh home: both planes and the worker, the model in the registry and deployed by a
// `tidemill.yaml`. Goal: at least half of the bare server's requests a second, and 60 s after the last answer
// the log has as many rows as were answered. Rounds alternate, medians are printed; processor time a request by process.
import { fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { modelPath, planesProcessorMs, sample, startServedModel } from './support/serving-tidemill.mjs';

const self = fileURLToPath(import.meta.url);
const root = join(self, '../..');
const bodies = sample.rows.map((row, index) =>
  JSON.stringify({
    parameters: { keys: `patient-${index}` },
    // As a client prints them: the shortest text that is the same FP32.
    inputs: [{ name: 'x', shape: [1, 30], datatype: 'FP32', data: row.map((value) => Number(value.toPrecision(7))) }],
  }),
);

const roles = { bare: runBareServer, load: runLoad };
const role = roles[process.argv[2]];
await (role === undefined ? compare() : role(...process.argv.slice(3)));

/** What one would write by hand: parse, run, stringify; nothing else. */
async function runBareServer() {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const session = await InferenceSession.create(modelPath, { intraOpNumThreads: 1, interOpNumThreads: 1 });
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

/** Closed loop on raw sockets: one request in flight a connection. Answers are checked by status and length. */
async function runLoad(port, connections, seconds) {
  const requests = bodies.map((body) =>
    Buffer.from(
      `POST /v2/models/bc/infer HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    ),
  );
  const latencies = [];
  let bad = 0;
  let stopped = false;
  const one = (index) =>
    new Promise((resolve) => {
      const socket = connect(Number(port), '127.0.0.1');
      socket.setNoDelay(true);
      let received = '';
      let next = index;
      let sentMs = 0;
      const send = () => {
        if (stopped) {
          socket.destroy();
          resolve();
          return;
        }
        sentMs = performance.now();
        socket.write(requests[next++ % requests.length]);
      };
      socket.on('connect', send);
      socket.on('error', () => {
        bad += 1;
        resolve();
      });
      socket.on('data', (chunk) => {
        received += chunk.latin1Slice();
        const head = received.indexOf('\r\n\r\n');
        if (head < 0) return;
        const length = Number(/content-length: (\d+)/i.exec(received)?.[1]);
        if (received.length < head + 4 + length) return;
        if (!received.startsWith('HTTP/1.1 200') || !received.includes('"probabilities"')) bad += 1;
        latencies.push(performance.now() - sentMs);
        received = '';
        send();
      });
    });
  const startedMs = performance.now();
  setTimeout(() => {
    stopped = true;
  }, seconds * 1000);
  await Promise.all(Array.from({ length: Number(connections) }, (_, index) => one(index)));
  const elapsed = (performance.now() - startedMs) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.floor(latencies.length * share)] ?? 0;
  process.send({
    perSecond: latencies.length / elapsed,
    requests: latencies.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    bad,
  });
  process.disconnect();
}

function start(name, ...args) {
  const child = fork(self, [name, ...args.map(String)]);
  const next = () => new Promise((resolve) => child.once('message', resolve));
  return { child, next };
}

async function load(port, connections, seconds) {
  return start('load', port, connections, seconds).next();
}

async function compare() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
      connections: { type: 'string', default: '16' },
      json: { type: 'boolean', default: false },
    },
  });
  const home = mkdtempSync(join(tmpdir(), 'tidemill-bench-'));
  const bare = start('bare');
  const { port: barePort } = await bare.next();
  let plane;
  try {
    plane = await startServedModel(home);
    const results = { bare: [], own: [] };
    await load(barePort, values.connections, 1); // both compiled by the engine before anything counts
    let sent = (await load(plane.port, values.connections, 1)).requests;
    const before = planesProcessorMs(plane.pid);
    const warm = sent;
    for (let round = 0; round < Number(values.rounds); round += 1) {
      results.bare.push(await load(barePort, values.connections, values.seconds));
      const own = await load(plane.port, values.connections, values.seconds);
      sent += own.requests;
      results.own.push(own);
    }
    const drainFromMs = performance.now();
    const waitSeconds = () => (performance.now() - drainFromMs) / 1000;
    await plane.api('/flush', { timeout: 120 });
    let taken = 0;
    do {
      taken = (await plane.api('/predictions')).rows;
    } while (taken < sent && waitSeconds() < 180 && (await delay(50, true)));
    const drainSeconds = waitSeconds();
    const after = planesProcessorMs(plane.pid);
    const cpuUs = Object.fromEntries(
      Object.entries(after).map(([name, ms]) => [name, ((ms - before[name]) / (sent - warm)) * 1000]),
    );
    report(values, results, { sent, taken, drainSeconds, cpuUs });
  } finally {
    await plane?.stop();
    bare.child.kill();
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

function median(list, key) {
  return list.map((item) => item[key]).sort((a, b) => a - b)[Math.floor(list.length / 2)];
}

function report({ connections, json }, { bare, own }, { sent, taken, drainSeconds, cpuUs }) {
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules/onnxruntime-node/package.json'), 'utf8'));
  const summary = {
    connections: Number(connections),
    node: process.version,
    onnxruntime: version,
    cpus: cpus().length,
    bare: {
      perSecond: Math.round(median(bare, 'perSecond')),
      p50Ms: median(bare, 'p50Ms'),
      p99Ms: median(bare, 'p99Ms'),
    },
    tidemill: {
      perSecond: Math.round(median(own, 'perSecond')),
      p50Ms: median(own, 'p50Ms'),
      p99Ms: median(own, 'p99Ms'),
    },
    ratio: median(own, 'perSecond') / median(bare, 'perSecond'),
    bad: [...bare, ...own].reduce((sum, { bad }) => sum + bad, 0),
    answered: sent,
    taken,
    drainSeconds,
    cpuUs,
  };
  if (json) console.log(JSON.stringify(summary));
  else {
    const line = (name, { perSecond, p50Ms, p99Ms }) =>
      `${name.padEnd(40)} ${String(perSecond).padStart(7)} req/s   p50 ${p50Ms.toFixed(2)} ms   p99 ${p99Ms.toFixed(2)} ms`;
    console.log(
      `single row, ${connections} connections, Node ${process.version}, onnxruntime-node ${version}, ${cpus().length} CPUs`,
    );
    console.log(line('bare node:http + onnxruntime in line', summary.bare));
    console.log(line('tidemill, full capture, intake running', summary.tidemill));
    console.log(
      `ratio ${summary.ratio.toFixed(2)} (goal 0.50); ${taken} of ${sent} answered are in the log, ${drainSeconds.toFixed(1)} s after the last (goal 60); bad answers ${summary.bad}`,
    );
    console.log(
      `processor time a request: ${Object.entries(cpuUs)
        .map(([name, us]) => `${name} ${us.toFixed(0)} us`)
        .join(', ')}`,
    );
  }
  if (summary.bad > 0 || taken !== sent) process.exitCode = 1;
}
