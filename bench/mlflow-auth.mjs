// What authentication costs a request: processor time of the server for `experiments/get`, the cheapest call, without and
// with the credentials that MLflow's client sends, in alternating pairs on one server.
//   npm run build && node bench/mlflow-auth.mjs [--pairs 20] [--seconds 2]
// Goal: the median of 20 pairs under 5 % more processor time.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { call } from './support/http.mjs';
import { processorMs } from './support/load.mjs';
import { startTidemill } from './support/servers.mjs';

const script = join(fileURLToPath(import.meta.url), '../support/load.py');
const { values } = parseArgs({
  options: { pairs: { type: 'string', default: '20' }, seconds: { type: 'string', default: '2' } },
});
const folder = mkdtempSync(join(tmpdir(), 'tidemill-bench-'));
const server = await startTidemill({ folder });
const options = { base: server.base, what: 'get-experiment', connections: 8, quickack: true };

/** Milliseconds of processor a request. */
async function costOf(headers, seconds) {
  const before = processorMs(server.group);
  const { stdout } = await promisify(execFile)('python3', [script, JSON.stringify({ ...options, headers, seconds })]);
  return (processorMs(server.group) - before) / JSON.parse(stdout).calls;
}

const median = (numbers) => {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.floor(sorted.length / 2)]) / 2;
};

try {
  const { text } = await call(server.base, undefined, 'POST', '/api/v1/tokens', { name: 'bench', role: 'editor' });
  const { token } = JSON.parse(text);
  const schemes = {
    Bearer: { Authorization: `Bearer ${token}` },
    Basic: { Authorization: `Basic ${Buffer.from(`ann:${token}`).toString('base64')}` },
  };
  for (const [name, headers] of Object.entries(schemes)) {
    for (const warm of [{}, headers]) await costOf(warm, 2);
    const pairs = [];
    for (let n = 0; n < Number(values.pairs); n += 1) {
      // each second pair the other way round: what grows over time meets both alike
      const [first, second] = n % 2 === 0 ? [{}, headers] : [headers, {}];
      const a = await costOf(first, Number(values.seconds));
      const b = await costOf(second, Number(values.seconds));
      pairs.push(n % 2 === 0 ? { without: a, with: b } : { without: b, with: a });
    }
    const without = median(pairs.map((pair) => pair.without));
    const more = median(pairs.map((pair) => pair.with / pair.without)) - 1;
    console.log(
      `${name.padEnd(6)} ${(without * 1000).toFixed(0)} µs of processor a request without, ${(more * 100).toFixed(1)} % more with (median of ${pairs.length} pairs; goal under 5 %)`,
    );
  }
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
