// How long `tidemill serve` takes from the start of the process to its first answer, and what it holds in memory, with one
// model and with hundreds. A program of its own, each time a new process; run after `npm run build`.
// node bench/serve-start.mjs [rounds] [models]     goals: 0.6 s; 150 MB and 0.5 MB a small model, PSS
//
// Where the time goes on one free core (some 0.3 s of CPU in all): Node.js itself 0.04 s, reading and compiling 0.5 MB of
// program 0.08 s, a thread with onnxruntime and its first session 0.09 s.
// On a busy machine the CPU figures say more than the clock does, and the best of the rounds more than the median.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { processTree } from './support/process-tree.mjs';

const [rounds = 7, count = 200] = process.argv.slice(2).map(Number);
const root = new URL('..', import.meta.url).pathname;
const fixtures = join(root, 'src/runtimes/fixtures');
const model = join(fixtures, 'breast-cancer.onnx');
const { rows } = JSON.parse(readFileSync(join(fixtures, 'breast-cancer.json'), 'utf8'));
const body = JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 30], data: rows[0] }] });

const one = [];
for (let round = 0; round < rounds; round += 1) one.push(await measure(model, ['breast-cancer']));
const folder = mkdtempSync(join(tmpdir(), 'tidemill-bench-'));
const names = Array.from({ length: count }, (_, index) => `m${index}`);
for (const name of names) copyFileSync(model, join(folder, `${name}.onnx`));
const many = await measure(folder, names);
rmSync(folder, { recursive: true });

const best = (key) => Math.min(...one.map((result) => result[key]));
const median = (key) => one.map((result) => result[key]).toSorted((a, b) => a - b)[one.length >> 1];
console.log(
  JSON.stringify({
    rounds,
    firstAnswerSeconds: { best: best('firstAnswerSeconds'), median: median('firstAnswerSeconds') },
    readySeconds: { best: best('readySeconds'), median: median('readySeconds') },
    cpuSeconds: { best: best('cpuSeconds'), median: median('cpuSeconds') },
    pssMb: median('pssMb'),
    many: { models: count, ...many, bytesAModel: Math.round(((many.pssMb - median('pssMb')) / count) * 1024 ** 2) },
    load: loadavg()[0],
    node: process.version,
  }),
);

/** Asks each model once; memory is looked at after that. */
async function measure(path, models) {
  const began = performance.now();
  const seconds = () => Math.round(performance.now() - began) / 1000;
  const args = ['serve', path, '--serving-port', '0', '--grpc-port', '0', '--json'];
  const child = spawn(join(root, 'bin/tidemill'), args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const readySeconds = seconds();
  const { url } = JSON.parse(line);
  await ask(url, models[0]);
  const firstAnswerSeconds = seconds();
  const cpuSeconds = processTree(child.pid).reduce((sum, { ms }) => sum + ms, 0) / 1000;
  for (const name of models.slice(1)) await ask(url, name);
  const pssKb = processTree(child.pid).reduce((sum, { pid }) => sum + pssOf(pid), 0);
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
  return { firstAnswerSeconds, readySeconds, cpuSeconds, pssMb: Math.round(pssKb / 102.4) / 10 };
}

async function ask(url, name) {
  const answer = await fetch(`${url}/v2/models/${name}/infer`, { method: 'POST', body });
  if (!answer.ok) throw new Error(`${name} answered ${answer.status}: ${await answer.text()}`);
  await answer.arrayBuffer();
}

/** Proportional set size in kB: shared pages are counted once over all who share them. */
function pssOf(pid) {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
}
