import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import type { Command } from 'commander';
import { namePattern } from '#contracts/references';
import { type RunningServer, runningServerFile } from '#contracts/running-server';
import type { Client } from '../sdk/index.ts';
import { patternWords } from './field-words.ts';
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
  /** Of --project or TIDEMILL_PROJECT. */
  readonly project: string | undefined;
  /** Of --project, TIDEMILL_PROJECT or the nearest tidemill.yaml; undefined = that of the server's root. */
  readonly findProject: () => Promise<string | undefined>;
  /** The server that --url or TIDEMILL_URL names. */
  readonly namedServer: string | undefined;
  /**
   * The server of --url, TIDEMILL_URL or the running.json of the home folder (without --home: the nearest above), in the
   * project of --project, TIDEMILL_PROJECT or the nearest tidemill.yaml. CliError NO_SERVER when none is known.
   */
  readonly connect: () => Promise<Client>;
  readonly runningServer: () => Promise<RunningServer | undefined>;
  /** What callers of the server in the home folder show: of --token-file, the environment, or the folder itself. */
  readonly token: () => Promise<string | undefined>;
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
  readonly quiet?: boolean;
}

const defaultHome = '.tidemill';

/** From a command's own and the program's options. */
export function createContext(command: Command, world: CliEnvironment): CliContext {
  const options = command.optsWithGlobals<GlobalOptions>();
  const { environment, cwd } = world;
  const namedHome = options.home ?? environment['TIDEMILL_HOME'];
  const home = resolve(cwd, namedHome ?? defaultHome);
  const project = options.project ?? environment['TIDEMILL_PROJECT'];
  const namedServer = withScheme(options.url ?? environment['TIDEMILL_URL']);
  const runningServer = async () => await readRunningServer(home);
  const findProject = async () => project ?? (await declaredProject(cwd));
  /** @param serverHome whose admin's token will do when no other is told; undefined for a server elsewhere */
  async function tokenFor(serverHome: string | undefined): Promise<string | undefined> {
    const tokenFile = options.tokenFile ?? environment['TIDEMILL_TOKEN_FILE'];
    if (tokenFile !== undefined) return await readTokenFile(resolve(cwd, tokenFile));
    return environment['TIDEMILL_TOKEN'] ?? (serverHome === undefined ? undefined : await readAdminToken(serverHome));
  }
  return {
    ...world,
    token: () => tokenFor(home),
    output: createOutput({ ...world, json: options.json ?? false, quiet: options.quiet ?? false }),
    home,
    project,
    findProject,
    namedServer,
    runningServer,
    async connect() {
      const named = namedServer;
      const serverHome = named === undefined && namedHome === undefined ? nearestHome(cwd, home) : home;
      const url = named ?? (await readRunningServer(serverHome))?.url;
      if (url === undefined)
        throw new CliError(
          'NO_SERVER',
          6,
          `no server runs from ${home}${namedHome === undefined ? ' or a folder above' : ''}: start one with "tidemill up", or name one with --url`,
        );
      const token = await tokenFor(named === undefined ? serverHome : undefined);
      const inProject = await findProject();
      if (inProject !== undefined && !new RegExp(namePattern).test(inProject))
        throw new CliError(
          'PROJECT_NAME_INVALID',
          2,
          `--project is "${inProject}"; it must be ${patternWords(namePattern)}`,
        );
      const { createClient } = await import('../sdk/index.ts');
      return createClient({
        url,
        ...(inProject !== undefined && { project: inProject }),
        ...(token !== undefined && { token }),
      });
    },
  };
}

/** `127.0.0.1:7878`, as people write an address, is one of HTTP. */
function withScheme(address: string | undefined): string | undefined {
  return address === undefined || address.includes('://') ? address : `http://${address}`;
}

/** This folder and those above it, from the inside out. */
export function* foldersUpFrom(folder: string): Generator<string> {
  for (let at = resolve(folder); ; at = dirname(at)) {
    yield at;
    if (at === dirname(at)) return;
  }
}

/** The names that the document of a project may have. */
export const documentNames = ['tidemill.yaml', 'tidemill.yml'];

/** The nearest folder above in which a server runs; `home` where none does. */
function nearestHome(cwd: string, home: string): string {
  const homes = [...foldersUpFrom(cwd)].map((folder) => join(folder, defaultHome));
  return homes.find((folder) => existsSync(join(folder, runningServerFile))) ?? home;
}

/** What the nearest tidemill.yaml calls its project: only this line is looked for, the server checks the rest. */
async function declaredProject(cwd: string): Promise<string | undefined> {
  for (const folder of foldersUpFrom(cwd)) {
    const path = documentNames.map((name) => join(folder, name)).find((candidate) => existsSync(candidate));
    if (path === undefined) continue;
    return /^project:[ \t]*(["']?)([A-Za-z0-9][A-Za-z0-9._-]*)\1[ \t]*(?:#.*)?$/m.exec(
      await readFile(path, 'utf8'),
    )?.[2];
  }
  return undefined;
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
