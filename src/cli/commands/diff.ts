import { Command } from 'commander';
import { diffWorkspace } from '#contracts/workspace';
import { type CliEnvironment, createContext } from '../context.ts';
import { setExitCode } from '../exit-code.ts';
import { openProjectFolder } from '../workspace/project-folder.ts';
import { createProjectSender, ensureProject } from '../workspace/send.ts';
import { differenceLines } from './apply.ts';

export function createDiffCommand(world: CliEnvironment): Command {
  return new Command('diff')
    .description('Shows what apply would change, and what was changed elsewhere since.')
    .option('-f, --file <path>', 'the document (default: tidemill.yaml here or above)')
    .option('--prune', 'as apply --prune')
    .option('--exit-code', 'exit with 1 when there is a difference, for CI')
    .action(async (options: { file?: string; prune?: boolean; exitCode?: boolean }, command: Command) => {
      const context = createContext(command, world);
      const { output, signal } = context;
      const folder = await openProjectFolder(world.cwd, options.file, context.project);
      const client = await ensureProject(await context.connect(), folder.project);
      const snapshot = await (await createProjectSender(client, folder)).snapshot();
      const found = await client.call(
        diffWorkspace,
        { body: { snapshot, document: folder.document, prune: options.prune ?? false } },
        { signal },
      );
      const lines = [
        ...differenceLines(found.differences, output.colors),
        ...(found.code ? ['~ change files of the project'] : []),
      ];
      output.result(found, () => (lines.length === 0 ? 'No difference.' : lines.join('\n')));
      if (options.exitCode === true && lines.length > 0) setExitCode(command, 1);
    });
}
