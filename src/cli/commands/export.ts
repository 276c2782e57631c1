import { resolve } from 'node:path';
import { Command } from 'commander';
import type { ExportReport } from '../../transfer/export-report.ts';
import { type CliEnvironment, CliError, createContext } from '../context.ts';
import { addExamples } from '../help-examples.ts';
import { withProgress } from '../transfer-progress.ts';
import { bytesText, plural } from '../words.ts';

interface ExportFlags {
  readonly to: string;
  readonly experiment?: readonly string[];
}

export function createExportCommand(world: CliEnvironment): Command {
  const command = new Command('export').description('Writes what is tracked in a form that others read: no lock-in.');
  const mlflow = command
    .command('mlflow')
    .description(
      'Writes experiments, runs with all points, params, tags, inputs, outputs and files, logged models and the registry for MLflow: into a folder of its file store with all ids, or to a tracking server, which gives ids of its own.',
    )
    .requiredOption('--to <folder or tracking URI>', 'a folder such as ./mlruns, or http(s)://…')
    .option('-e, --experiment <name...>', 'only these experiments; the registry goes whole')
    .action(async (flags: ExportFlags, self: Command) => {
      const context = createContext(self, world);
      const { cwd, environment, output, signal } = context;
      refuseStrangeTarget(flags.to);
      const [{ exportToFolder }, { exportToServer }, { createTidemillSource }, client] = await Promise.all([
        import('../../transfer/export-folder.ts'),
        import('../../transfer/export-server.ts'),
        import('../../transfer/tidemill-source.ts'),
        context.connect(),
      ]);
      const source = createTidemillSource(client, `${client.url}, project ${client.project ?? 'default'}`);
      output.say(`Exporting from ${source.label} to ${flags.to}`);
      const report = await withProgress(context, self, (onProgress) => {
        const options = { experiments: flags.experiment, signal, onProgress };
        return /^https?:/i.test(flags.to)
          ? exportToServer(source, flags.to, { ...options, environment })
          : exportToFolder(source, resolve(cwd, flags.to.replace(/^file:(?:\/\/)?/, '')), options);
      });
      output.result(report, () => formatReport(report));
    });
  addExamples(mlflow, ['export mlflow --to ./mlruns', 'export mlflow --to http://mlflow.example.com:5000']);
  return command;
}

/** An address of another kind would be taken for the name of a folder. */
function refuseStrangeTarget(to: string): void {
  const [, scheme] = /^([a-z][a-z\d+.-]*):\/\//i.exec(to) ?? /^(sqlite):/i.exec(to) ?? [];
  if (scheme === undefined || /^(?:https?|file)$/i.test(scheme)) return;
  throw new CliError(
    'TARGET_UNSUPPORTED',
    2,
    /^(?:sqlite|postgres|mysql|mssql)/i.test(scheme)
      ? `a database (${scheme}:) is not written directly: export to a folder and run "mlflow migrate-filestore --source <folder> --target <database>", or start "mlflow server --backend-store-uri <database>" and export to its http address`
      : `${scheme}: is nothing that an export is written to: --to takes a folder, such as ./mlruns, or the http(s) address of a tracking server`,
  );
}

/** What is there now, and what of it was written this time: an export passes by what is wholly there. */
function formatReport({ to, progress, left }: ExportReport): string {
  const { experiments, runs, passedBy, points, loggedModels, traces, tracesPassedBy, models } = progress;
  const { files, fileBytes, sentBytes } = progress;
  const passed = [
    ...(passedBy > 0 ? [plural(passedBy, 'run')] : []),
    ...(tracesPassedBy > 0 ? [plural(tracesPassedBy, 'trace')] : []),
  ].join(' and ');
  return [
    `Now in ${to}: ${plural(experiments, 'experiment')}, ${plural(runs, 'run')}, ${plural(loggedModels, 'logged model')}, ${plural(traces, 'trace')} and ${plural(models, 'registered model or prompt', 'registered models and prompts')}.`,
    `Written this time: ${plural(points, 'point')} and ${plural(files, 'file')} (${bytesText(fileBytes)}, of which ${bytesText(sentBytes)} had to be sent).`,
    ...(passed === '' ? [] : [`Passed by, since they were wholly there: ${passed}.`]),
    ...left.map((what) => `Not written: ${what}.`),
  ].join('\n');
}
