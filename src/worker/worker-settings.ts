import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { defineErrors } from '#platform/errors';

export const settingsErrors = defineErrors({
  WORKER_ARGUMENTS_INVALID: {
    kind: 'invalid',
    message: (problem: string) => `the worker's arguments are wrong: ${problem}`,
  },
});

export interface WorkerSettings {
  /** Of all tasks together; a task gets an even share of those that run when it begins. */
  readonly memoryMb: number;
  /** Of each task. */
  readonly threads: number;
  /** Tasks at once; the others wait in order. */
  readonly tasks: number;
  /** Where DuckDB puts what does not fit into memory; each task cleans up after itself. */
  readonly spillFolder: string;
}

/** `--memory-mb 1024 --threads 2 --tasks 4 --spill <folder>`, each optional. @throws WORKER_ARGUMENTS_INVALID */
export function parseSettings(args: readonly string[]): WorkerSettings {
  const { values } = readArguments(args);
  return {
    memoryMb: toInteger('--memory-mb', values['memory-mb'] ?? '1024', 64),
    threads: toInteger('--threads', values.threads ?? '2', 1),
    tasks: toInteger('--tasks', values.tasks ?? '4', 1),
    spillFolder: values.spill ?? join(tmpdir(), 'tidemill-spill'),
  };
}

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        'memory-mb': { type: 'string' },
        threads: { type: 'string' },
        tasks: { type: 'string' },
        spill: { type: 'string' },
      },
    });
  } catch (error) {
    throw settingsErrors.WORKER_ARGUMENTS_INVALID(error instanceof Error ? error.message : String(error));
  }
}

function toInteger(name: string, text: string, minimum: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= minimum) return value;
  throw settingsErrors.WORKER_ARGUMENTS_INVALID(`${name} must be an integer from ${minimum} on, not "${text}"`);
}
