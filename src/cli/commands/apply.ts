import { Command } from 'commander';
import { applyWorkspace, type ResourceDifference } from '#contracts/workspace';
import { type CliEnvironment, createContext } from '../context.ts';
import { setExitCode } from '../exit-code.ts';
import { openProjectFolder } from '../workspace/project-folder.ts';
import { createProjectSender, ensureProject, followIngestion } from '../workspace/send.ts';
import { whyNotLanded } from '../workspace/why-not-landed.ts';

export function createApplyCommand(world: CliEnvironment): Command {
  return new Command('apply')
    .description(
      'Makes the project what tidemill.yaml declares, then lands the files of its datasets. Again: nothing changes.',
    )
    .option('-f, --file <path>', 'the document (default: tidemill.yaml here or above)')
    .option('--prune', 'take away what the document no longer declares; versions, runs and logs stay')
    .option('--no-land', 'declare only: land no files')
    .option('--wait', 'wait until the landed data is there')
    .action(async (options: { file?: string; prune?: boolean; land: boolean; wait?: boolean }, command: Command) => {
      const context = createContext(command, world);
      const { output, signal } = context;
      const folder = await openProjectFolder(world.cwd, options.file, context.project);
      const client = await ensureProject(await context.connect(), folder.project);
      const sender = await createProjectSender(client, folder);
      const snapshot = await sender.snapshot();
      const applied = await client.call(
        applyWorkspace,
        { body: { snapshot, document: folder.document, prune: options.prune ?? false } },
        { signal },
      );
      for (const line of differenceLines(applied.differences, output.colors)) output.say(line);
      const landings: { dataset: string; ingestion: string; state: string; version?: number }[] = [];
      for (const { dataset } of options.land ? applied.sources : []) {
        const landed = await sender.land(dataset).catch((error: unknown) => {
          if (error instanceof Error && 'code' in error && error.code === 'DATASET_SOURCE_EMPTY') {
            output.say(`${dataset}: no file matches its source yet`);
            return undefined;
          }
          throw error;
        });
        if (landed === undefined) continue;
        output.say(`${dataset}: landing ${landed.files.length} new ${landed.files.length === 1 ? 'file' : 'files'}`);
        landings.push({ dataset, ingestion: landed.id, state: landed.state });
      }
      if (options.wait === true)
        for (const [index, { dataset, ingestion }] of landings.entries()) {
          const ended = await followIngestion(client, ingestion, signal);
          landings[index] = {
            dataset,
            ingestion,
            state: ended.state,
            ...(ended.version !== undefined && { version: ended.version }),
          };
          output.say(
            ended.state === 'published'
              ? `${dataset}: version ${ended.version}`
              : `${dataset}: ${ended.state}: ${whyNotLanded(ended)}`,
          );
          if (ended.state !== 'published') setExitCode(command, 1);
        }
      output.result({ ...applied, landings }, () =>
        applied.changes === 0 && landings.length === 0
          ? 'Nothing to change.'
          : `Applied ${applied.changes} ${applied.changes === 1 ? 'change' : 'changes'} to project ${applied.project}.`,
      );
    });
}

type Colors = ReturnType<typeof createContext>['output']['colors'];

/** What an apply does or would do, a line for each resource that is touched. */
export function differenceLines(differences: readonly ResourceDifference[], colors: Colors): readonly string[] {
  const marks = {
    create: colors.green('+ create'),
    change: colors.yellow('~ change'),
    prune: colors.red('- prune '),
    absent: colors.dim('  absent'),
    unchanged: '',
  } as const;
  return differences
    .filter(({ change, drifted }) => change !== 'unchanged' || drifted)
    .flatMap(({ change, resource, drifted, before, after }) => [
      `${marks[change] || '  drift '} ${resource}${change === 'absent' ? ' is not declared; --prune takes it away' : ''}${drifted ? ' (changed elsewhere since the last apply)' : ''}`,
      ...(change === 'change' ? fieldLines(before, after).map((line) => `    ${line}`) : []),
    ]);
}

/** What changes inside a resource: a line for each field that is not the same, by its path. */
function fieldLines(before: unknown, after: unknown, path = ''): readonly string[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (!isRecord(before) || !isRecord(after))
    return [`${path === '' ? '' : `${path}: `}${inWords(before)} → ${inWords(after)}`];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
    fieldLines(before[key], after[key], path === '' ? key : `${path}.${key}`),
  );
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const mostCharacters = 80;

function inWords(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > mostCharacters ? `${text.slice(0, mostCharacters - 1)}…` : text;
}
