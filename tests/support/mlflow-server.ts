import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { mlflowVariables } from './mlflow-script.ts';

/** It imports for seconds, and migrates its database. */
const startMs = 240_000;

export interface MlflowServer {
  readonly url: string;
  /** Where it keeps the files that it serves. */
  readonly artifacts: string;
  /** The caller's to call. */
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A real `mlflow server`, ready; what it says is in `folder`. */
export async function startMlflowServer(pythonPath: string, store: string, folder: string): Promise<MlflowServer> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const artifacts = join(folder, 'artifacts');
  const { hostname, port } = new URL(url);
  const child = spawn(
    join(dirname(pythonPath), 'mlflow'),
    ['server', '--host', hostname, '--port', port, '--workers', '1', '--backend-store-uri', store].concat(
      '--artifacts-destination',
      artifacts,
    ),
    {
      cwd: folder,
      detached: true, // a group of its own: it starts workers
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...mlflowVariables(pythonPath, ''),
        PATH: `${dirname(pythonPath)}:${process.env['PATH'] ?? ''}`,
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false', // eight processes that import for two seconds each, and do nothing here
      },
    },
  );
  const log = createWriteStream(join(folder, 'mlflow.log'));
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  const ended = once(child, 'exit');
  let hasEnded = false;
  void ended.then(() => (hasEnded = true));
  const stop = async (): Promise<void> => {
    if (child.pid !== undefined && !hasEnded) process.kill(-child.pid, 'SIGTERM');
    await ended;
  };
  for (const begunMs = performance.now(); ; await delay(100)) {
    const answer = await fetch(`${url}/health`).catch(() => undefined);
    if (answer?.ok === true) return { url, artifacts, stop };
    if (hasEnded) throw new Error(`mlflow server has ended: ${await readFile(join(folder, 'mlflow.log'), 'utf8')}`);
    if (performance.now() - begunMs < startMs) continue;
    await stop();
    throw new Error(`mlflow server was not ready within ${startMs} ms`);
  }
}
