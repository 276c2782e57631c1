import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import type { Command } from 'commander';
import { type RunningServer, runningServerFile } from '#contracts/running-server';
import type { Client } from '../sdk/index.ts';
import { createOutput, type Output } from './output.ts';

/** The world that a command runs in: the process's own in main, a test's in tests. */
export interface CliEnvironment {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborts at the first Ctrl-C. */
  readonly signal: AbortSignal;
}

/** What every command gets beside its own options. */
export interface CliContext extends CliEnvironment {
  readonly output: Output;
  /** Absolute path of Tidemill's folder. */
  readonly home: string;
  readonly project: string | undefined;
  /** The server of --url, TIDEMILL_URL or the home's running.json. CliError NO_SERVER when none is known. */
  readonly connect: () => Promise<Client>;
  readonly runningServer: () => Promise<RunningServer | undefined>;
}

/** A failure that a command finds itself; `exit` as in the table of kinds. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: string;
  readonly exit: number;

  constructor(code: string, exit: number, message: string) {
    super(message);
    this.code = code;
    this.exit = exit;
  }
}

interface GlobalOptions {
  readonly url?: string;
  readonly project?: string;
  readonly home?: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
}

/** From a command's own and the program's options. */
export function createContext(command: Command, world: CliEnvironment): CliContext {
  const options = command.optsWithGlobals<GlobalOptions>();
  const { environment } = world;
  const home = resolve(world.cwd, options.home ?? environment['TIDEMILL_HOME'] ?? '.tidemill');
  const project = options.project ?? environment['TIDEMILL_PROJECT'];
  const runningServer = async () => await readRunningServer(home);
  return {
    ...world,
    output: createOutput({ ...world, json: options.json ?? false }),
    home,
    project,
    runningServer,
    async connect() {
      const given = options.url ?? environment['TIDEMILL_URL'];
      const url = given ?? (await runningServer())?.url;
      if (url === undefined)
        throw new CliError(
          'NO_SERVER',
          6,
          `no server runs from ${home}: start one with "tidemill up", or name one with --url`,
        );
      const tokenFile = options.tokenFile ?? environment['TIDEMILL_TOKEN_FILE'];
      const token =
        tokenFile === undefined
          ? (environment['TIDEMILL_TOKEN'] ?? (given === undefined ? await readAdminToken(home) : undefined))
          : await readTokenFile(resolve(world.cwd, tokenFile));
      const { createClient } = await import('../sdk/index.ts');
      return createClient({ url, ...(project !== undefined && { project }), ...(token !== undefined && { token }) });
    },
  };
}

async function readTokenFile(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError('TOKEN_FILE_UNREADABLE', 2, `the token cannot be read from ${path}: ${reason}`);
  }
}

/** Who can read the home of a server with `--auth on` is its first admin; without that there is no such file. */
async function readAdminToken(home: string): Promise<string | undefined> {
  return await readTokenFile(join(home, 'admin-token')).catch(() => undefined);
}

async function readRunningServer(home: string): Promise<RunningServer | undefined> {
  try {
    const found: unknown = JSON.parse(await readFile(join(home, runningServerFile), 'utf8'));
    const isServer = typeof found === 'object' && found !== null && 'url' in found && typeof found.url === 'string';
    return isServer ? (found as RunningServer) : undefined;
  } catch {
    return undefined; // none runs, or its file is half-written while it starts
  }
}
