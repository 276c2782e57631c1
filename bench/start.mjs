// How long `tidemill up` takes to be ready, and what all of its processes hold in memory when idle with nothing deployed.
// node bench/start.mjs [rounds]     goals: 1.5 s from the start of the process, 180 MB PSS
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
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
    idlePssMb: median('idlePssMb'),
    processes: median('processes'),
    load: loadavg()[0],
    node: process.version,
  }),
);

async function measure() {
  const home = mkdtempSync(join(tmpdir(), 'tidemill-bench-'));
  const began = performance.now();
  const child = spawn(launcher, ['up', '--json', '--home', home, '--port', '0', '--serving-port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => createInterface({ input: child.stdout }).once('line', resolve));
  const readySeconds = (performance.now() - began) / 1000;
  await delay(idleMs);
  const record = JSON.parse(readFileSync(join(home, 'serving', 'process.json'), 'utf8'));
  const pids = [...new Set([child.pid, record.pid].flatMap(treeOf))];
  const idlePssMb = pids.reduce((total, pid) => total + pssOf(pid), 0) / 1024;
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
  rmSync(home, { recursive: true, force: true });
  return { readySeconds, idlePssMb, processes: pids.length };
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
