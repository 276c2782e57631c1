import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { LauncherAnswer, LauncherRequest } from './launcher-lines.ts';

/**
 * The launcher program: starts what each line of standard input asks for, every one in a session of its own, and tells
 * on standard output that it was started, or why not, and that it is gone. It ends with its input; what it has started
 * goes on.
 */
function answer(line: LauncherAnswer): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function launch({ id, command, cwd, env, logFile }: LauncherRequest): void {
  const [program, ...args] = command;
  const fail = (error: unknown): void =>
    answer({ id, event: 'failed', reason: error instanceof Error ? error.message : String(error) });
  let log: number | undefined;
  try {
    log = openSync(logFile, 'a');
    const child = spawn(program, args, { cwd, env, detached: true, stdio: ['ignore', log, log] });
    child.once('spawn', () => answer({ id, event: 'started' }));
    child.once('error', fail);
    child.once('exit', () => answer({ id, event: 'gone' }));
  } catch (error) {
    fail(error);
  } finally {
    if (log !== undefined) closeSync(log);
  }
}

process.stdout.on('error', () => process.exit()); // nobody listens any more
createInterface({ input: process.stdin })
  .on('line', (line) => launch(JSON.parse(line) as LauncherRequest))
  .on('close', () => process.exit());
answer({ event: 'ready' });
