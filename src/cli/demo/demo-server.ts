import { spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { RunningServer } from '#contracts/running-server';
import { type CliContext, CliError } from '../context.ts';
import { packagePath } from '../package-path.ts';

const launcher = packagePath('bin', 'tidemill');

/** The server that runs from the home folder; started when none does, and left running. */
export async function startServer(
  context: CliContext,
  flags: readonly string[],
): Promise<{ readonly server: RunningServer; readonly started: boolean }> {
  const running = await context.runningServer();
  if (running !== undefined && (await isReady(running))) return { server: running, started: false };
  mkdirSync(join(context.home, 'logs'), { recursive: true });
  const logPath = join(context.home, 'logs', 'up.log');
  const log = openSync(logPath, 'a');
  const logFrom = statSync(logPath).size;
  const child = spawn(launcher, ['up', '--json', '--home', context.home, ...flags], {
    detached: true,
    stdio: ['ignore', 'pipe', log],
    cwd: context.cwd,
  });
  const stop = (): void => void child.kill('SIGTERM');
  context.signal.addEventListener('abort', stop, { once: true });
  const line = await new Promise<string | undefined>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve(undefined));
    const { stdout } = child;
    if (stdout !== null) createInterface({ input: stdout }).once('line', resolve);
  });
  context.signal.removeEventListener('abort', stop);
  context.signal.throwIfAborted();
  child.stdout?.destroy();
  child.unref();
  if (line === undefined)
    throw new CliError(
      'SERVER_NOT_STARTED',
      1,
      `the server did not start: ${reasonIn(readFileSync(logPath).subarray(logFrom).toString('utf8'), logPath)}`,
    );
  return { server: JSON.parse(line) as RunningServer, started: true };
}

async function isReady({ url }: RunningServer): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}

/** What `up --json` said last: its error, else its last line. */
function reasonIn(text: string, path: string): string {
  try {
    const { error } = JSON.parse(text.slice(text.search(/^\{/m))) as { readonly error?: { readonly message?: string } };
    if (error?.message !== undefined) return error.message;
  } catch {
    // no JSON: something went wrong before it could speak
  }
  return text.trim().split('\n').at(-1) || `it said nothing; see ${path}`;
}
