import { Command } from 'commander';
import { whoAmI } from '#contracts/identity';
import { type CliEnvironment, createContext } from '../context.ts';

export function createWhoAmICommand(world: CliEnvironment): Command {
  return new Command('whoami').description(whoAmI.summary).action(async (_options: unknown, command: Command) => {
    const { output, connect } = createContext(command, world);
    const found = await (await connect()).call(whoAmI, {});
    output.result(
      found,
      () => `You are ${found.id}; in project ${found.project} you may ${found.permissions.join(', ') || 'do nothing'}.`,
    );
  });
}
