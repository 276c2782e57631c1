import { Command } from 'commander';
import { type CliEnvironment, createContext } from '../context.ts';

/** Milliseconds from the start of the process. */
const beganMs = Date.now() - process.uptime() * 1000;

interface UpOption {
  readonly flag: string;
  readonly description: string;
  readonly choices?: readonly string[];
}

/** `settings` are the server's: loaded with the command, since the CLI knows none of them by itself. */
export function createUpCommand(world: CliEnvironment, settings: readonly UpOption[]): Command {
  const made = new Command('up').description(
    'Starts the server: control plane and data plane. Ctrl-C stops both in order.',
  );
  // every command has --home; the server says what is wrong with a value, all of them at once
  for (const { flag, description, choices } of settings)
    if (flag !== 'home') made.option(`--${flag} <${choices?.join('|') ?? 'value'}>`, description);
  return made.action(async (options: Record<string, string | undefined>, command: Command) => {
    const context = createContext(command, world);
    const { up } = await import('../../app/up.ts');
    let stopping = false;
    await up({
      flags: { home: context.home, ...options },
      environment: world.environment,
      cwd: world.cwd,
      warn: (line) => context.output.say(line),
      note: (line) => context.output.say(line),
      beganMs,
      signal: world.signal,
      ready: (server) =>
        context.output.line(
          server,
          () =>
            `Tidemill is ready at ${server.url} (predictions at ${server.servingUrl}${server.grpcAddress === undefined ? '' : `, over gRPC at ${server.grpcAddress}`}), in ${(server.tookMs / 1000).toFixed(2)} s`,
        ),
      stopping() {
        stopping = true;
        context.output.say('Stopping: what is under way is answered and recorded; Ctrl-C again ends at once.');
      },
    });
    if (stopping) context.output.say('Stopped.');
  });
}
