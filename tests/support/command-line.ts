import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { builtModule } from '../../src/platform/testing/built-program.ts';

export const launcher = fileURLToPath(new URL('../../bin/tidemill', import.meta.url));

export interface CommandOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a person's shell gives a command: their PATH, and nothing of ours. */
const shell = (more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  HOME: process.env['HOME'] ?? '/',
  ...more,
});

/** Runs the real program to its end. */
export async function runTidemill(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  await builtModule('cli/main.js');
  return await collect(startTidemill(args, options));
}

/** Starts the real program; the caller ends it. */
export function startTidemill(args: readonly string[], options: CommandOptions = {}): ChildProcess {
  return spawn(launcher, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: shell(options.environment),
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
}

/** What a process says until it ends. */
export async function collect(child: ChildProcess): Promise<CommandResult> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code));
  });
  return { status, stdout, stderr };
}
