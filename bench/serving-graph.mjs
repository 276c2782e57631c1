// What a graph of one model costs beside the model itself: node bench/serving-graph.mjs (after npm run build).
// One row, 16 requests at a time, through the batchers that the data plane has; processor time of the whole process, which
// holds on a busy machine, best of the rounds. The model runs in its thread, as it does in the data plane.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createBatcher } from '../dist/runtimes/batcher.js';
import { createGraphRuntime } from '../dist/runtimes/graph/graph-runtime.js';
import { createOnnxThreadRuntime } from '../dist/runtimes/onnx.js';
import { createPassThrough } from '../dist/runtimes/pass-through.js';

const model = fileURLToPath(new URL('../src/runtimes/fixtures/breast-cancer.onnx', import.meta.url));
const limits = { maxRows: 256, maxQueued: 1_024, timeoutMs: 60_000 };
const [requests, atOnce, rounds] = [20_000, 16, 5];

const onnx = createOnnxThreadRuntime();
const graphs = createGraphRuntime({ runtimeOf: async () => onnx, mayLeaveFolder: true });
const folder = await mkdtemp(join(tmpdir(), 'tidemill-bench-'));
async function load(name, nodes) {
  const path = join(folder, `${name}.yaml`);
  await writeFile(path, `nodes:\n${nodes}`);
  return graphs.load({ mainPath: path, batching: limits });
}
const node = (name) => `  ${name}: { file: ${model} }\n`;
const subjects = {
  'the model': await onnx.load({ mainPath: model }),
  'a graph of one node': await load('one', node('a')),
  'a switch over one model': await load(
    'switch',
    `${node('a')}  b: { switch: [ { when: "inputs.x[0] > 1", to: a }, { to: a } ] }\n`,
  ),
  'the mean of two models': await load(
    'mean',
    `${node('a')}${node('b')}  m: { use: mean, of: [a.probabilities, b.probabilities] }\n`,
  ),
};

const input = { name: 'x', datatype: 'FP32', shape: [1, 30], data: new Float32Array(30).fill(2) };
async function round(batcher) {
  let left = requests;
  const before = process.cpuUsage();
  const fromMs = performance.now();
  const loop = async () => {
    while (left > 0) {
      left -= 1;
      await batcher.predict([input]);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, loop));
  const { user, system } = process.cpuUsage(before);
  return { cpuUs: (user + system) / requests, wallUs: ((performance.now() - fromMs) * 1_000) / requests };
}

const batchers = Object.entries(subjects).map(([name, subject]) => ({
  name,
  batcher: subject.schedules
    ? createPassThrough(subject, subject.signature)
    : createBatcher(subject, subject.signature, limits),
  all: [],
}));
for (const { batcher } of batchers) await round(batcher); // warm
// in turn, so that what else the machine does meets all of them
for (let at = 0; at < rounds; at += 1) for (const { batcher, all } of batchers) all.push(await round(batcher));
for (const { name, all } of batchers) {
  const best = (of) => Math.min(...all.map(of)).toFixed(1);
  console.log(
    `${name.padEnd(26)} ${best(({ cpuUs }) => cpuUs)} µs of processor, ${best(({ wallUs }) => wallUs)} µs a request`,
  );
}
await graphs.close();
await onnx.close();
