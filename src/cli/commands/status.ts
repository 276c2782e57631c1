import { Command } from 'commander';
import type { DataPlaneDeaths } from '#contracts/running-server';
import { type CliEnvironment, createContext } from '../context.ts';
import { setExitCode } from '../exit-code.ts';
import { formatTable } from '../output.ts';

interface Part {
  readonly part: string;
  readonly state: 'ready' | 'not ready' | 'starting again' | 'unreachable' | 'not running' | 'not there yet';
  readonly at?: string;
  readonly says?: string;
}

const timeoutMs = 2_000;

export function createStatusCommand(world: CliEnvironment): Command {
  return new Command('status')
    .description('Says what runs from the home folder and whether it is ready.')
    .action(async (_options: unknown, command: Command) => {
      const context = createContext(command, world);
      const running = await context.runningServer();
      const parts: readonly Part[] = [
        await ask('control plane', running?.url),
        withDeaths(await ask('data plane', running?.servingUrl), running?.dataPlane),
        {
          part: 'grpc',
          state: 'not there yet',
          says: 'the port is kept for predictions over gRPC; nothing listens on it',
        },
      ];
      const ready = parts.slice(0, 2).every(({ state }) => state === 'ready');
      context.output.result({ ready, version: running?.version, parts }, () =>
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
