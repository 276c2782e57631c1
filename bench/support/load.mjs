// Loads run in a process of their own, so that what they cost is not counted to the one that reports.
import { fork } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { Agent } from 'node:http';

/** Runs the script `file` with `load` and these options as arguments; answers what it sends with `report`. */
function measure(file, options) {
  return new Promise((resolve, reject) => {
    const child = fork(file, ['load', JSON.stringify(options)]);
    let result;
    child.once('message', (message) => (result = message));
    child.once('exit', (code) => (result ? resolve(result) : reject(new Error(`the load ended with ${code}`))));
  });
}

/** The options of a process that `measure` has started; undefined in the one that reports. */
export const loadOptions = () => (process.argv[2] === 'load' ? JSON.parse(process.argv[3]) : undefined);

/** Calls `next(connection, n)` one after the other on each connection until the time is over, and reports how long each took. */
export async function runLoad({ seconds, connections, keepAlive, prepare = async () => undefined, next }) {
  const agent = new Agent({ keepAlive, maxSockets: connections });
  const prepared = [];
  for (let n = 0; n < connections; n += 1) prepared.push(await prepare(agent));
  const latencies = [];
  const begun = performance.now();
  const until = begun + seconds * 1000;
  await Promise.all(
    prepared.map(async (own) => {
      for (let n = 0; performance.now() < until; n += 1) {
        const start = performance.now();
        await next(agent, own, n);
        latencies.push(performance.now() - start);
      }
    }),
  );
  const elapsed = (performance.now() - begun) / 1000;
  agent.destroy();
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
  process.send({ perSecond: latencies.length / elapsed, p50Ms: at(0.5), p99Ms: at(0.99), calls: latencies.length });
}

/** Processor time used so far by every process of a group, in ms; undefined where there is no /proc. */
export function processorMs(group) {
  if (process.platform !== 'linux' || group === undefined) return undefined;
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
      if (Number(fields[2]) === group) ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // it ended meanwhile
    }
  }
  return ticks * 10; // a tick is 10 ms on every Linux that Node.js runs on
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

const warmed = new Set();

/** Seconds that a server is loaded for before it is measured: a fresh one is at half its speed until V8 has compiled it. */
function warmSeconds(base) {
  const seconds = warmed.has(base) ? 1 : 8;
  warmed.add(base);
  return seconds;
}

/**
 * Measures servers in alternating rounds with the loads of the script `file`, and answers a row of medians for each: what
 * else the machine does meets all of them alike.
 */
export async function alternate(file, servers, { rounds, seconds, ...options }) {
  const results = new Map(servers.map(({ name }) => [name, []]));
  for (const { base } of servers) await measure(file, { ...options, base, seconds: warmSeconds(base) });
  for (let round = 0; round < rounds; round += 1)
    for (const { name, base, group } of servers) {
      const before = processorMs(group);
      const result = await measure(file, { ...options, base, seconds });
      const used = before === undefined ? Number.NaN : processorMs(group) - before;
      results.get(name).push({ ...result, processorMs: used / result.calls });
    }
  return servers.map(({ name, version, readyMs }) => {
    const of = (field) => median(results.get(name).map((result) => result[field]));
    return {
      server: name === 'mlflow' ? `mlflow ${version}` : name,
      perSecond: of('perSecond'),
      p50Ms: of('p50Ms'),
      p99Ms: of('p99Ms'),
      processorMs: of('processorMs'),
      readyMs,
    };
  });
}

/** One row as a line of text. */
export function printRow({ server, perSecond, p50Ms, p99Ms, processorMs, readyMs }, what) {
  console.log(
    `${server.padEnd(16)} ${what.padEnd(34)} ${perSecond.toFixed(perSecond < 20 ? 1 : 0).padStart(6)} requests/s   p50 ${p50Ms.toFixed(1)} ms   p99 ${p99Ms.toFixed(1)} ms   ${processorMs.toFixed(2)} ms of processor a request   ready in ${(readyMs / 1000).toFixed(1)} s`,
  );
}
