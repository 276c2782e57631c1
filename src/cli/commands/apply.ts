import { Command } from 'commander';
import { applyWorkspace, type ResourceDifference } from '#contracts/workspace';
import type { Client } from '../../sdk/index.ts';
import { type CliEnvironment, createContext } from '../context.ts';
import { setExitCode } from '../exit-code.ts';
import type { Output } from '../output.ts';
import { type Consequences, followConsequences, readPosition } from '../workspace/consequences.ts';
import { openProjectFolder } from '../workspace/project-folder.ts';
import { createProjectSender, ensureProject, followIngestion, type ProjectSender } from '../workspace/send.ts';
import { whyNotLanded } from '../workspace/why-not-landed.ts';

export function createApplyCommand(world: CliEnvironment): Command {
  return new Command('apply')
    .description(
      'Makes the project what tidemill.yaml declares, then lands the files of its datasets. Again: nothing changes.',
    )
    .option('-f, --file <path>', 'the document (default: tidemill.yaml here or above)')
    .option('--prune', 'take away what the document no longer declares; versions, runs and logs stay')
    .option('--no-land', 'declare only: land no files')
    .option('--wait', 'wait until the data is landed and no run or rollout that follows goes on any more')
    .action(async (options: { file?: string; prune?: boolean; land: boolean; wait?: boolean }, command: Command) => {
      const context = createContext(command, world);
      const { output, signal } = context;
      const folder = await openProjectFolder(world.cwd, options.file, context.project);
      const client = await ensureProject(await context.connect(), folder.project);
      const sender = await createProjectSender(client, folder);
      const snapshot = await sender.snapshot();
      const after = options.wait === true ? await readPosition(client, signal) : undefined;
      const requestIds: string[] = [];
      const nameRequest = (): string => {
        const id = crypto.randomUUID();
        requestIds.push(id);
        return id;
      };
      const applied = await client.call(
        applyWorkspace,
        { body: { snapshot, document: folder.document, prune: options.prune ?? false } },
        { signal, requestId: nameRequest() },
      );
      for (const line of differenceLines(applied.differences, output.colors)) output.say(line);
      const landings: Landing[] = [];
      for (const { dataset } of options.land ? applied.sources : []) {
        const landing = await land(sender, dataset, { output, requestId: nameRequest() });
        if (landing !== undefined) landings.push(landing);
      }
      const followed =
        after === undefined
          ? undefined
          : await follow(client, landings, { output, signal, after, requestIds }).catch((error: unknown) => {
              if (signal.aborted)
                output.say('what was applied stands, and what follows goes on: tidemill events tail shows it');
              throw error;
            });
      if (followed !== undefined && isFailed(followed)) setExitCode(command, 1);
      output.result({ ...applied, landings, ...followed }, () =>
        applied.changes === 0 && landings.length === 0
          ? 'Nothing to change.'
          : `Applied ${applied.changes} ${applied.changes === 1 ? 'change' : 'changes'} to project ${applied.project}.`,
      );
    });
}

interface Landing {
  readonly dataset: string;
  readonly ingestion: string;
  readonly state: string;
  readonly version?: number;
}

async function land(
  sender: ProjectSender,
  dataset: string,
  { output, requestId }: { readonly output: Output; readonly requestId: string },
): Promise<Landing | undefined> {
  const landed = await sender.land(dataset, { requestId }).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'DATASET_SOURCE_EMPTY') {
      output.say(`${dataset}: no file matches its source yet`);
      return undefined;
    }
    throw error;
  });
  if (landed === undefined) return undefined;
  output.say(`${dataset}: landing ${landed.files.length} new ${landed.files.length === 1 ? 'file' : 'files'}`);
  return { dataset, ingestion: landed.id, state: landed.state };
}

/** As it ended: what was landed, then what followed. */
interface Followed extends Consequences {
  readonly landings: readonly Landing[];
}

const isFailed = ({ landings, failures }: Followed): boolean =>
  failures.length > 0 || landings.some(({ state }) => state !== 'published');

async function follow(
  client: Client,
  landings: readonly Landing[],
  options: {
    readonly output: Output;
    readonly signal: AbortSignal;
    readonly after: string;
    readonly requestIds: readonly string[];
  },
): Promise<Followed> {
  const { output, signal, after, requestIds } = options;
  const ended: Landing[] = [];
  for (const { dataset, ingestion } of landings) {
    const found = await followIngestion(client, ingestion, signal);
    const { state, version } = found;
    ended.push({ dataset, ingestion, state, ...(version !== undefined && { version }) });
    output.say(
      state === 'published' ? `${dataset}: version ${version}` : `${dataset}: ${state}: ${whyNotLanded(found)}`,
    );
  }
  const say = (line: string): void => output.say(line);
  const consequences = await followConsequences(client, { requestIds, after, signal, say });
  for (const { reason } of consequences.waiting) say(reason);
  for (const failure of consequences.failures) say(output.colors.red(failure));
  return { ...consequences, landings: ended };
}

type Colors = Output['colors'];

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
