import { Command } from 'commander';
import { type CliEnvironment, createContext } from '../context.ts';
import { stopServer } from '../stop-server.ts';

export function createDownCommand(world: CliEnvironment): Command {
  return new Command('down')
    .description(
      'Stops the server that runs from the home folder: the data plane hands its records over, then both end.',
    )
    .action(async (_options: unknown, command: Command) => {
      const context = createContext(command, world);
      const stopped = await stopServer(context);
      context.output.result({ stopped }, () => (stopped ? 'Stopped.' : `Nothing runs from ${context.home}.`));
    });
}
