import { Command } from 'commander';
import { type CliEnvironment, CliError, createContext } from '../context.ts';
import { setExitCode } from '../exit-code.ts';
import { formatRecord } from '../output.ts';
import { openProjectFolder } from '../workspace/project-folder.ts';
import { createProjectSender, ensureProject, followIngestion } from '../workspace/send.ts';

export function createLandCommand(world: CliEnvironment): Command {
  return new Command('land')
    .description('Takes in the files that a dataset’s source matches now; those that are new become a new version.')
    .argument('<dataset>', 'its name in tidemill.yaml')
    .option('-f, --file <path>', 'the document (default: tidemill.yaml here or above)')
    .option('--no-wait', 'return once it has begun')
    .action(async (dataset: string, options: { file?: string; wait: boolean }, command: Command) => {
      const context = createContext(command, world);
      const folder = await openProjectFolder(world.cwd, options.file);
      if (folder.sources[dataset] === undefined)
        throw new CliError('DATASET_NOT_FOUND', 3, `${folder.document} declares no dataset "${dataset}"`);
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
      if (found.state === 'failed' || found.state === 'blocked') setExitCode(command, 1);
    });
}
