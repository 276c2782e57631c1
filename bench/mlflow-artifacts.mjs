// One large artifact through the proxy, up and down: MB/s of Tidemill beside a real `mlflow server`, both with their
// default settings, how much the memory of each server grows meanwhile, and how long one that asks for something small
// waits (with --pings; they cost a little of the throughput). Every upload of ours is durable (fsync) and hashed;
// MLflow's is neither.
//   MLFLOW_VENV=<folder of a venv with mlflow> npm run build && node bench/mlflow-artifacts.mjs
//     [--megabytes 2048] [--rounds 3] [--pings] [--url <a Tidemill that is up>] [--args '<more arguments of up>'] [--json]
// Goals: at least MLflow's throughput each way; memory grows by less than 64 MB. Rounds alternate between the servers;
// the best round is printed too, for a machine that does other things meanwhile. Multipart is ours alone: MLflow has it
// for S3 and its like only.
import { execFile, fork } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { processorMs } from './support/load.mjs';
import { memoryMb } from './support/process-tree.mjs';
import { startMlflow, startTidemill } from './support/servers.mjs';

const support = join(fileURLToPath(import.meta.url), '../support');
const script = join(support, 'artifact.py');
const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '2048' },
    rounds: { type: 'string', default: '3' },
    url: { type: 'string' },
    args: { type: 'string', default: '' },
    pings: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const [megabytes, rounds] = [Number(values.megabytes), Number(values.rounds)];
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

const completed = ({ completion }) =>
  completion === undefined ? '' : `   completing took ${completion.toFixed(1)} s at most`;

const waited = ({ p50Ms, p99Ms, mostMs }) =>
  p50Ms === undefined
    ? ''
    : `   small GETs: p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms, ${mostMs.toFixed(0)} ms at most`;

/** Memory of every process of a group in MB, shared pages counted in part. */
function groupMemoryMb(group) {
  let megabytes = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')[2]) !== group) continue;
      megabytes += memoryMb(pid).pssMb;
    } catch {
      // it ended meanwhile
    }
  }
  return megabytes;
}

/** Asks for something small until the answer is called, which says how long that took. */
function startPings(base) {
  if (!values.pings) return async () => undefined;
  const child = fork(new URL('./support/pings.mjs', import.meta.url), [
    `${base}/api/2.0/mlflow/experiments/get?experiment_id=0`,
  ]);
  return () =>
    new Promise((resolve, reject) => {
      child.once('message', resolve);
      child.once('exit', (code) => reject(new Error(`the pings ended with ${code}`)));
      child.send('stop');
    });
}

async function transfer(server, what, path, file) {
  const before = groupMemoryMb(server.group);
  let peak = before;
  const sampling = setInterval(() => (peak = Math.max(peak, groupMemoryMb(server.group))), 200);
  const endPings = startPings(server.base);
  const usedBefore = processorMs(server.group);
  try {
    const options = JSON.stringify({ base: server.base, what, file, path });
    const { stdout } = await promisify(execFile)('python3', [script, options]);
    const { seconds, completion, bytes } = JSON.parse(stdout);
    const processor = (processorMs(server.group) - usedBefore) / (bytes / 1e9) / 1000;
    return { perSecond: bytes / 1e6 / seconds, completion, processor, growth: peak - before, pings: await endPings() };
  } finally {
    clearInterval(sampling);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'tidemill-bench-'));
const servers = [];
try {
  const file = join(folder, 'file');
  const written = openSync(file, 'w');
  const chunk = Buffer.alloc(1024 * 1024);
  for (let n = 0; n < megabytes; n += 1) writeSync(written, randomFillSync(chunk));
  servers.push(
    await startTidemill({ folder, url: values.url, args: values.args.split(' ').filter((arg) => arg !== '') }),
  );
  if (process.env.MLFLOW_VENV !== undefined) servers.push(await startMlflow({ folder, venv: process.env.MLFLOW_VENV }));
  const results = new Map();
  for (let round = 0; round < rounds; round += 1)
    for (const server of servers)
      for (const what of server.name === 'mlflow' ? ['put', 'get'] : ['put', 'get', 'multipart']) {
        // other bytes each time: what is there already would not be written again
        if (what !== 'get') writeSync(written, randomFillSync(Buffer.alloc(16)), 0, 16, 0);
        const path = `0/bench/artifacts/${what === 'multipart' ? 'parts' : 'file'}-${round}`;
        const key = `${server.name} ${what}`;
        results.set(key, [...(results.get(key) ?? []), await transfer(server, what, path, file)]);
      }
  closeSync(written);
  const rows = [...results].map(([name, all]) => ({
    name,
    perSecond: median(all.map((one) => one.perSecond)),
    best: Math.max(...all.map((one) => one.perSecond)),
    processor: median(all.map((one) => one.processor)),
    growth: Math.max(...all.map((one) => one.growth)),
    ...(all[0].completion !== null && { completion: Math.max(...all.map((one) => one.completion)) }),
    ...(values.pings && {
      p50Ms: median(all.map((one) => one.pings.p50Ms)),
      p99Ms: median(all.map((one) => one.pings.p99Ms)),
      mostMs: Math.max(...all.map((one) => one.pings.mostMs)),
    }),
  }));
  if (values.json) console.log(JSON.stringify({ rows, megabytes, rounds }, null, 2));
  else
    for (const row of rows)
      console.log(
        `${row.name.padEnd(20)} ${row.perSecond.toFixed(0).padStart(5)} MB/s   best ${row.best.toFixed(0).padStart(5)}   ${row.processor.toFixed(2)} s of processor a GB   memory grew by ${row.growth.toFixed(0)} MB at most${completed(row)}${waited(row)}`,
      );
} finally {
  await Promise.all(servers.map((server) => server.stop()));
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
