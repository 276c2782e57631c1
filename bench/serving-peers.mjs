// Model servers beside each other under the field's own load generators, all with one model over 30 columns, a boosting of 100
// trees or a logistic regression:
// ours (`tidemill up`: prediction log, metrics and routing on), MLServer, `mlflow models serve`, Triton's own program with its
// Python backend, and the ceiling: node:http and onnxruntime in a worker thread, and nothing else.
//   npm run build && MLSERVER_VENV=… MLFLOW_VENV=… TRITON_VENV=… node bench/serving-peers.mjs
//     [--model boosting|logistic] [--cases json,binary,grpc] [--rows 1,100] [--connections 1,16,64] [--seconds 3] [--rounds 1] [--json]
// Needs wrk and ghz in the PATH (`apt install wrk`, `go install github.com/bojand/ghz/cmd/ghz@latest`), and virtual environments:
// MLServer's with mlserver, mlserver-sklearn and uvloop<0.22; Triton's with nvidia-pytriton and onnxruntime. A server whose
// variable is missing is left out. MLServer and MLflow answer labels only, the others probabilities too.
// Goals at 1 row and 16 connections: REST at least half of the ceiling, 15 times MLServer and MLflow, 2.5 times Triton, p99 under
// 5 ms; gRPC 7 times MLServer and 1.5 times Triton. At 100 rows: 3 times MLServer, 0.9 of Triton; binary 1.5 times our JSON.
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ghz, wrk } from './support/load-tools.mjs';
import { bodiesOf, startBare, startMlflowServe, startMlserver, startTriton } from './support/serving-peers.mjs';
import { modelPaths, sample, startServedModel } from './support/serving-tidemill.mjs';

const proto = fileURLToPath(new URL('../src/serving/grpc/inference.proto', import.meta.url));
const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'boosting' },
    cases: { type: 'string', default: 'json,binary,grpc' },
    rows: { type: 'string', default: '1,100' },
    connections: { type: 'string', default: '1,16,64' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
const { model } = values;
if (modelPaths[model] === undefined) throw new Error(`--model takes ${Object.keys(modelPaths).join(' or ')}`);
const list = (text) => text.split(',').map(Number);
const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)];
const folder = mkdtempSync(join(tmpdir(), 'tidemill-peers-'));
const { MLSERVER_VENV, MLFLOW_VENV, TRITON_VENV } = process.env;
const probe = bodiesOf(sample, 1);

/** Each is started alone, measured whole, and stopped: those that idle would take memory and time from the one measured. */
const makers = [
  ['tidemill', startOurs],
  ['bare', () => startBare({ model, probe })],
  ...(MLSERVER_VENV
    ? [['mlserver', () => startMlserver({ model, venv: MLSERVER_VENV, folder: join(folder, 'mlserver'), probe })]]
    : []),
  ...(MLFLOW_VENV
    ? [['mlflow', () => startMlflowServe({ model, venv: MLFLOW_VENV, folder: join(folder, 'mlflow'), probe })]]
    : []),
  ...(TRITON_VENV
    ? [['triton', () => startTriton({ model, venv: TRITON_VENV, folder: join(folder, 'triton'), probe })]]
    : []),
];

async function startOurs() {
  const home = mkdtempSync(join(folder, 'home-'));
  const { stop, port, grpcAddress } = await startServedModel(home, model);
  return { base: `http://127.0.0.1:${port}`, grpc: grpcAddress, stop };
}

/** What a server takes of the cases. */
const takes = { tidemill: ['json', 'binary', 'grpc'], bare: ['json'], mlserver: ['json', 'grpc'], mlflow: ['json'] };

async function measure(server, name, kind, rows, connections) {
  const body = bodiesOf(sample, rows)[name === 'mlflow' ? 'mlflow' : kind];
  if (kind !== 'grpc') return wrk({ base: server.base, ...body, connections, seconds });
  const data = Float32Array.from(
    Array.from({ length: rows }, (_, row) => sample.rows[row % sample.rows.length]).flat(),
  );
  const message = {
    model_name: 'bc',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [rows, 30] }],
    raw_input_contents: [Buffer.from(data.buffer).toString('base64')],
  };
  const method = 'inference.GRPCInferenceService/ModelInfer';
  return ghz({ host: server.grpc, proto, method, message, connections, seconds });
}

const results = new Map();
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
try {
  for (let round = 0; round < rounds; round += 1)
    for (const [name, start] of makers) {
      const server = await start();
      try {
        for (const kind of values.cases.split(','))
          for (const rows of list(values.rows))
            for (const connections of list(values.connections)) {
              if (!(takes[name] ?? ['json', 'binary', 'grpc']).includes(kind)) continue;
              await measure(server, name, kind, rows, connections); // warm
              const key = `${kind} ${rows} rows c${connections}`;
              const found = results.get(key) ?? new Map();
              results.set(key, found);
              found.set(name, [...(found.get(name) ?? []), await measure(server, name, kind, rows, connections)]);
            }
      } finally {
        await server.stop();
      }
    }
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

const table = [...results].map(([key, byName]) => ({
  case: key,
  servers: Object.fromEntries(
    [...byName].map(([name, runs]) => [
      name,
      Object.fromEntries(
        ['perSecond', 'p50Ms', 'p99Ms', 'bad'].map((field) => [field, median(runs.map((run) => run[field]))]),
      ),
    ]),
  ),
}));
if (values.json) console.log(JSON.stringify({ model, table, cpus: cpus().length }, undefined, 2));
else
  for (const { case: key, servers } of table) {
    console.log(key);
    for (const [name, { perSecond, p50Ms, p99Ms, bad }] of Object.entries(servers)) {
      const ratio =
        name === 'tidemill' ? '' : `   ours is ${(servers.tidemill.perSecond / perSecond).toFixed(2)} times`;
      console.log(
        `  ${name.padEnd(9)} ${perSecond.toFixed(0).padStart(7)} requests/s   p50 ${p50Ms.toFixed(2)} ms   p99 ${p99Ms.toFixed(2)} ms   ${bad} bad${ratio}`,
      );
    }
  }
