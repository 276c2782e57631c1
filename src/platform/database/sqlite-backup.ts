import { existsSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve as resolvePath } from 'node:path';
import { Worker } from 'node:worker_threads';
import { databaseErrors } from './database-errors.ts';

/**
 * `vacuum into` blocks its thread for as long as the copy takes, so it runs in a thread of its own. The thread's program
 * is a text, because it must run both from source in tests and from dist.
 */
const program = `
  const { workerData, parentPort } = require('node:worker_threads');
  const fs = require('node:fs');
  const Sqlite = require(workerData.module);
  try {
    const database = new Sqlite(workerData.file, { readonly: true, fileMustExist: true });
    database.prepare('vacuum into ?').run(workerData.target);
    database.close();
    const descriptor = fs.openSync(workerData.target, 'r');
    fs.fsyncSync(descriptor);
    fs.closeSync(descriptor);
    parentPort.postMessage('done');
  } catch (error) {
    parentPort.postMessage(error.message); // an error of SQLite loses its message between threads
  }
`;

/** Copies the database as last committed. The target appears whole or not at all. */
export async function backUpSqlite(file: string, path: string): Promise<void> {
  const target = resolvePath(path);
  if (existsSync(target)) throw databaseErrors.BACKUP_EXISTS(target);
  const draft = `${target}.partial`;
  rmSync(draft, { force: true });
  const module = createRequire(import.meta.url).resolve('better-sqlite3');
  try {
    const outcome = await new Promise<unknown>((resolve, reject) => {
      const worker = new Worker(program, { eval: true, execArgv: [], workerData: { module, file, target: draft } });
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', (code) => resolve(`its thread ended with ${code}`));
    });
    if (outcome !== 'done') throw databaseErrors.BACKUP_FAILED(target, String(outcome));
    renameSync(draft, target);
  } finally {
    rmSync(draft, { force: true });
  }
}
