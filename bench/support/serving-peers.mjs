// Model servers that ours is measured beside: each on free ports with the same model, waited for until it
// has answered a prediction, and stopped with all that it started.
import { execFile, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { call } from './http.mjs';
import { freePort } from './servers.mjs';
import { modelPaths } from './serving-tidemill.mjs';

const run = promisify(execFile);
const here = fileURLToPath(new URL('serving-peers/', import.meta.url));

/** Bodies of `rows` rows in the forms that the servers take. */
export function bodiesOf(sample, rows) {
  const data = Array.from({ length: rows }, (_, row) =>
    // as a client prints them: the shortest text that is the same FP32
    sample.rows[row % sample.rows.length].map((value) => Number(value.toPrecision(7))),
  );
  const tensor = { name: 'x', shape: [rows, 30], datatype: 'FP32' };
  const header = JSON.stringify({
    inputs: [{ ...tensor, parameters: { binary_data_size: rows * 120 } }],
    parameters: { binary_data_output: true },
  });
  return {
    json: { path: '/v2/models/bc/infer', body: JSON.stringify({ inputs: [{ ...tensor, data: data.flat() }] }) },
    binary: {
      path: '/v2/models/bc/infer',
      headers: { 'content-type': 'application/octet-stream', 'inference-header-content-length': `${header.length}` },
      body: Buffer.concat([Buffer.from(header), Buffer.from(Float32Array.from(data.flat()).buffer)]),
    },
    mlflow: { path: '/invocations', body: JSON.stringify({ inputs: data }) },
  };
}

async function start({ name, command, args, env, cwd, base, probe, grpc }) {
  const begun = performance.now();
  const child = spawn(command, args, { detached: true, stdio: 'ignore', cwd, env: { ...process.env, ...env } });
  let ended = false;
  child.once('exit', () => (ended = true));
  for (;;) {
    if (ended) throw new Error(`${name} ended before it answered: ${command} ${args.join(' ')}`);
    const answer = await call(base, undefined, 'POST', probe.path, JSON.parse(probe.body)).catch(() => undefined);
    if (answer?.status === 200) break;
    await delay(20);
  }
  const coldMs = performance.now() - begun;
  const stop = async () => {
    const gone = ended ? Promise.resolve() : new Promise((resolve) => child.once('exit', resolve));
    const kill = (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch {
        // nobody is left
      }
    };
    kill('SIGTERM');
    await Promise.race([gone, delay(15_000)]);
    kill('SIGKILL');
  };
  return { name, base, grpc, stop, group: child.pid, coldMs };
}

/**
 * MLServer with its runtime for scikit-learn and its defaults, one process for the model among them; `workers: 0` runs the
 * model in the server's own, which is its best figure at one row. The model is `pickle`, or made in its own environment.
 */
export async function startMlserver({ model, venv, folder, probe, workers, pickle }) {
  mkdirSync(folder, { recursive: true });
  if (pickle === undefined) await run(join(venv, 'bin/python'), [join(here, 'make_models.py'), folder, model]);
  else copyFileSync(pickle, join(folder, 'model.pkl'));
  const [port, grpcPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
  const write = (name, settings) => writeFileSync(join(folder, name), JSON.stringify(settings));
  write('settings.json', {
    ...{ host: '127.0.0.1', http_port: port, grpc_port: grpcPort, metrics_port: metricsPort, debug: false },
    parallel_workers: workers,
  });
  write('model-settings.json', {
    name: 'bc',
    implementation: 'mlserver_sklearn.SKLearnModel',
    parameters: { uri: './model.pkl' },
  });
  const base = `http://127.0.0.1:${port}`;
  const command = join(venv, 'bin/mlserver');
  const grpc = `127.0.0.1:${grpcPort}`;
  return start({ name: 'mlserver', command, args: ['start', folder], base, probe: probe.json, grpc });
}

/** `mlflow models serve` with its defaults, in the environment it is called from. */
export async function startMlflowServe({ model, venv, folder, probe }) {
  mkdirSync(folder, { recursive: true });
  await run(join(venv, 'bin/python'), [join(here, 'make_models.py'), folder, model, 'mlflow']);
  const port = await freePort();
  const args = ['models', 'serve', '-m', join(folder, 'mlflow-model'), '-p', `${port}`, '--env-manager', 'local'];
  const env = { PATH: `${join(venv, 'bin')}:${process.env.PATH}` };
  const base = `http://127.0.0.1:${port}`;
  return start({ name: 'mlflow', command: join(venv, 'bin/mlflow'), args, env, base, probe: probe.mlflow });
}

/** Triton's own program, which the package nvidia-pytriton contains, with the Python backend. */
export async function startTriton({ model, venv, folder, probe }) {
  const packages = readdirSync(join(venv, 'lib'))
    .map((python) => join(venv, 'lib', python, 'site-packages'))
    .find((path) => existsSync(join(path, 'pytriton')));
  if (packages === undefined) throw new Error(`${venv} has no nvidia-pytriton`);
  const triton = join(packages, 'pytriton/tritonserver');
  const python = /python([\d.]+)/.exec(packages)?.[1] ?? '';
  const [models, backends] = [join(folder, 'models'), join(folder, 'backends')];
  mkdirSync(join(models, 'bc/1'), { recursive: true });
  copyFileSync(modelPaths[model], join(models, 'bc/1/model.onnx'));
  copyFileSync(join(here, 'triton_model.py'), join(models, 'bc/1/model.py'));
  copyFileSync(join(here, 'config.pbtxt'), join(models, 'bc/config.pbtxt'));
  cpSync(join(triton, 'backends'), backends, { recursive: true });
  const stub = join(backends, 'python/triton_python_backend_stub');
  copyFileSync(join(triton, 'python_backend_stubs', python, 'triton_python_backend_stub'), stub);
  const command = join(triton, 'bin/tritonserver');
  for (const path of [stub, command]) chmodSync(path, 0o755);
  const [port, grpcPort] = [await freePort(), await freePort()];
  return start({
    name: 'triton',
    command,
    args: [
      `--model-repository=${models}`,
      `--backend-directory=${backends}`,
      `--http-port=${port}`,
      `--grpc-port=${grpcPort}`,
      '--allow-metrics=false',
    ],
    env: {
      PATH: `${join(venv, 'bin')}:${process.env.PATH}`,
      PYTHONPATH: packages,
      LD_LIBRARY_PATH: join(packages, 'nvidia_pytriton.libs'),
    },
    base: `http://127.0.0.1:${port}`,
    probe: probe.json,
    grpc: `127.0.0.1:${grpcPort}`,
  });
}

/** What one would write by hand: node:http and onnxruntime in one worker thread, batches of what waits, and nothing else. */
export async function startBare({ model, probe }) {
  const port = await freePort();
  const args = [join(here, 'bare-server.mjs'), `${port}`, modelPaths[model]];
  return start({ name: 'bare', command: process.execPath, args, base: `http://127.0.0.1:${port}`, probe: probe.json });
}
