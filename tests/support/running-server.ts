import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { findDataPlane } from '../../src/app/data-plane-process.ts';
import { builtModule } from '../../src/platform/testing/built-program.ts';
import { type Client, createClient } from '../../src/sdk/index.ts';
import { temporaryFolder } from './control-plane.ts';

const program = fileURLToPath(new URL('../../bin/tidemill', import.meta.url));

/** One home folder and the two processes that a person starts on it with `tidemill up`. */
export interface RunningPair {
  readonly home: string;
  url(): string;
  /** The first admin's, with `--auth on`. */
  token(): string | undefined;
  /** Of the bare root. */
  client(): Client;
  /** Where predictions are asked for; it stays the same over all starts. */
  servingUrl(): string;
  dataPlanePid(): Promise<number | undefined>;
  /** Starts what does not run, on the ports of the first time unless told otherwise. */
  up(other?: readonly string[]): Promise<void>;
  /** SIGTERM: both planes end in order. */
  stop(): Promise<void>;
  killControlPlane(): Promise<void>;
  killDataPlane(): Promise<void>;
}

/** Started once, with more arguments of `up` when given; whatever runs of it is gone after the test. */
export async function startPair(
  more: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<RunningPair> {
  await builtModule('cli/main.js');
  const home = join(await temporaryFolder(), 'home');
  const serving = join(home, 'serving');
  let control: ChildProcess | undefined;
  let [url, servingUrl] = ['http://127.0.0.1:0', 'http://127.0.0.1:0'];

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const child = control;
    control = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exit;
  };
  const pair: RunningPair = {
    home,
    client() {
      const token = pair.token();
      return createClient({ url, ...(token !== undefined && { token }) });
    },
    url: () => url,
    token: () => readOrNothing(join(home, 'admin-token')),
    servingUrl: () => servingUrl,
    dataPlanePid: async () => (await findDataPlane(serving))?.pid,
    async up(other = []) {
      const ports = ['--port', portOf(url), '--serving-port', portOf(servingUrl)];
      const child = spawn(program, ['up', '--json', '--home', home, ...ports, ...more, ...other], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...environment },
      });
      control = child;
      let said = '';
      child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const line = await new Promise<string>((resolve, reject) => {
        createInterface({ input: child.stdout }).once('line', resolve);
        child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
      });
      ({ url, servingUrl } = JSON.parse(line) as { readonly url: string; readonly servingUrl: string });
    },
    stop: () => end('SIGTERM'),
    killControlPlane: () => end('SIGKILL'),
    async killDataPlane() {
      const found = await findDataPlane(serving);
      if (found === undefined) throw new Error('no data plane runs');
      process.kill(found.pid, 'SIGKILL');
      await expect.poll(() => findDataPlane(serving), { interval: 5 }).toBeUndefined();
    },
  };
  onTestFinished(async () => {
    await end('SIGTERM');
    if ((await pair.dataPlanePid()) !== undefined) await pair.killDataPlane();
  });
  await pair.up();
  return pair;
}

const portOf = (url: string): string => new URL(url).port;

const readOrNothing = (path: string): string | undefined =>
  existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
