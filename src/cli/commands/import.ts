import { Command } from 'commander';
import type { Source } from '../../transfer/source.ts';
import { type CliContext, type CliEnvironment, CliError, createContext } from '../context.ts';
import { setExitCode } from '../exit-code.ts';
import { addExamples } from '../help-examples.ts';
import { formatPlan, formatReport, toResult } from '../import-output.ts';
import { withProgress } from '../transfer-progress.ts';

interface ImportFlags {
  readonly experiment?: readonly string[];
  readonly artifacts: string | boolean;
  readonly workspace?: string;
  readonly dryRun?: boolean;
  readonly again?: boolean;
}

export function createImportCommand(world: CliEnvironment): Command {
  const command = new Command('import').description(
    'Brings in what another store has tracked: nothing is there twice, however often it runs or wherever it broke off.',
  );
  addMlflow(command, world);
  addTidemill(command, world);
  return command;
}

/** A store that is read by a command with these arguments. */
type OpenSource = (context: CliContext, address: string, flags: ImportFlags) => Promise<Source>;

function addMlflow(command: Command, world: CliEnvironment): void {
  const mlflow = command
    .command('mlflow')
    .description(
      'Brings in experiments, runs with all points, params, tags, inputs, outputs and files, logged models, traces and the registry of MLflow, with the ids they have; then compares what is here with what is there.',
    )
    .argument('<source>', 'its tracking URI: http(s)://…, sqlite:///…, postgresql://…, or a folder such as ./mlruns')
    .option(
      '--artifacts <folder>',
      'the folder behind mlflow-artifacts:/ when a database is read (default: mlartifacts beside it)',
    )
    .option('--workspace <name>', 'of MLflow’s workspaces (default: "default")');
  addImport(mlflow, world, async ({ cwd, environment, signal }, address, flags) => {
    const { openSource } = await import('../../transfer/open-source.ts');
    return await openSource(address, {
      cwd,
      artifacts: flags.artifacts !== false,
      artifactFolder: typeof flags.artifacts === 'string' ? flags.artifacts : undefined,
      workspace: flags.workspace,
      environment,
      signal,
    });
  });
  addExamples(mlflow, ['import mlflow ./mlruns', 'import mlflow sqlite:///mlflow.db --dry-run']);
}

function addTidemill(command: Command, world: CliEnvironment): void {
  const tidemill = command
    .command('tidemill')
    .description(
      'Brings in what a project of another Tidemill has tracked and registered, as "import mlflow" does; pipelines, data and deployments stay. A token for it is read from TIDEMILL_SOURCE_TOKEN.',
    )
    .argument(
      '<project>',
      'its address: http(s)://… for the project "default", http(s)://…/projects/<name> for others',
    );
  addImport(tidemill, world, async ({ environment }, address) => {
    const [{ createClient, isTidemillError }, { createTidemillSource }, { exportExperiments }] = await Promise.all([
      import('../../sdk/index.ts'),
      import('../../transfer/tidemill-source.ts'),
      import('#contracts/transfer'),
    ]);
    const [, url, project] = /^(https?:\/\/[^/]+(?:\/.*?)?)(?:\/projects\/([^/]+))?\/*$/.exec(address) ?? [];
    if (url === undefined)
      throw new CliError(
        'SOURCE_UNSUPPORTED',
        2,
        `${address} is no address of a project, such as http://127.0.0.1:7878/projects/<name>`,
      );
    const token = environment['TIDEMILL_SOURCE_TOKEN'];
    const client = createClient({
      url,
      ...(project !== undefined && { project: decodeURIComponent(project) }),
      ...(token !== undefined && { token }),
    });
    try {
      await client.call(exportExperiments, { query: {} });
    } catch (error) {
      if (!isTidemillError(error) || error.kind !== 'unauthenticated') throw error;
      const why = `${address} asks who you are: set TIDEMILL_SOURCE_TOKEN to a token of that project`;
      throw new CliError('SOURCE_DENIED', 4, why);
    }
    return createTidemillSource(client, address);
  });
  addExamples(tidemill, ['import tidemill http://old.example.com:7878/projects/fraud --project fraud']);
}

/** The options that all sources have, and what is done with a source. */
function addImport(command: Command, world: CliEnvironment, open: OpenSource): void {
  command
    .option('-e, --experiment <name...>', 'only these experiments; the registry comes whole')
    .option('--no-artifacts', 'leave files where they are and keep their addresses')
    .option('--again', 'read everything again, also what has not changed since it was brought in')
    .option('--dry-run', 'say what would come, and change nothing')
    .action(async (address: string, flags: ImportFlags, self: Command) => {
      const context = createContext(self, world);
      const source = await open(context, address, flags);
      try {
        await importSource(context, source, flags, self);
      } finally {
        await source.close();
      }
    });
}

async function importSource(context: CliContext, source: Source, flags: ImportFlags, self: Command): Promise<void> {
  const [{ importFrom }, { planImport }, client] = await Promise.all([
    import('../../transfer/importer.ts'),
    import('../../transfer/plan-import.ts'),
    context.connect(),
  ]);
  const { signal, output } = context;
  if (flags.dryRun === true) {
    const plan = await planImport(source, client, { experiments: flags.experiment, signal });
    output.result(plan, () => formatPlan(plan));
    return;
  }
  output.say(`Importing from ${source.label} into ${client.url}, project ${client.project ?? 'default'}`);
  const report = await withProgress(context, self, (onProgress) =>
    importFrom(source, client, {
      experiments: flags.experiment,
      artifacts: flags.artifacts !== false,
      again: flags.again === true,
      signal,
      onProgress,
    }),
  );
  output.result(toResult(report), () => formatReport(report));
  if (report.differences.length > 0) setExitCode(self, 1);
}
