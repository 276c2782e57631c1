import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { WorkerTaskInput, WorkerTaskName, WorkerTaskOutput } from '#contracts/worker';
import { createLogger } from '#platform/log';
import { createDatabases } from '../databases.ts';
import type { TaskContext } from '../task-context.ts';
import { createTaskRunner } from '../tasks.ts';

/** A folder for the files of one test, and the worker's tasks run in this process, their inputs checked as at the edge. */
export interface TaskFolder {
  path(name: string): string;
  /** Writes the rows of a SELECT as Parquet; answers the path. */
  parquet(name: string, select: string): Promise<string>;
  /** The rows of a SELECT, in which files are read by path. */
  read(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  run<T extends WorkerTaskName>(
    task: T,
    input: WorkerTaskInput<T>,
    context?: Partial<TaskContext>,
  ): Promise<WorkerTaskOutput<T>>;
  remove(): Promise<void>;
}

export async function createTaskFolder(): Promise<TaskFolder> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-worker-'));
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  const connection = await instance.connect();
  await connection.run(`set TimeZone = 'UTC'`);
  const runTask = createTaskRunner();
  const databases = createDatabases({ threads: 2 });
  const path = (name: string): string => join(folder, name);
  return {
    path,
    async parquet(name, select) {
      await connection.run(`copy (${select}) to '${path(name)}' (format parquet)`);
      return path(name);
    },
    read: async (sql) => (await connection.runAndReadAll(sql)).getRowObjectsJson(),
    async run<T extends WorkerTaskName>(task: T, input: WorkerTaskInput<T>, context: Partial<TaskContext> = {}) {
      databases.prepare(); // as in a worker that has had a task
      const output = await runTask(task, input, {
        signal: new AbortController().signal,
        logger: createLogger({ level: 'silent' }),
        databases,
        memoryMb: () => 512,
        spillFolder: path('spill'),
        ...context,
      });
      return output as WorkerTaskOutput<T>;
    },
    async remove() {
      await databases.close();
      connection.closeSync();
      instance.closeSync();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
