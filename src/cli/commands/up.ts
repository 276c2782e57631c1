import { Command } from 'commander';
import { type CliEnvironment, createContext } from '../context.ts';

/** Milliseconds from the start of the process. */
const beganMs = Date.now() - process.uptime() * 1000;

export function createUpCommand(world: CliEnvironment): Command {
  return new Command('up')
    .description('Starts the server: control plane and data plane. Ctrl-C stops both in order.')
    .option('--port <number>', 'port of the API and the web page (default: 7878)')
    .option('--serving-port <number>', 'port of predictions over HTTP (default: 7879)')
    .option('--grpc-port <number>', 'port of predictions over gRPC (default: 7880; nothing listens there yet)')
    .option('--host <address>', 'address to listen on (default: 127.0.0.1); any other needs --auth on')
    .option('--auth <on|off>', 'whether callers need a token (default: off)')
    .option('--database-url <url>', 'postgres://… or a file (default: SQLite in the home folder)')
    .action(async (options: Record<string, string | undefined>, command: Command) => {
      const context = createContext(command, world);
      const { up } = await import('../../app/up.ts');
      await up({
        flags: { home: context.home, ...options },
        environment: world.environment,
        cwd: world.cwd,
        warn: (line) => context.output.say(line),
        beganMs,
        signal: world.signal,
        ready: (server) =>
          context.output.line(
            server,
            () =>
              `Tidemill is ready at ${server.url} (predictions at ${server.servingUrl}), in ${(server.tookMs / 1000).toFixed(2)} s`,
          ),
      });
    });
}
