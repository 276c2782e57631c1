import { Command } from 'commander';
import type { DataPlaneDeaths, RunningServer } from '#contracts/running-server';
import { type CliEnvironment, createContext } from '../context.ts';
import { setExitCode } from '../exit-code.ts';
import { formatTable } from '../output.ts';
import { isAlive } from '../stop-server.ts';

interface Part {
  readonly part: string;
  readonly state: 'ready' | 'not ready' | 'starting again' | 'unreachable' | 'not running' | 'not there yet';
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
      const ready = parts.every(({ state }) => state === 'ready' || state === 'not there yet');
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
      {
        part: 'grpc',
        state: 'not there yet',
        says: 'the port is kept for predictions over gRPC; nothing listens on it',
      },
    ],
  };
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
