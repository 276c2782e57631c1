// How long `tidemill up` takes to be ready, and what all of its processes hold in memory when idle with nothing deployed.
// node bench/start.mjs [rounds]     goals: 1.5 s from the start of the process, 180 MB PSS
//
// Where the time goes (CPU of the control plane, 0.75 s in all; it was 2.2 s when Node.js still looked up, read and linked
// 1,300 modules one by one): reading and compiling the bundled program 0.3 s; a new database and its migrations 0.1 s;
// registering 250 routes 0.15 s (their schemas are compiled at their first request); starting modules and consumers, whose
// first units are committed with fsync, 0.1 s. The data plane (0.12 s of CPU) starts beside that when its port is known.
// On a busy machine the CPU figures say more than the clock does.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { memoryMb, processTree } from './support/process-tree.mjs';

const rounds = Number(process.argv[2] ?? 5);
const idleMs = 5_000;
const launcher = new URL('../bin/tidemill', import.meta.url).pathname;

const results = [];
for (let round = 0; round < rounds; round += 1) results.push(await measure());
const median = (key) => results.map((result) => result[key]).sort((a, b) => a - b)[Math.floor(results.length / 2)];
console.log(
  JSON.stringify({
    rounds,
    readySeconds: median('readySeconds'),
    cpuSeconds: median('cpuSeconds'),
    helpSeconds: median('helpSeconds'),
    idlePssMb: median('idlePssMb'),
    processes: median('processes'),
    load: loadavg()[0],
    node: process.version,
  }),
);

async function measure() {
  const home = mkdtempSync(join(tmpdir(), 'tidemill-bench-'));
  const port = await freePort(); // known, as for everybody who takes the default
  const began = performance.now();
  const child = spawn(launcher, ['up', '--json', '--home', home, '--port', port, '--serving-port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => createInterface({ input: child.stdout }).once('line', resolve));
  const readySeconds = (performance.now() - began) / 1000;
  const cpuSeconds = cpuOf(child.pid);
  await delay(idleMs);
  const record = JSON.parse(readFileSync(join(home, 'serving', 'process.json'), 'utf8'));
  const pids = [...new Set([child.pid, record.pid].flatMap((root) => processTree(root).map(({ pid }) => pid)))];
  const idlePssMb = pids.reduce((total, pid) => total + memoryMb(pid).pssMb, 0);
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
  rmSync(home, { recursive: true, force: true });
  return { readySeconds, cpuSeconds, helpSeconds: timeHelp(), idlePssMb, processes: pids.length };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return String(port);
}

/** User and system time of a process so far, in seconds; Linux counts in hundredths. */
function cpuOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function timeHelp() {
  const began = performance.now();
  spawnSync(launcher, ['--help'], { stdio: 'ignore' });
  return (performance.now() - began) / 1000;
}
