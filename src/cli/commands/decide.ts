import { Command } from 'commander';
import { decideApproval } from '#contracts/approvals';
import { type CliEnvironment, CliError, createContext } from '../context.ts';
import { addExamples } from '../help-examples.ts';
import { formatRecord } from '../output.ts';

/** What people decide about an approval, beside listing and showing. */
export function addApprovalActions(command: Command, world: CliEnvironment): void {
  const decide = command.command('decide <approvalId>');
  decide
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
  addExamples(decide, [
    'approval decide 01a21be4-bcd1-7000-882c-b0dc8dc4ceeb --grant --reason "better on every slice"',
  ]);
}
