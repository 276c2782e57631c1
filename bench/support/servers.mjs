// Servers that are measured beside each other: started on free ports, waited for, stopped with all that they started.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { call } from './http.mjs';

const root = join(fileURLToPath(import.meta.url), '../../..');

export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Starts a server in a process group of its own and waits until it answers. */
async function start(command, args, base, env) {
  const begun = performance.now();
  const child = spawn(command, args, { detached: true, stdio: 'ignore', env: { ...process.env, ...env } });
  let ended = false;
  child.once('exit', () => (ended = true));
  for (;;) {
    if (ended) throw new Error(`${command} ${args.join(' ')} ended before it answered`);
    const up = await call(base, undefined, 'GET', '/version').catch(() => undefined);
    if (up?.status === 200) break;
    await delay(50);
  }
  const stop = async () => {
    const gone = ended ? Promise.resolve() : new Promise((resolve) => child.once('exit', resolve));
    try {
      process.kill(-child.pid, 'SIGTERM');
    } catch {
      return;
    }
    await Promise.race([gone, delay(15_000)]);
    try {
      process.kill(-child.pid, 'SIGKILL'); // whatever of the group outlived its parent
    } catch {
      // nothing did
    }
  };
  return {
    base,
    stop,
    group: child.pid,
    readyMs: performance.now() - begun,
    version: (await call(base, undefined, 'GET', '/version')).text,
  };
}

/** `tidemill up` of this checkout with its defaults, its home in `folder`; or one that is up already, by `url`. */
export async function startTidemill({ folder, url, args = [], env = {} }) {
  if (url !== undefined) return { name: 'tidemill', base: url, stop: async () => undefined, readyMs: 0, version: '' };
  const [port, servingPort] = [await freePort(), await freePort()];
  const up = ['up', '--home', join(folder, 'home'), '--port', `${port}`, '--serving-port', `${servingPort}`, ...args];
  return { name: 'tidemill', ...(await start(join(root, 'bin/tidemill'), up, `http://127.0.0.1:${port}`, env)) };
}

/** `mlflow server` of the virtual environment `venv` with its defaults: SQLite in `folder`, unless `store` names another. */
export async function startMlflow({ folder, venv, store = `sqlite:///${folder}/mlflow.db`, env = {} }) {
  const port = await freePort();
  const stores = ['--backend-store-uri', store, '--artifacts-destination', join(folder, 'artifacts')];
  const args = ['server', '--host', '127.0.0.1', '--port', `${port}`, ...stores];
  const path = { PATH: `${join(venv, 'bin')}:${process.env.PATH}` };
  const started = await start(join(venv, 'bin/mlflow'), args, `http://127.0.0.1:${port}`, { ...path, ...env });
  return { name: 'mlflow', ...started };
}
