import { Command } from 'commander';
import { defaultProject } from '#contracts/references';
import { diffWorkspace } from '#contracts/workspace';
import { isTidemillError } from '../../sdk/index.ts';
import { type CliEnvironment, createContext } from '../context.ts';
import { setExitCode } from '../exit-code.ts';
import { openProjectFolder } from '../workspace/project-folder.ts';
import { createProjectSender } from '../workspace/send.ts';
import { differenceLines } from './apply.ts';

export function createDiffCommand(world: CliEnvironment): Command {
  return new Command('diff')
    .description('Shows what apply would change and land, and what was changed elsewhere since.')
    .option('-f, --file <path>', 'the document (default: tidemill.yaml here or above)')
    .option('--prune', 'as apply --prune')
    .option('--exit-code', 'exit with 1 when there is a difference, for CI; files that wait to be landed are none')
    .action(async (options: { file?: string; prune?: boolean; exitCode?: boolean }, command: Command) => {
      const context = createContext(command, world);
      const { output, signal } = context;
      const folder = await openProjectFolder(world.cwd, options.file, context.project);
      const client = (await context.connect()).inProject(folder.project);
      const sender = await createProjectSender(client, folder);
      const { files: code, texts } = await sender.describe();
      const body = { files: [...code], texts, document: folder.document, prune: options.prune ?? false };
      const found = await client.call(diffWorkspace, { body }, { signal }).catch((error: unknown) => {
        if (!isTidemillError(error, 'PROJECT_NOT_FOUND')) throw error;
        // a project that is not there yet is in no path: asked for so, all of it is new
        return client.inProject(defaultProject).call(diffWorkspace, { body }, { signal });
      });
      const lines = [
        ...(found.exists ? [] : [`Project ${found.project} is not there yet: everything is new.`]),
        ...differenceLines(found.differences, output.colors),
        ...(found.code ? ['~ change files of the project'] : []),
      ];
      const landings: Landing[] = [];
      for (const dataset of Object.keys(folder.sources))
        landings.push({ dataset, source: folder.sources[dataset] ?? '', ...(await sender.compare(dataset)) });
      const files = landings.flatMap(landingLines);
      output.result({ ...found, landings }, () =>
        [...(lines.length === 0 ? ['No difference.'] : lines), ...files].join('\n'),
      );
      if (options.exitCode === true && lines.length > 0) setExitCode(command, 1);
    });
}

interface Landing {
  readonly dataset: string;
  readonly source: string;
  readonly waiting: readonly string[];
  readonly missing: readonly string[];
}

/** What apply would do with the files of a dataset: land those that are new, and refuse while landed ones are not there. */
function landingLines({ dataset, source, waiting, missing }: Landing): readonly string[] {
  const lines: string[] = [];
  if (waiting.length > 0)
    lines.push(
      `+ land    dataset:${dataset}: ${waiting.length === 1 ? '1 new file' : `${waiting.length} new files`} (${someOf(waiting)})`,
    );
  if (missing.length > 0)
    lines.push(
      `! refuse  dataset:${dataset}: ${source} matches no longer what was landed (${someOf(missing)}): put back what is gone, or let the source match it again`,
    );
  return lines;
}

const mostNamed = 3;

const someOf = (paths: readonly string[]): string =>
  `${paths.slice(0, mostNamed).join(', ')}${paths.length > mostNamed ? `, and ${paths.length - mostNamed} more` : ''}`;
