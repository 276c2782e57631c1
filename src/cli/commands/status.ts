import { connect } from 'node:net';
import { Command } from 'commander';
import type { DataPlaneDeaths, RunningServer } from '#contracts/running-server';
import { type CliEnvironment, createContext } from '../context.ts';
import { setExitCode } from '../exit-code.ts';
import { formatTable } from '../output.ts';
import { isAlive } from '../stop-server.ts';

interface Part {
  readonly part: string;
  readonly state: 'ready' | 'not ready' | 'starting again' | 'unreachable' | 'not running' | 'off';
  readonly at?: string;
  readonly says?: string;
}

const timeoutMs = 2_000;

export function createStatusCommand(world: CliEnvironment): Command {
  return new Command('status')
    .description('Says what runs from the home folder, or at --url, and whether it is ready.')
    .action(async (_options: unknown, command: Command) => {
      const context = createContext(command, world);
      const { version, parts } =
        context.namedServer === undefined
          ? await lookAtHome(await context.runningServer())
          : await lookAt(context.namedServer);
      const ready = parts.every(({ state }) => state === 'ready' || state === 'off');
      context.output.result({ ready, version, parts }, () =>
        formatTable(
          parts,
          [
            { title: 'part', value: ({ part }) => part },
            { title: 'state', value: ({ state }) => state },
            { title: 'at', value: ({ at }) => at },
            { title: 'says', value: ({ says }) => says },
          ],
          '',
        ),
      );
      if (!ready) setExitCode(command, 6);
    });
}

interface Findings {
  readonly version: string | undefined;
  readonly parts: readonly Part[];
}

async function lookAtHome(running: RunningServer | undefined): Promise<Findings> {
  return {
    version: running?.version,
    parts: [
      withEnd(await ask('control plane', running?.url), running?.pid),
      withDeaths(await ask('data plane', running?.servingUrl), running?.dataPlane),
      await askGrpc(running),
    ],
  };
}

/** Of the data plane, so when it is ready so is this: what is left to know is whether it listens. */
async function askGrpc(running: RunningServer | undefined): Promise<Part> {
  const part = 'grpc';
  if (running === undefined) return { part, state: 'not running' };
  const { grpcAddress: at } = running;
  if (at === undefined) return { part, state: 'off', says: 'start with --grpc-port <number> to have it' };
  const { hostname, port } = new URL(`http://${at}`);
  const listens = await new Promise<boolean>((resolve) => {
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), timeout: timeoutMs });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
  return { part, at, state: listens ? 'ready' : 'unreachable' };
}

/** A control plane that was killed could not take its running.json away. */
function withEnd(part: Part, pid: number | undefined): Part {
  if (part.state !== 'unreachable' || pid === undefined || isAlive(pid)) return part;
  const says = `process ${pid} has ended without an orderly stop; start it again with "tidemill up"`;
  return { part: part.part, state: 'not running', says };
}

/** Of a server elsewhere only the address is known: where its data plane listens stands in its own home folder. */
async function lookAt(named: string): Promise<Findings> {
  const url = named.replace(/\/+$/, '');
  const part = await ask('control plane', url);
  const version = part.state === 'ready' ? await versionOf(url) : undefined;
  return { version, parts: [{ ...part, ...(version !== undefined && { says: `version ${version}` }) }] };
}

/** As its API document says, which needs no token. */
async function versionOf(url: string): Promise<string | undefined> {
  try {
    const answer = await fetch(`${url}/api/v1/openapi.json`, { signal: AbortSignal.timeout(timeoutMs) });
    const { info } = (await answer.json()) as { readonly info?: { readonly version?: string } };
    return info?.version;
  } catch {
    return undefined; // ready, but of no Tidemill that we know
  }
}

/** Since the server started, which starts it again by itself. */
function withDeaths(part: Part, deaths: DataPlaneDeaths | undefined): Part {
  if (deaths === undefined || part.state === 'not running') return part;
  const { state, deaths: count, lastDeathMs, lastEnd } = deaths;
  const times = count === 1 ? 'died once' : `died ${count} times`;
  const says = `${times}, last ${lastEnd} at ${new Date(lastDeathMs).toISOString()}`;
  return state === 'starting again' ? { ...part, state: 'starting again', says } : { ...part, says };
}

async function ask(part: string, url: string | undefined): Promise<Part> {
  if (url === undefined) return { part, state: 'not running' };
  try {
    const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(timeoutMs) });
    return { part, at: url, state: answer.ok ? 'ready' : 'not ready' };
  } catch {
    return { part, at: url, state: 'unreachable' };
  }
}
