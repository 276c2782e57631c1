// Steps of a pipeline over HTTP against a running server (SQLite, synchronous=FULL): a chain of 10, a fan-out of 100,
// the same fan-out fully cached; each step is `cp` of one file, without a shell. Beside it, in the same run, the same
// number of bare `child_process.spawn` of the same `cp`, two at a time.
//   npm run build && node bench/steps.mjs [--rounds 5] [--json]
// Every step's output holds the same bytes, so that the store syncs a file once and its folder each time; steps whose
// outputs differ wait for one file sync more, outside of the event loop.
//
// What a step still costs the server, in the order of weight: some 25 statements and 5 events in two units (record and
// claim; settle and go on), of which building and compiling them costs more than SQLite; two commits and one sync, for which
// the event loop stands still. It starts two programs (sh, the command), by a small process beside the server.
// Goals: 0.2 s, 1 s, 0.15 s. Wall seconds are medians; the server's processor time, which a busy machine changes less, is
// printed beside them, with the load.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, json: { type: 'boolean', default: false } },
});
const rounds = Number(values.rounds);
const root = fileURLToPath(new URL('..', import.meta.url));
const load = async (path) => await import(new URL(`../dist/${path}`, import.meta.url));
const [{ createClient }, { startRun, getRun }, { applyWorkspace }] = await Promise.all(
  ['sdk/index.js', 'contracts/pipelines.js', 'contracts/workspace.js'].map(load),
);
const { openProjectFolder } = await load('cli/workspace/project-folder.js');
const { createProjectSender, ensureProject } = await load('cli/workspace/send.js');

/** A fan-out of 100, measured elsewhere on two cores. */
const peers = [
  { name: 'Snakemake', version: '9.27', seconds: 3.7 },
  { name: 'DVC', version: '3.67', seconds: 8 },
  { name: 'ZenML', version: '0.98', seconds: 12 },
  { name: 'Metaflow', version: '2.19', seconds: 26 },
];
const chainOf = 10;
const fanOf = 100;
const folder = mkdtempSync(join(tmpdir(), 'tidemill-bench-'));
const project = join(folder, 'project');
mkdirSync(project);
writeFileSync(join(project, 'seed.txt'), 'one line\n');
writeFileSync(join(project, 'tidemill.yaml'), documentText());

function documentText() {
  const chain = Array.from({ length: chainOf }, (_, n) =>
    n === 0
      ? "      s0: { run: [cp, seed.txt, '${outputs.x}'], outputs: [x] }"
      : `      s${n}: { run: [cp, '\${inputs.x}', '\${outputs.x}'], env: { N: '${n}' }, inputs: { x: s${n - 1}.x }, outputs: [x] }`,
  );
  const fan = Array.from(
    { length: fanOf },
    (_, n) => `      s${n}: { run: [cp, seed.txt, '\${outputs.x}'], env: { N: '${n}' }, outputs: [x] }`,
  );
  return `project: bench
pipelines:
  chain:
    params: { round: 0 }
    steps:
${chain.join('\n')}
  fan:
    params: { round: 0 }
    steps:
${fan.join('\n')}
`;
}

const server = spawn(
  join(root, 'bin/tidemill'),
  ['up', '--json', '--home', join(folder, 'home'), '--port', '0', '--serving-port', '0'],
  { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] },
);
try {
  const [line] = await Promise.race([
    new Promise((resolve) => createInterface({ input: server.stdout }).once('line', (text) => resolve([text]))),
    new Promise((_, reject) => server.once('exit', (code) => reject(new Error(`the server ended with ${code}`)))),
  ]);
  const client = await ensureProject(createClient({ url: JSON.parse(line).url }), 'bench');
  const snapshot = await (await createProjectSender(client, await openProjectFolder(project))).snapshot();
  await client.call(applyWorkspace, { body: { snapshot } });
  await report(client);
} finally {
  server.kill('SIGTERM');
  await new Promise((resolve) => (server.exitCode === null ? server.once('exit', resolve) : resolve()));
  rmSync(folder, { recursive: true, force: true });
}

/** Seconds of processor time of the server's own threads; its steps are not part of it. */
function serverCpu() {
  const fields = readFileSync(`/proc/${server.pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function timed(work) {
  const cpu = serverCpu();
  const begun = performance.now();
  await work();
  return { wall: (performance.now() - begun) / 1000, cpu: serverCpu() - cpu };
}

async function runPipeline(client, name, round, expected) {
  const started = await client.call(startRun, { params: { name }, body: { params: { round } } });
  let run = started;
  while (run.state === 'running')
    run = await client.call(getRun, { params: { runId: started.id }, query: { wait: 30 } });
  const wrong = run.steps.find(({ state }) => state !== expected);
  if (run.state !== 'succeeded' || wrong !== undefined) throw new Error(`${name}: ${JSON.stringify(wrong ?? run)}`);
}

/** The same commands and nothing else: `cp` by spawn, output to a pipe that is read. */
async function bare(count, atOnce) {
  let next = 0;
  const one = async () => {
    while (next < count) {
      next += 1;
      await new Promise((resolve, reject) => {
        const child = spawn('cp', [join(project, 'seed.txt'), join(folder, `bare-${next}`)], { detached: true });
        child.stdout.resume();
        child.once('close', resolve);
        child.once('error', reject);
      });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
}

async function report(client) {
  const kinds = [
    {
      name: 'chain of 10',
      goal: 0.2,
      bare: () => bare(chainOf, 1),
      run: (n) => runPipeline(client, 'chain', n, 'succeeded'),
    },
    {
      name: 'fan-out of 100',
      goal: 1,
      bare: () => bare(fanOf, 2),
      run: (n) => runPipeline(client, 'fan', n, 'succeeded'),
    },
    { name: 'the same, cached', goal: 0.15, run: (n) => runPipeline(client, 'fan', n, 'cached') },
  ];
  const measured = kinds.map(() => ({ wall: [], cpu: [], bare: [] }));
  for (let round = 0; round <= rounds; round += 1)
    for (const [index, kind] of kinds.entries()) {
      const took = await timed(() => kind.run(round));
      const alone = kind.bare === undefined ? undefined : await timed(kind.bare);
      if (round === 0) continue; // warms up
      measured[index].wall.push(took.wall);
      measured[index].cpu.push(took.cpu);
      if (alone !== undefined) measured[index].bare.push(alone.wall);
    }
  const results = kinds.map(({ name, goal }, index) => ({
    name,
    goalSeconds: goal,
    seconds: median(measured[index].wall),
    bestSeconds: Math.min(...measured[index].wall),
    serverCpuSeconds: median(measured[index].cpu),
    bareSpawnSeconds: measured[index].bare.length === 0 ? undefined : median(measured[index].bare),
  }));
  const machine = { cores: cpus().length, load: loadavg()[0], node: process.version, rounds };
  if (values.json) return console.log(JSON.stringify({ machine, results, peers }, undefined, 2));
  console.log(
    `${machine.cores} cores, load ${machine.load.toFixed(1)}, Node ${machine.node}, ${rounds} rounds, medians`,
  );
  for (const { name, goalSeconds, seconds, bestSeconds, serverCpuSeconds, bareSpawnSeconds } of results)
    console.log(
      `${name.padEnd(18)} ${text(seconds)} s (best ${text(bestSeconds)}, goal ${goalSeconds}), server's processor time ${text(serverCpuSeconds)} s` +
        (bareSpawnSeconds === undefined ? '' : `, bare spawn ${text(bareSpawnSeconds)} s`),
    );
  const others = peers.map(({ name, version, seconds }) => `${name} ${version} ${seconds} s`).join(', ');
  console.log(`a fan-out of ${fanOf} by others, measured elsewhere on two cores: ${others}`);
}

function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function text(seconds) {
  return seconds.toFixed(3);
}
