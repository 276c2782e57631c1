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
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

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
  const pids = [...new Set([child.pid, record.pid].flatMap(treeOf))];
  const idlePssMb = pids.reduce((total, pid) => total + pssOf(pid), 0) / 1024;
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

/** A process and what it has started. */
function treeOf(root) {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return [[Number(pid), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])]];
      } catch {
        return []; // it has ended
      }
    });
  const tree = [root];
  for (const pid of tree) tree.push(...parents.filter(([, parent]) => parent === pid).map(([child]) => child));
  return tree;
}

/** Proportional set size in kB: shared pages are counted once over all who share them. */
function pssOf(pid) {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
}
