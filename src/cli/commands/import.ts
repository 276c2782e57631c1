import { Command } from 'commander';
import type { ImportReport } from '../../transfer/import-report.ts';
import { type CliEnvironment, createContext } from '../context.ts';
import { setExitCode } from '../exit-code.ts';
import { addExamples } from '../help-examples.ts';
import { formatTable } from '../output.ts';
import { megabytes, withProgress } from '../transfer-progress.ts';

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
  const mlflow = command
    .command('mlflow')
    .description(
      'Brings in experiments, runs with all points, params, tags, inputs, outputs and files, logged models, traces and the registry of MLflow, with the ids they have; then compares what is here with what is there.',
    )
    .argument('<source>', 'its tracking URI: http(s)://…, sqlite:///…, postgresql://…, or a folder such as ./mlruns')
    .option('-e, --experiment <name...>', 'only these experiments')
    .option(
      '--artifacts <folder>',
      'the folder behind mlflow-artifacts:/ when a database is read (default: mlartifacts beside it)',
    )
    .option('--no-artifacts', 'leave files where they are and keep their addresses')
    .option('--workspace <name>', 'of MLflow’s workspaces (default: "default")')
    .option('--again', 'read everything again, also what has not changed since it was brought in')
    .option('--dry-run', 'say what would come, and change nothing')
    .action(async (address: string, flags: ImportFlags, self: Command) => {
      const context = createContext(self, world);
      const [{ importFrom }, { openSource }, { planImport }, client] = await Promise.all([
        import('../../transfer/importer.ts'),
        import('../../transfer/open-source.ts'),
        import('../../transfer/plan-import.ts'),
        context.connect(),
      ]);
      const { environment, cwd, signal, output } = context;
      const source = await openSource(address, {
        cwd,
        artifacts: flags.artifacts !== false,
        artifactFolder: typeof flags.artifacts === 'string' ? flags.artifacts : undefined,
        workspace: flags.workspace,
        environment,
        signal,
      });
      try {
        if (flags.dryRun === true) {
          const plan = await planImport(source, client, { experiments: flags.experiment, signal });
          output.result(plan, () =>
            [
              formatTable(plan.experiments, planColumns, 'There is nothing to bring in.'),
              `${plan.models} registered models with ${plan.versions} versions.`,
              ...leftLines(plan.leftBehind),
            ].join('\n'),
          );
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
      } finally {
        await source.close();
      }
    });
  addExamples(mlflow, ['import mlflow ./mlruns', 'import mlflow sqlite:///mlflow.db --dry-run']);
  return command;
}

const planColumns = [
  { title: 'experiment', value: (row: { readonly name: string }) => row.name },
  { title: 'here', value: (row: { readonly exists: boolean }) => (row.exists ? 'joins it' : 'new') },
  { title: 'runs', value: (row: { readonly runs: number }) => row.runs },
  { title: 'unchanged', value: (row: { readonly unchanged: number }) => row.unchanged },
  { title: 'points', value: (row: { readonly points: number | undefined }) => row.points },
  { title: 'logged models', value: (row: { readonly loggedModels: number }) => row.loggedModels },
];

interface Totals {
  readonly name: string;
  readonly id: string;
  readonly givenId: string;
  readonly runs: number;
  readonly loggedModels: number;
  readonly traces: number;
  readonly spans: number;
  readonly points: number;
  readonly params: number;
  readonly tags: number;
  readonly files: number;
  readonly fileBytes: number;
  readonly verified: boolean;
}

/** What came of each experiment, and whether all of it was found here. */
function totalsOf(report: ImportReport): Totals[] {
  const sums = new Map<
    string,
    {
      runs: number;
      loggedModels: number;
      points: number;
      params: number;
      tags: number;
      files: number;
      fileBytes: number;
    }
  >();
  for (const [id, { experiment, points, params, tags, files, bytes }] of report.expected) {
    const sum = sums.get(experiment) ?? {
      runs: 0,
      loggedModels: 0,
      points: 0,
      params: 0,
      tags: 0,
      files: 0,
      fileBytes: 0,
    };
    if (id.startsWith('m-')) sum.loggedModels += 1;
    else sum.runs += 1;
    sum.points += points;
    sum.params += params;
    sum.tags += tags;
    sum.files += files;
    sum.fileBytes += bytes;
    sums.set(experiment, sum);
  }
  const none = { runs: 0, loggedModels: 0, points: 0, params: 0, tags: 0, files: 0, fileBytes: 0 };
  return report.experiments.map(({ name, id, givenId }) => {
    const sum = sums.get(name) ?? none;
    const found = report.found.get(name) ?? { runs: 0, loggedModels: 0 };
    const traces = report.traces.get(name);
    return {
      name,
      id,
      givenId,
      ...sum,
      traces: traces?.traces ?? 0,
      spans: traces?.spans ?? 0,
      verified:
        found.runs === sum.runs &&
        found.loggedModels === sum.loggedModels &&
        (traces === undefined || traces.differences.length === 0),
    };
  });
}

function toResult(report: ImportReport): object {
  const { source, registry, kept, leftBehind, notes, differences, progress } = report;
  return {
    source,
    experiments: totalsOf(report),
    models: registry.records.length,
    versions: registry.versions,
    unchanged: progress.passedBy,
    sentBytes: progress.sentBytes,
    kept,
    leftBehind,
    left: [...registry.left, ...tracesLeft(report)],
    notes,
    differences,
  };
}

const tracesLeft = ({ traces }: ImportReport): string[] => [...traces.values()].flatMap(({ left }) => left);

const reportColumns = [
  { title: 'experiment', value: (row: Totals) => row.name },
  { title: 'id', value: (row: Totals) => (row.id === row.givenId ? row.id : `${row.id} (was ${row.givenId})`) },
  { title: 'runs', value: (row: Totals) => row.runs },
  { title: 'points', value: (row: Totals) => row.points },
  { title: 'params', value: (row: Totals) => row.params },
  { title: 'tags', value: (row: Totals) => row.tags },
  { title: 'models', value: (row: Totals) => row.loggedModels },
  { title: 'traces', value: (row: Totals) => row.traces },
  { title: 'files', value: (row: Totals) => row.files },
  { title: 'bytes', value: (row: Totals) => megabytes(row.fileBytes) },
  { title: 'verified', value: (row: Totals) => row.verified },
];

function formatReport(report: ImportReport): string {
  const { registry, kept, notes, differences, progress, leftBehind } = report;
  return [
    formatTable(totalsOf(report), reportColumns, 'There was no experiment to bring in.'),
    `${registry.records.length} registered models with ${registry.versions} versions; ${progress.passedBy} runs and logged models were here unchanged; ${megabytes(progress.sentBytes)} of files were sent.`,
    ...kept.map(
      ({ count, scheme, why, example }) =>
        `Files of ${count} runs or models stay in ${scheme} (${why}), such as ${example || 'none'}.`,
    ),
    ...registry.left.map((what) => `Left as it is here: ${what}.`),
    ...leftLines([...leftBehind, ...tracesLeft(report).map((what) => ({ what, count: 0 }))]),
    ...notes,
    ...(differences.length === 0
      ? ['Everything that was read is here.']
      : ['', `NOT here as it is there (${differences.length}):`, ...differences.map((what) => `- ${what}`)]),
  ].join('\n');
}

function leftLines(left: ImportReport['leftBehind']): string[] {
  return left.map(({ what, count }) =>
    count > 0 ? `Not brought over: ${count} ${what}.` : `Not brought over: ${what}.`,
  );
}
