// `tidemill up` with a model in its registry, deployed by a tidemill.yaml: what is measured by the benches of serving. As a
// script of its own it puts the model into the registry: serving-tidemill.mjs propose <home> boosting|logistic.
import { execFile, fork, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { memoryMb, processTree } from './process-tree.mjs';

const self = fileURLToPath(import.meta.url);
const root = join(self, '../../..');
const program = join(root, 'bin/tidemill');
const fixture = (name) => join(root, 'src/runtimes/fixtures', name);
/** Of 30 columns of FP32: a boosting of 100 trees, and a logistic regression. */
export const modelPaths = {
  boosting: fixture('breast-cancer.onnx'),
  logistic: fixture('breast-cancer-logistic.onnx'),
};
export const sample = JSON.parse(readFileSync(fixture('breast-cancer.json'), 'utf8'));

const document = `project: default
deployments:
  bc: { model: "model:bc@champion" }
`;

if (process.argv[1] === self && process.argv[2] === 'propose') await propose(process.argv[3], process.argv[4]);

/**
 * Puts the model into the registry of a home on which no server runs, by the door through which a pipeline's last step
 * does: a pipeline itself takes models with one input a column, and this one has a matrix.
 */
async function propose(home, model) {
  const load = (path) => import(join(root, 'dist', path));
  const { loadConfig } = await load('platform/config.js');
  const { createLogger } = await load('platform/log.js');
  const { openPlatform } = await load('app/platform.js');
  const { createLineageModule } = await load('modules/lineage/index.js');
  const { createApprovalsModule } = await load('modules/approvals/index.js');
  const { createArtifactsModule } = await load('modules/artifacts/index.js');
  const { createRegistryModule } = await load('modules/registry/index.js');
  const config = loadConfig({ flags: { home }, environment: {}, cwd: home });
  const platform = await openPlatform({ config, version: '0.0.0', logger: createLogger({ level: 'silent' }) });
  const lineage = createLineageModule(platform).api;
  const approvals = createApprovalsModule({ ...platform, lineage }).api;
  const artifacts = createArtifactsModule({ ...platform, lineage }).api;
  const registry = createRegistryModule({ ...platform, lineage, approvals, artifacts }).api;
  const file = { path: 'model.onnx', ...(await platform.blobs.putFile(modelPaths[model])) };
  await platform.database.write({ actor: 'user:bench' }, (unit) =>
    registry.proposeVersion(unit, {
      project: 'default',
      model: 'bc',
      digest: file.sha256,
      files: [file],
      runtime: 'onnx',
      predicts: { kind: 'binary', score: 'probabilities[1]' },
      alias: 'champion',
      checks: [],
    }),
  );
  await platform.close();
  process.disconnect();
}

/** `tidemill up` on a fresh home, in a process group of its own, with the model served. */
export async function startServedModel(home, model = 'boosting') {
  const folder = join(home, 'project');
  mkdirSync(folder);
  writeFileSync(join(folder, 'tidemill.yaml'), document);
  const proposing = fork(self, ['propose', join(home, 'home'), model]);
  const code = await new Promise((resolve) => proposing.once('exit', resolve));
  if (code !== 0) throw new Error(`the model could not be put into the registry: exit ${code}`);
  const args = ['up', '--home', join(home, 'home'), '--port', '0', '--serving-port', '0', '--json'];
  const child = spawn(program, args, { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  const stop = async () => {
    if (child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await Promise.race([gone, delay(15_000)]);
    child.kill('SIGKILL');
  };
  try {
    const lines = createInterface({ input: child.stdout });
    const { url, servingUrl, grpcAddress } = JSON.parse(await new Promise((resolve) => lines.once('line', resolve)));
    await promisify(execFile)(program, ['apply', '--url', url], { cwd: folder });
    const api = async (path, body) => {
      const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
      const response = await fetch(new URL(`/api/v1/deployments/bc${path}`, url), body && post);
      if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
      return response.json();
    };
    for (;;) {
      const { status } = await api('?wait=10');
      if (status.state === 'ready' && status.settled && status.traffic.length > 0) break;
    }
    return { stop, pid: child.pid, url, port: new URL(servingUrl).port, grpcAddress, api };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The two planes and all that the control plane has started, each by what it is for; none without /proc. */
function processesOf(controlPid) {
  return processTree(controlPid).map(({ pid, ms, command }) => {
    const kind = pid === controlPid ? 'control' : /serving\.js|serving\/main/.test(command) ? 'data' : 'worker';
    return { pid, ms, kind };
  });
}

/** Processor time so far, in ms. */
export function planesProcessorMs(controlPid) {
  const used = noTime();
  for (const { ms, kind } of processesOf(controlPid)) used[kind] += ms;
  return used;
}

/** Memory in MB: of the data plane, and of the control plane with its workers, which take its records in. */
export function planesMemoryMb(controlPid) {
  const used = { dataPssMb: 0, dataRssMb: 0, intakePssMb: 0 };
  for (const { pid, kind } of processesOf(controlPid)) {
    const { pssMb, rssMb } = memoryMb(pid);
    if (kind === 'data') {
      used.dataPssMb += pssMb;
      used.dataRssMb += rssMb;
    } else used.intakePssMb += pssMb;
  }
  return used;
}

export function noTime() {
  return { control: 0, data: 0, worker: 0 };
}
