import { constants } from 'node:fs';
import { access, chmod, readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { quietLibraries } from '#platform/quiet-libraries';
import type { Runtime } from '../runtime.ts';
import { runtimeErrors } from '../runtime-errors.ts';
import { createWorkerRuntime, type WorkerRuntimeOptions } from '../workers/worker-runtime.ts';

/** Names a program in a model's folder, beside which it stands. */
export const commandFile = 'command.json';

/**
 * Any program that speaks the worker protocol (docs/model-worker-protocol.md). The model's `command.json` says how it is
 * started: `{"command": ["./serve", "--fast"]}`; a first part with a slash is looked for in the model's folder, another
 * one on the PATH.
 */
export function createCommandRuntime(options: WorkerRuntimeOptions & { readonly path: string }): Runtime {
  return createWorkerRuntime('command', options, async ({ mainPath }, home) => {
    const folder = dirname(mainPath);
    const [program, ...args] = await readCommand(mainPath);
    const isOwn = program.includes('/') && !isAbsolute(program);
    const path = isOwn ? join(folder, program) : program;
    // Files come by their digest and content alone: that one may be executed is said by its being named here.
    if (isOwn) await makeExecutable(path, program);
    return {
      command: [path, ...args],
      cwd: folder,
      env: {
        PATH: options.path,
        HOME: home,
        TMPDIR: home,
        LANG: 'C.UTF-8',
        TIDEMILL_WORKER_FD: '3',
        ...quietLibraries,
      },
    };
  });
}

async function makeExecutable(path: string, program: string): Promise<void> {
  try {
    await access(path, constants.X_OK); // most often so on the caller's own disk, which may be read-only
  } catch {
    await chmod(path, 0o755).catch((cause: unknown) => {
      throw runtimeErrors.MODEL_LOAD_FAILED(`${commandFile} names "${program}": ${String(cause)}`);
    });
  }
}

async function readCommand(path: string): Promise<readonly [string, ...string[]]> {
  const shape = 'it needs {"command": ["program", "argument", …]}';
  let given: unknown;
  try {
    given = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw runtimeErrors.MODEL_LOAD_FAILED(`${commandFile} is no JSON (${String(cause)}); ${shape}`);
  }
  const command = typeof given === 'object' && given !== null && 'command' in given ? given.command : undefined;
  if (!isCommand(command)) throw runtimeErrors.MODEL_LOAD_FAILED(`${commandFile} names no command; ${shape}`);
  return command;
}

function isCommand(given: unknown): given is readonly [string, ...string[]] {
  return Array.isArray(given) && given.length > 0 && given.every((part) => typeof part === 'string' && part !== '');
}
