import { Command } from 'commander';
import { decideApproval } from '#contracts/approvals';
import { abortRollout, promoteRollout } from '#contracts/rollouts';
import { type CliEnvironment, CliError, createContext } from '../context.ts';
import { formatRecord } from '../output.ts';

/** What people decide about an approval, beside listing and showing. */
export function addApprovalActions(command: Command, world: CliEnvironment): void {
  command
    .command('decide <approvalId>')
    .description(decideApproval.summary)
    .option('--grant', 'grant it')
    .option('--refuse', 'refuse it')
    .requiredOption('--reason <text>', 'why')
    .action(
      async (approvalId: string, options: { grant?: boolean; refuse?: boolean; reason: string }, self: Command) => {
        if ((options.grant === true) === (options.refuse === true))
          throw new CliError('DECISION_MISSING', 2, 'say one of --grant and --refuse');
        const { output, connect } = createContext(self, world);
        const done = await (await connect()).call(decideApproval, {
          params: { approvalId },
          body: { granted: options.grant === true, reason: options.reason },
        });
        output.result(done, () => formatRecord(done));
      },
    );
}

export function addRolloutActions(command: Command, world: CliEnvironment): void {
  for (const [name, operation] of [
    ['promote', promoteRollout],
    ['abort', abortRollout],
  ] as const)
    command
      .command(`${name} <rolloutId>`)
      .description(operation.summary)
      .requiredOption('--reason <text>', 'why')
      .action(async (rolloutId: string, options: { reason: string }, self: Command) => {
        const { output, connect } = createContext(self, world);
        const done = await (await connect()).call(operation, {
          params: { rolloutId },
          body: { reason: options.reason },
        });
        output.result(done, () => formatRecord(done));
      });
}
