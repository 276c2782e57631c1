// Single-row inference over HTTP: 16 keep-alive connections, breast-cancer boosting (100 trees, 30 FP32 columns), every
// prediction captured and taken into the prediction log while it runs, beside a bare node:http server that runs
// onnxruntime in line.
//   npm run build && node bench/serving.mjs [--seconds 5] [--rounds 3] [--connections 16] [--json]
// Ours is `tidemill up` on a fresh home: both planes and the worker, the model in the registry and deployed by a
// `tidemill.yaml`. Goal: at least half of the bare server's requests a second, and 60 s after the last answer
// the log has as many rows as were answered. Rounds alternate, medians are printed; processor time a request by process.
import { execFile, fork, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';

const self = fileURLToPath(import.meta.url);
const root = join(self, '../..');
const program = join(root, 'bin/tidemill');
const modelPath = join(root, 'src/runtimes/fixtures/breast-cancer.onnx');
const sample = JSON.parse(readFileSync(join(root, 'src/runtimes/fixtures/breast-cancer.json'), 'utf8'));
const bodies = sample.rows.map((row, index) =>
  JSON.stringify({
    parameters: { keys: `patient-${index}` },
    // As a client prints them: the shortest text that is the same FP32.
    inputs: [{ name: 'x', shape: [1, 30], datatype: 'FP32', data: row.map((value) => Number(value.toPrecision(7))) }],
  }),
);

const document = `project: default
deployments:
  bc: { model: "model:bc@champion" }
`;

const roles = { bare: runBareServer, load: runLoad, propose: runPropose };
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

/**
 * Puts the model into the registry of a home on which no server runs, by the door through which a pipeline's last step
 * does: a pipeline itself takes models with one input a column, and this one has a matrix.
 */
async function runPropose(home) {
  const load = (path) => import(join(root, 'dist', path));
  const { loadConfig } = await load('platform/config.js');
  const { createLogger } = await load('platform/log.js');
  const { openPlatform } = await load('app/platform.js');
  const { createLineageModule } = await load('modules/lineage/index.js');
  const { createApprovalsModule } = await load('modules/approvals/index.js');
  const { createArtifactsModule } = await load('modules/artifacts/index.js');
  const { createRegistryModule } = await load('modules/registry/index.js');
  const config = loadConfig({ flags: { home }, environment: {}, cwd: home });
  const platform = await openPlatform({ config, version: '0.0.0', logger: createLogger({ level: 'silent' }) });
  const lineage = createLineageModule(platform).api;
  const approvals = createApprovalsModule({ ...platform, lineage }).api;
  const artifacts = createArtifactsModule({ ...platform, lineage }).api;
  const registry = createRegistryModule({ ...platform, lineage, approvals, artifacts }).api;
  const file = { path: 'model.onnx', ...(await platform.blobs.putFile(modelPath)) };
  await platform.database.write({ actor: 'user:bench' }, (unit) =>
    registry.proposeVersion(unit, {
      project: 'default',
      model: 'bc',
      digest: file.sha256,
      files: [file],
      runtime: 'onnx',
      predicts: { kind: 'binary', score: 'probabilities[1]' },
      alias: 'champion',
      checks: [],
    }),
  );
  await platform.close();
  process.disconnect();
}

/** `tidemill up` on a fresh home, in a process group of its own, with the model served. */
async function startTidemill(home) {
  const folder = join(home, 'project');
  mkdirSync(folder);
  writeFileSync(join(folder, 'tidemill.yaml'), document);
  const { child: proposing } = start('propose', join(home, 'home'));
  const code = await new Promise((resolve) => proposing.once('exit', resolve));
  if (code !== 0) throw new Error(`the model could not be put into the registry: exit ${code}`);
  const args = ['up', '--home', join(home, 'home'), '--port', '0', '--serving-port', '0', '--json'];
  const child = spawn(program, args, { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  const stop = async () => {
    if (child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await Promise.race([gone, delay(15_000)]);
    child.kill('SIGKILL');
  };
  try {
    const lines = createInterface({ input: child.stdout });
    const { url, servingUrl } = JSON.parse(await new Promise((resolve) => lines.once('line', resolve)));
    await promisify(execFile)(program, ['apply', '--url', url], { cwd: folder });
    const api = async (path, body) => {
      const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
      const response = await fetch(new URL(`/api/v1/deployments/bc${path}`, url), body && post);
      if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
      return response.json();
    };
    for (;;) {
      const { status } = await api('?wait=10');
      if (status.state === 'ready' && status.settled && status.traffic.length > 0) break;
    }
    return { stop, pid: child.pid, port: new URL(servingUrl).port, api };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Processor time so far, in ms, of the two planes and of all that the control plane has started; empty without /proc. */
function processorMs(controlPid) {
  const used = { control: 0, data: 0, worker: 0 };
  if (process.platform !== 'linux') return used;
  const all = new Map();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      all.set(Number(pid), { parent: Number(fields[1]), ms: (Number(fields[11]) + Number(fields[12])) * 10, command });
    } catch {
      // it ended meanwhile
    }
  }
  const isOurs = (pid) => pid === controlPid || (all.has(pid) && isOurs(all.get(pid).parent));
  for (const [pid, { ms, command }] of all) {
    if (!isOurs(pid)) continue;
    const kind = pid === controlPid ? 'control' : /serving\.js|serving\/main/.test(command) ? 'data' : 'worker';
    used[kind] += ms;
  }
  return used;
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
    plane = await startTidemill(home);
    const results = { bare: [], own: [] };
    await load(barePort, values.connections, 1); // both compiled by the engine before anything counts
    let sent = (await load(plane.port, values.connections, 1)).requests;
    const before = processorMs(plane.pid);
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
    const after = processorMs(plane.pid);
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
