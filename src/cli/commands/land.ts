import { Command } from 'commander';
import { nearestName } from '#contracts/nearest-name';
import { setArgumentNames } from '../completion.ts';
import { type CliEnvironment, CliError, createContext } from '../context.ts';
import { setExitCode } from '../exit-code.ts';
import { formatRecord } from '../output.ts';
import { openProjectFolder, type ProjectFolder } from '../workspace/project-folder.ts';
import { createProjectSender, ensureProject, followIngestion } from '../workspace/send.ts';

export function createLandCommand(world: CliEnvironment): Command {
  const command = new Command('land')
    .description('Takes in the files that a dataset’s source matches now; those that are new become a new version.')
    .argument('<dataset>', 'its name in tidemill.yaml')
    .option('-f, --file <path>', 'the document (default: tidemill.yaml here or above)')
    .option('--no-wait', 'return once it has begun')
    .action(async (dataset: string, options: { file?: string; wait: boolean }, self: Command) => {
      const context = createContext(self, world);
      const folder = await openProjectFolder(world.cwd, options.file, context.project);
      if (folder.sources[dataset] === undefined)
        throw new CliError('DATASET_NOT_FOUND', 3, notDeclared(folder, dataset));
      const client = await ensureProject(await context.connect(), folder.project);
      const started = await (await createProjectSender(client, folder)).land(dataset);
      if (started === undefined) {
        context.output.result({ unchanged: true }, () => 'Nothing is new.');
        return;
      }
      const found = options.wait ? await followIngestion(client, started.id, context.signal) : started;
      context.output.result(found, () =>
        found.state === 'published' ? `${dataset} has version ${found.version}.` : formatRecord(found),
      );
      if (found.state === 'failed' || found.state === 'blocked') setExitCode(self, 1);
    });
  setArgumentNames(command, async () => Object.keys((await openProjectFolder(world.cwd)).sources));
  return command;
}

function notDeclared({ document, sources }: ProjectFolder, dataset: string): string {
  const nearest = nearestName(dataset, Object.keys(sources));
  return `${document} declares no dataset "${dataset}"${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`;
}
