import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { WorkerAnswer } from '#contracts/worker';
import { builtModule } from '#platform/testing/built-program';
import { createTaskFolder, type TaskFolder } from './testing/task-folder.ts';

let folder: TaskFolder;
let program: string;
beforeAll(async () => {
  folder = await createTaskFolder();
  program = fileURLToPath(await builtModule('worker/main.js'));
}, 180_000);
afterAll(() => folder.remove());

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function startWorker(...more: readonly string[]) {
  const child = spawn(
    process.execPath,
    [program, '--memory-mb', '512', '--threads', '2', '--spill', folder.path('spill'), ...more],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  children.push(child);
  const waiting = new Map<string, (answer: WorkerAnswer) => void>();
  const arrived: string[] = [];
  let errors = '';
  child.stderr.on('data', (data) => (errors += String(data)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer = JSON.parse(line) as WorkerAnswer;
    arrived.push(answer.id);
    waiting.get(answer.id)?.(answer);
  });
  const exit = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const send = (message: unknown): void => void child.stdin.write(`${JSON.stringify(message)}\n`);
  return {
    send,
    exit,
    arrived,
    errors: () => errors,
    pid: child.pid,
    kill: () => child.kill('SIGKILL'),
    end: () => child.stdin.end(),
    write: (text: string) => child.stdin.write(text),
    ask: (id: string, task: string, input: unknown) =>
      new Promise<WorkerAnswer>((resolve) => {
        waiting.set(id, resolve);
        send({ id, task, input });
      }),
  };
}

const slow = { sql: 'select count(*) from range(10000000000) a, range(1000) b', views: [], rows: 1 };

describe('the worker process', () => {
  test('answers several requests at once, each with its id, and ends with its input', async () => {
    const worker = startWorker();
    const path = await folder.parquet('rows.parquet', 'select i from range(10) as r(i)');
    const answers = await Promise.all([
      worker.ask('a', 'query', {
        sql: 'select sum(i) as s from rows',
        views: [{ name: 'rows', paths: [path] }],
        rows: 1,
      }),
      worker.ask('b', 'describe', { paths: [path] }),
      worker.ask('c', 'nonsense', {}),
      worker.ask('d', 'join', { spine: {} }),
    ]);
    expect(answers[0]).toEqual({
      id: 'a',
      ok: true,
      output: { columns: [{ name: 's', type: 'HUGEINT' }], rows: [{ s: 45 }], more: false },
    });
    expect(answers[1]).toMatchObject({ ok: true, output: { rows: 10 } });
    expect(answers[2]).toMatchObject({ ok: false, error: { code: 'TASK_UNKNOWN', kind: 'invalid' } });
    expect(answers[3]).toMatchObject({ ok: false, error: { code: 'TASK_INPUT_INVALID' } });
    worker.end();
    expect(await worker.exit).toBe(0);
    expect(worker.errors()).toBe('');
  });

  test('cancels what runs and what waits, and goes on', async () => {
    const worker = startWorker('--tasks', '1');
    const [running, waiting] = [worker.ask('running', 'query', slow), worker.ask('waiting', 'query', slow)];
    const quick = worker.ask('quick', 'query', { sql: 'select 1 as x', views: [], rows: 1 });
    worker.send({ id: 'waiting', cancel: true });
    expect(await waiting).toMatchObject({ ok: false, error: { code: 'TASK_CANCELLED', kind: 'unavailable' } });
    worker.send({ id: 'running', cancel: true });
    worker.send({ id: 'nobody', cancel: true });
    expect(await running).toMatchObject({ ok: false, error: { code: 'TASK_CANCELLED' } });
    expect(await quick).toMatchObject({ ok: true, output: { rows: [{ x: 1 }] } });
    expect(worker.arrived).toEqual(['waiting', 'running', 'quick']);
  });

  test('ends although a query runs, when its parent is gone', async () => {
    const worker = startWorker();
    void worker.ask('forever', 'query', slow);
    await worker.ask('after', 'query', { sql: 'select 1', views: [], rows: 1 });
    worker.end();
    expect(await worker.exit).toBe(0);
  });

  test('survives lines that are no requests, and says so on stderr alone', async () => {
    const worker = startWorker();
    worker.write('nonsense\n{"id":7}\n\n');
    expect(await worker.ask('x', 'query', { sql: 'select 1 as x', views: [], rows: 1 })).toMatchObject({ ok: true });
    expect(worker.errors()).toContain('is no request');
  });

  test('removes what a killed worker has spilled, and its own when it ends', async () => {
    const killed = startWorker();
    await killed.ask('x', 'query', { sql: 'select 1', views: [], rows: 1 });
    killed.kill();
    await killed.exit;
    const spilled = folder.path(`spill/worker-${killed.pid}`);
    await mkdir(spilled, { recursive: true });
    const worker = startWorker();
    await worker.ask('x', 'query', { sql: 'select 1', views: [], rows: 1 });
    expect(existsSync(spilled)).toBe(false);
    worker.end();
    await worker.exit;
    expect(existsSync(folder.path(`spill/worker-${worker.pid}`))).toBe(false);
  });

  test('refuses arguments that it does not understand', async () => {
    const worker = startWorker('--threads', 'many');
    expect(await worker.exit).toBe(2);
    expect(worker.errors()).toContain('--threads must be an integer');
  });
});
