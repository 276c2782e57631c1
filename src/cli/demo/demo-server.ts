import { spawn } from 'node:child_process';
import { mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { RunningServer } from '#contracts/running-server';
import { type CliContext, CliError } from '../context.ts';
import { packagePath } from '../package-path.ts';

const launcher = packagePath('bin', 'tidemill');

/** The server that runs from the home folder; started when none does, and left running. */
export async function startServer(context: CliContext, flags: readonly string[]): Promise<RunningServer> {
  const running = await context.runningServer();
  if (running !== undefined && (await isReady(running))) return running;
  mkdirSync(join(context.home, 'logs'), { recursive: true });
  const log = openSync(join(context.home, 'logs', 'up.log'), 'a');
  const child = spawn(launcher, ['up', '--json', '--home', context.home, ...flags], {
    detached: true,
    stdio: ['ignore', 'pipe', log],
    cwd: context.cwd,
  });
  const line = await new Promise<string | undefined>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve(undefined));
    const { stdout } = child;
    if (stdout !== null) createInterface({ input: stdout }).once('line', resolve);
  });
  child.stdout?.destroy();
  child.unref();
  if (line === undefined)
    throw new CliError(
      'SERVER_NOT_STARTED',
      1,
      `the server did not start: ${await lastLines(join(context.home, 'logs', 'up.log'))}`,
    );
  return JSON.parse(line) as RunningServer;
}

async function isReady({ url }: RunningServer): Promise<boolean> {
  try {
    return (await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}

async function lastLines(path: string): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trim().split('\n').slice(-3).join(' ');
}
