import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { builtModule } from '../../src/platform/testing/built-program.ts';
import { type CommandOptions, startTidemill } from './command-line.ts';

/** A `tidemill serve` that is ready to be asked. */
export interface Serving {
  readonly url: string;
  readonly grpcAddress?: string;
  readonly models: readonly { readonly name: string; readonly versions: readonly string[] }[];
  readonly child: ChildProcess;
  /** What it has written to stderr. */
  readonly said: () => string;
  /** Ends it in order; its exit code. */
  readonly stop: () => Promise<number | null>;
}

/** On free ports, unless told otherwise; ended after the test. */
export async function serve(what: string, ...more: readonly string[]): Promise<Serving> {
  return serveWith({}, what, ...more);
}

export async function serveWith(options: CommandOptions, what: string, ...more: readonly string[]): Promise<Serving> {
  await builtModule('cli/main.js');
  return readyToBeAsked(
    startTidemill(['serve', what, '--serving-port', '0', '--grpc-port', '0', '--json', ...more], options),
  );
}

/** Whatever has started it. */
export async function readyToBeAsked(child: ChildProcess): Promise<Serving> {
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const line = await new Promise<string>((resolve, reject) => {
    if (child.stdout) createInterface({ input: child.stdout }).once('line', resolve);
    child.once('exit', (code) => reject(new Error(`it ended with ${code}: ${said}`)));
  });
  return {
    ...(JSON.parse(line) as Pick<Serving, 'url' | 'grpcAddress' | 'models'>),
    child,
    said: () => said,
    stop() {
      child.kill('SIGTERM');
      return exit;
    },
  };
}
