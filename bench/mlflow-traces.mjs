// Spans a second by OTLP (`POST /v1/traces`, protobuf), one trace of 20 spans with a kilobyte of inputs each a request, of
// Tidemill beside a real `mlflow server`, both with their default settings on SQLite, same script, same run.
//   MLFLOW_VENV=<folder of a venv with mlflow> npm run build && node bench/mlflow-traces.mjs
//     [--seconds 4] [--rounds 3] [--connections 1,8] [--url <a Tidemill that is up>] [--json]
// Connections are not kept alive: MLflow's server loses 40 ms a call on those that are, which would be no figure of ingest.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { alternate, loadOptions, runLoad } from './support/load.mjs';
import { startMlflow, startTidemill } from './support/servers.mjs';

const self = fileURLToPath(import.meta.url);
const spansOfTrace = 20;
const load = loadOptions();
if (load === undefined) await compare();
else await runLoad({ ...load, keepAlive: false, next: (agent) => send(load.base, agent, oneTrace()) });

function varint(value) {
  const bytes = [];
  let left = value;
  for (; left >= 0x80; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  return Buffer.from([...bytes, left]);
}
function field(number, ...parts) {
  const inner = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([varint(number * 8 + 2), varint(inner.length), inner]);
}
function fixed64(number, value) {
  const bytes = Buffer.alloc(9);
  bytes[0] = number * 8 + 1;
  bytes.writeBigUInt64LE(value, 1);
  return bytes;
}
function attribute(key, text) {
  return field(9, field(1, key), field(2, field(1, text)));
}

/** `ExportTraceServiceRequest` with a new trace. */
function oneTrace() {
  const [traceId, root, now] = [randomBytes(16), randomBytes(8), BigInt(Date.now()) * 1_000_000n];
  const spans = Array.from({ length: spansOfTrace }, (_, n) =>
    field(
      2,
      field(1, traceId),
      field(2, n === 0 ? root : randomBytes(8)),
      ...(n === 0 ? [] : [field(4, root)]),
      field(5, n === 0 ? 'answer' : `step ${n}`),
      fixed64(7, now + BigInt(n) * 1000n),
      fixed64(8, now + 5_000_000n),
      attribute('mlflow.spanType', n % 3 === 0 ? 'LLM' : 'TOOL'),
      attribute('mlflow.spanInputs', JSON.stringify({ question: 'what colour is grass? '.repeat(45) })),
      attribute('mlflow.spanOutputs', '"green"'),
      field(15, [0x18, 1]),
    ),
  );
  return field(1, field(2, ...spans));
}

function send(base, agent, body) {
  const headers = {
    'content-type': 'application/x-protobuf',
    'content-length': body.length,
    'x-mlflow-experiment-id': '0',
  };
  return new Promise((resolve, reject) => {
    const sent = request(new URL('/v1/traces', base), { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.on('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`answered ${response.statusCode}`)),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

async function compare() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '4' },
      rounds: { type: 'string', default: '3' },
      connections: { type: 'string', default: '1,8' },
      url: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const venv = process.env.MLFLOW_VENV;
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-bench-'));
  const servers = [];
  try {
    servers.push(await startTidemill({ folder, url: values.url }));
    if (venv !== undefined) servers.push(await startMlflow({ folder, venv }));
    const rows = [];
    for (const connections of values.connections.split(',').map(Number))
      for (const row of await alternate(self, servers, {
        rounds: Number(values.rounds),
        seconds: Number(values.seconds),
        connections,
      })) {
        const spans = Math.round(row.perSecond * spansOfTrace);
        rows.push({ ...row, connections, spansPerSecond: spans });
        if (!values.json)
          console.log(
            `${row.server.padEnd(16)} ${String(connections).padStart(2)} connections ${String(spans).padStart(7)} spans/s   p50 ${row.p50Ms.toFixed(1)} ms   p99 ${row.p99Ms.toFixed(1)} ms   ${((row.processorMs * 1000) / spansOfTrace).toFixed(0)} µs of processor a span`,
          );
      }
    if (values.json) console.log(JSON.stringify(rows, null, 2));
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
