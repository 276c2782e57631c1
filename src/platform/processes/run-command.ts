import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { readLines } from '../json-lines.ts';
import { processErrors, signalGroup } from './supervised-process.ts';

export interface CommandOptions {
  readonly cwd?: string;
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Hears each line of both outputs as it comes. */
  readonly onLine?: (line: string) => void;
  /** Ends the command and what it started. */
  readonly signal?: AbortSignal;
  /** Default 10 minutes. */
  readonly timeoutMs?: number;
}

export interface CommandResult {
  /** Undefined when a signal ended it. */
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly timedOut: boolean;
  readonly stdout: string;
  /** The last lines of both outputs, in the order in which they came. */
  readonly tail: readonly string[];
}

const tailLines = 30;
const maxStdoutChars = 1_000_000;

/** Runs a short command of our own to its end. PROCESS_NOT_STARTED when there is no such program. */
export async function runCommand(
  command: readonly [string, ...string[]],
  options: CommandOptions,
): Promise<CommandResult> {
  const [program, ...args] = command;
  options.signal?.throwIfAborted();
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env,
    detached: true, // its own group, so that what it started can be ended with it
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let timedOut = false;
  const end = () => {
    if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
  };
  const timer = setTimeout(() => {
    timedOut = true;
    end();
  }, options.timeoutMs ?? 600_000);
  options.signal?.addEventListener('abort', end, { once: true });
  try {
    const tail: string[] = [];
    let stdout = '';
    const hear = async (stream: Readable, keep: boolean) => {
      for await (const line of readLines(stream as AsyncIterable<Uint8Array>)) {
        if (keep && stdout.length < maxStdoutChars) stdout += `${line}\n`;
        tail.push(line);
        if (tail.length > tailLines) tail.shift();
        options.onLine?.(line);
      }
    };
    const closed = new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once('error', (error) => reject(processErrors.PROCESS_NOT_STARTED(program, error.message)));
      child.once('close', (code, signal) => resolve([code, signal]));
    });
    const [[code, signal]] = await Promise.all([closed, hear(child.stdout, true), hear(child.stderr, false)]);
    options.signal?.throwIfAborted();
    return { code: code ?? undefined, signal: signal ?? undefined, timedOut, stdout, tail };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', end);
  }
}
