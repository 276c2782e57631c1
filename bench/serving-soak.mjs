// Half of what the data plane can do, for as long as one likes: does its memory stay, does any request fail, is every answered
// prediction in the log once? `tidemill up` on a fresh home, breast-cancer boosting, one row as JSON, prediction log on.
//   npm run build && nice node bench/serving-soak.mjs [--seconds 600] [--every 10] [--connections 16] [--peak-seconds 5] [--json]
// Every `--every` seconds a line: mean memory of the data plane, of the control plane and its workers, requests, p50 and p99.
// Goals: over the last five minutes (or the last half, when that is shorter) the data plane's PSS grows by less than 1 MB a
// minute, by least squares over what it was each second (garbage comes and goes by 20 MB); no bad answer; the log has each answered prediction once. tests/serving runs 20 s of it.
import { fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { slopeOf } from './support/least-squares.mjs';
import { planesMemoryMb, sample, startServedModel } from './support/serving-tidemill.mjs';
import { httpRequest, runSocketLoad } from './support/socket-load.mjs';

const self = fileURLToPath(import.meta.url);
const drainSeconds = 180;
const sampleMs = 1_000;
const idHeader = 'x-tidemill-prediction-id: ';

await (process.argv[2] === 'load' ? runLoad(JSON.parse(process.argv[3])) : soak());

/** In a process of its own: answers what was answered, and the sums of the ids of the predictions. */
async function runLoad({ port, connections, seconds, perSecond, everyMs }) {
  const requests = sample.rows.map((row, index) => {
    const data = row.map((value) => Number(value.toPrecision(7)));
    const inputs = [{ name: 'x', shape: [1, 30], datatype: 'FP32', data }];
    const body = JSON.stringify({ parameters: { keys: `patient-${index}` }, inputs });
    return httpRequest({ port, path: '/v2/models/bc/infer', body });
  });
  const ids = { answered: 0, low: 0, high: 0 };
  const hear = (answer) => {
    const end = answer.indexOf(idHeader) + idHeader.length + 36;
    ids.answered += 1;
    ids.low += Number.parseInt(answer.slice(end - 6, end), 16);
    ids.high += Number.parseInt(answer.slice(end - 12, end - 6), 16);
  };
  const tell = (figures) => process.send({ figures });
  const options = { port, requests, connections, seconds, expected: '"probabilities"', hear };
  const result = await runSocketLoad({ ...options, ...(perSecond !== undefined && { perSecond, everyMs, tell }) });
  process.send({ result: { ...result, ids } });
  process.disconnect();
}

function load(options, heard = () => undefined) {
  const child = fork(self, ['load', JSON.stringify(options)]);
  return new Promise((resolve, reject) => {
    child.on('message', ({ figures, result }) => (result === undefined ? heard(figures) : resolve(result)));
    child.once('exit', (code) => reject(new Error(`the load ended with ${code}`)));
  });
}

async function soak() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '600' },
      every: { type: 'string', default: '10' },
      connections: { type: 'string', default: '16' },
      'peak-seconds': { type: 'string', default: '5' },
      json: { type: 'boolean', default: false },
    },
  });
  const [seconds, every, connections] = [values.seconds, values.every, values.connections].map(Number);
  const say = values.json ? () => undefined : console.log;
  const home = mkdtempSync(join(tmpdir(), 'tidemill-soak-'));
  let plane;
  try {
    plane = await startServedModel(home);
    const target = { port: plane.port, connections };
    const warm = await load({ ...target, seconds: 1 });
    const peak = await load({ ...target, seconds: Number(values['peak-seconds']) });
    const perSecond = Math.round(peak.perSecond / 2);
    say(`peak ${Math.round(peak.perSecond)} requests/s; ${perSecond} for ${seconds} s on ${cpus().length} CPUs`);
    const samples = [];
    const startedMs = performance.now();
    const second = () => (performance.now() - startedMs) / 1000;
    const sampling = setInterval(() => samples.push({ second: second(), ...planesMemoryMb(plane.pid) }), sampleMs);
    const soaked = await load({ ...target, seconds, perSecond, everyMs: every * 1000 }, (figures) =>
      say(lineOf(figures, second(), samples.slice(-every))),
    );
    clearInterval(sampling);
    const runs = [warm, peak, soaked];
    const sum = (of) => runs.reduce((total, run) => total + of(run), 0);
    const answered = {
      records: sum(({ ids }) => ids.answered),
      low: sum(({ ids }) => ids.low),
      high: sum(({ ids }) => ids.high),
    };
    const logged = await readLog(plane, answered.records, join(home, 'log'));
    const { ids: _ids, ...figures } = soaked;
    const bad = sum((run) => run.bad);
    report(
      { seconds, peak: peak.perSecond, asked: perSecond, ...figures, bad, samples, answered, logged },
      values.json,
    );
  } finally {
    await plane?.stop();
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What the log holds when it has all that was answered, or has not got it in `drainSeconds`. */
async function readLog(plane, wanted, folder) {
  const fromMs = performance.now();
  const waited = () => (performance.now() - fromMs) / 1000;
  await plane.api('/flush', { timeout: 120 });
  while ((await plane.api('/predictions')).rows < wanted && waited() < drainSeconds) await delay(50);
  const tookSeconds = waited();
  mkdirSync(folder);
  const get = async (path) => {
    const answer = await fetch(new URL(`/api/v1/artifacts${path}`, plane.url));
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
    return answer;
  };
  let next;
  do {
    const more = next === undefined ? '' : `&cursor=${encodeURIComponent(next)}`;
    const page = await (await get(`?owner=prediction:log/bc&limit=500${more}`)).json();
    for (const { sha256 } of page.items)
      await writeFile(join(folder, `${sha256}.parquet`), (await get(`/${sha256}`)).body);
    next = page.next;
  } while (next !== undefined);
  const database = await DuckDBInstance.create(':memory:', {
    memory_limit: '1GB',
    temp_directory: join(folder, 'tmp'),
  });
  const connection = await database.connect();
  const part = (from, to) => `sum(('0x' || substr(prediction_id, ${from}, ${to}))::bigint)::double`;
  const read = await connection.runAndReadAll(
    `select count(*)::double as records, count(distinct prediction_id)::double as distinct_ids,
      ${part(31, 6)} as low, ${part(25, 6)} as high from read_parquet('${folder}/*.parquet')`,
  );
  const [found] = read.getRowObjectsJS();
  database.closeSync();
  return { ...found, tookSeconds };
}

function lineOf({ requests, bad, p50Ms, p99Ms }, second, recent) {
  const mean = (field) => (recent.reduce((sum, one) => sum + one[field], 0) / recent.length).toFixed(1).padStart(6);
  return `${second.toFixed(0).padStart(4)} s   data plane ${mean('dataPssMb')} MB PSS ${mean('dataRssMb')} MB RSS   intake ${mean('intakePssMb')} MB   ${requests} requests   ${bad} bad   p50 ${p50Ms.toFixed(2)} ms   p99 ${p99Ms.toFixed(2)} ms`;
}

function report({ samples, answered, logged, ...figures }, json) {
  const from = Math.max(figures.seconds / 2, figures.seconds - 300);
  const late = samples.filter(({ second }) => second >= from);
  const growth = (field) => slopeOf(late.map((one) => [one.second / 60, one[field]]));
  const summary = {
    ...figures,
    mostPssMb: Math.max(...samples.map(({ dataPssMb }) => dataPssMb)),
    mbPerMinute: growth('dataPssMb'),
    intakeMbPerMinute: growth('intakePssMb'),
    answered: answered.records,
    logged: logged.records,
    twice: logged.records - logged.distinct_ids,
    // the sums agree only when the same predictions are on both sides
    sameIds: answered.low === logged.low && answered.high === logged.high,
    drainSeconds: logged.tookSeconds,
  };
  if (json) console.log(JSON.stringify(summary));
  else {
    console.log(
      `data plane ${summary.mbPerMinute.toFixed(2)} MB/min over the last ${figures.seconds - from} s (goal below 1), ${summary.mostPssMb.toFixed(0)} MB at most; intake ${summary.intakeMbPerMinute.toFixed(2)} MB/min`,
    );
    console.log(
      `${figures.requests} requests, ${figures.perSecond.toFixed(0)}/s, ${figures.behind} behind; p50 ${figures.p50Ms.toFixed(2)} ms, p99 ${figures.p99Ms.toFixed(2)} ms; ${figures.bad} bad`,
    );
    console.log(
      `${summary.logged} of ${summary.answered} answered predictions are in the log, ${summary.twice} twice, ${summary.sameIds ? 'the same ones' : 'NOT the same ones'}; ${summary.drainSeconds.toFixed(1)} s after the last answer`,
    );
  }
  const isWhole = summary.bad === 0 && summary.logged === summary.answered && summary.twice === 0 && summary.sameIds;
  if (!isWhole || (figures.seconds >= 600 && summary.mbPerMinute >= 1)) process.exitCode = 1;
}
