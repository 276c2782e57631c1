// The load generators of the field, run as they are: wrk for HTTP, ghz for gRPC.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A closed loop of POSTs by `wrk`: requests a second, latencies, and how many answers were none of 200. */
export async function wrk({ base, path, headers = {}, body, connections, seconds }) {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-wrk-'));
  try {
    writeFileSync(join(folder, 'body'), body);
    const all = { 'content-type': 'application/json', ...headers };
    const lua = `
      wrk.method = "POST"
      local file = io.open("${join(folder, 'body')}", "rb")
      wrk.body = file:read("*a")
      ${Object.entries(all)
        .map(([name, value]) => `wrk.headers["${name}"] = "${value}"`)
        .join('\n')}
      function done(summary, latency)
        local errors = summary.errors
        io.write(string.format('{"calls":%d,"us":%d,"p50Us":%d,"p99Us":%d,"bad":%d}\\n', summary.requests, summary.duration,
          latency:percentile(50), latency:percentile(99),
          errors.status + errors.connect + errors.read + errors.write + errors.timeout))
      end`;
    writeFileSync(join(folder, 'post.lua'), lua);
    const threads = connections > 1 ? 2 : 1;
    const args = ['-t', `${threads}`, '-c', `${connections}`, '-d', `${seconds}s`, '-s', join(folder, 'post.lua')];
    const { stdout } = await run('wrk', [...args, new URL(path, base).href]);
    const { calls, us, p50Us, p99Us, bad } = JSON.parse(stdout.slice(stdout.lastIndexOf('{')));
    return { calls, perSecond: (calls / us) * 1e6, p50Ms: p50Us / 1000, p99Ms: p99Us / 1000, bad };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A closed loop of unary calls by `ghz`, over up to four connections. */
export async function ghz({ host, proto, method, message, connections, seconds }) {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-ghz-'));
  try {
    writeFileSync(join(folder, 'message.json'), JSON.stringify(message));
    const args = [
      '--insecure',
      ...['--proto', proto, '--call', method, '--data-file', join(folder, 'message.json')],
      ...['--concurrency', `${connections}`, '--connections', `${Math.min(4, connections)}`],
      ...['--duration', `${seconds}s`, '--duration-stop', 'wait', '--format', 'json', host],
    ];
    const { stdout } = await run('ghz', args, { maxBuffer: 1 << 28 });
    const { count, rps, latencyDistribution, statusCodeDistribution } = JSON.parse(stdout);
    const at = (percentage) => (latencyDistribution.find((one) => one.percentage === percentage)?.latency ?? 0) / 1e6;
    return {
      calls: count,
      perSecond: rps,
      p50Ms: at(50),
      p99Ms: at(99),
      bad: count - (statusCodeDistribution.OK ?? 0),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
