import { createInterface } from 'node:readline/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import {
  experimentDeletion,
  getPurge,
  loggedModelDeletion,
  type PurgeCounts,
  type PurgePreview,
  type PurgeView,
  previewPurge,
  startPurge,
  trackingRunDeletion,
} from '#contracts/purge';
import type { Client } from '../../sdk/index.ts';
import { type CliContext, type CliEnvironment, CliError, createContext } from '../context.ts';
import { addExamples } from '../help-examples.ts';
import { readDuration } from '../schema-options.ts';
import { bytesText, plural } from '../words.ts';

interface PurgeOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly force?: boolean;
  readonly olderThan?: string;
}

/** One thing that can be purged: how it is counted, and how it is asked for. */
interface Purging {
  readonly preview: (client: Client) => Promise<PurgePreview>;
  readonly start: (client: Client) => Promise<PurgeView>;
}

const kinds = {
  experiment: {
    argument: 'experimentId',
    example: '12',
    summary: experimentDeletion.purge.summary,
    preview: (client: Client, experimentId: string) =>
      client.call(experimentDeletion.preview, { params: { experimentId } }),
    start: (client: Client, experimentId: string, force: boolean) =>
      client.call(experimentDeletion.purge, { params: { experimentId }, body: { force } }),
  },
  'tracking-run': {
    argument: 'runId',
    example: '3f2b9c0d4e5f60718293a4b5c6d7e8f9',
    summary: trackingRunDeletion.purge.summary,
    preview: (client: Client, runId: string) => client.call(trackingRunDeletion.preview, { params: { runId } }),
    start: (client: Client, runId: string, force: boolean) =>
      client.call(trackingRunDeletion.purge, { params: { runId }, body: { force } }),
  },
  'logged-model': {
    argument: 'modelId',
    example: 'm-3f2b9c0d4e5f60718293a4b5c6d7e8f9',
    summary: loggedModelDeletion.purge.summary,
    preview: (client: Client, modelId: string) => client.call(loggedModelDeletion.preview, { params: { modelId } }),
    start: (client: Client, modelId: string, force: boolean) =>
      client.call(loggedModelDeletion.purge, { params: { modelId }, body: { force } }),
  },
} as const;

/** `tidemill experiment purge <id>` and its like. */
export const addPurgeAction =
  (kind: keyof typeof kinds) =>
  (command: Command, world: CliEnvironment): void => {
    const { argument, example, summary, preview, start } = kinds[kind];
    const purge = addOptions(command.command(`purge <${argument}>`).description(summary))
      .option('--force', 'also when it was not deleted before')
      .action(async (given: string, options: PurgeOptions, self: Command) => {
        const id = given.startsWith(`${kind}:`) ? given.slice(kind.length + 1) : given;
        await runPurge(createContext(self, world), options, {
          preview: (client) => preview(client, id),
          start: (client) => start(client, id, options.force === true),
        });
      });
    addExamples(purge, [
      `${kind} purge ${example}`,
      `${kind} purge ${example} --dry-run`,
      `${kind} purge ${example} --force --yes`,
    ]);
  };

/** `tidemill purge`: whatever was deleted in the project. */
export function createPurgeCommand(world: CliEnvironment): Command {
  return addOptions(new Command('purge').description(startPurge.summary))
    .option('--older-than <duration>', 'only what was deleted at least so long ago: 30d, 12h', readDuration)
    .action(async (options: PurgeOptions, self: Command) => {
      const asked = options.olderThan === undefined ? {} : { olderThan: options.olderThan };
      await runPurge(createContext(self, world), options, {
        preview: (client) => client.call(previewPurge, { query: asked }),
        start: (client) => client.call(startPurge, { body: asked }),
      });
    });
}

const addOptions = (command: Command): Command =>
  command
    .option('--dry-run', 'count what would go, and remove nothing')
    .option('-y, --yes', 'do not ask')
    .option('--no-wait', 'do not wait until everything has gone');

async function runPurge(context: CliContext, options: PurgeOptions, purging: Purging): Promise<void> {
  const { output } = context;
  const client = await context.connect();
  const preview = await purging.preview(client);
  const of = preview.name === undefined ? preview.target : `${preview.target} "${preview.name}"`;
  const amount = countsText(preview, preview.pointsAtLeast);
  if (options.dryRun === true) {
    output.result(preview, () => (amount === '' ? `Nothing would go of ${of}.` : `Would remove ${amount} (${of}).`));
    return;
  }
  if (preview.lifecycle === 'active' && options.force !== true)
    throw new CliError('PURGE_NOT_DELETED', 2, `${of} is not deleted: delete it first, or add --force`);
  if (amount !== '' && options.yes !== true) await confirm(context, `${of}: ${amount}. This cannot be undone.`);
  const purge = await purging.start(client);
  const ended = options.wait === false ? purge : await waitForEnd(context, client, purge);
  output.result(ended, () => endText(ended), ended.id);
}

/** Asks on a terminal; elsewhere nobody can answer, so that it must have been said before. */
async function confirm({ stderr, signal }: CliContext, what: string): Promise<void> {
  if (!process.stdin.isTTY)
    throw new CliError(
      'CONFIRMATION_MISSING',
      2,
      `${what} Nobody can be asked here: add --yes, or look with --dry-run`,
    );
  const lines = createInterface({ input: process.stdin, output: stderr });
  try {
    const answer = await lines.question(`${what}\nRemove it for good? [y/N] `, { signal });
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('PURGE_REFUSED', 2, 'nothing was removed');
  } finally {
    lines.close();
  }
}

const askEveryMs = 250;
const sayEveryMs = 5_000;

async function waitForEnd({ output, signal }: CliContext, client: Client, started: PurgeView): Promise<PurgeView> {
  let saidMs = Date.now();
  for (let purge = started; ; ) {
    if (purge.state === 'done') return purge;
    if (Date.now() - saidMs > sayEveryMs) {
      saidMs = Date.now();
      output.say(`so far ${countsText(purge.removed) || 'nothing'}`);
      if (purge.failure !== undefined)
        output.say(`it cannot go on: ${purge.failure.message}; tried again at ${purge.failure.nextAttemptAt}`);
    }
    await pause(askEveryMs, undefined, { signal });
    purge = await client.call(getPurge, { params: { purgeId: purge.id } });
  }
}

const endText = (purge: PurgeView): string =>
  purge.state === 'done'
    ? `Removed ${countsText(purge.removed) || 'nothing'}.`
    : `The server goes on removing ${purge.target}; GET /api/v1/purges/${purge.id} shows how far it is.`;

function countsText(counts: PurgeCounts, pointsAtLeast = false): string {
  const parts = [
    some(counts.experiments, 'experiment'),
    some(counts.runs, 'run'),
    some(counts.loggedModels, 'logged model'),
    some(counts.points, 'metric point', pointsAtLeast ? 'more than ' : ''),
    counts.files === 0 ? '' : `${plural(counts.files, 'file')} (${bytesText(counts.sizeBytes)})`,
  ];
  return parts.filter((part) => part !== '').join(', ');
}

const some = (count: number, what: string, before = ''): string =>
  count === 0 ? '' : `${before}${plural(count, what)}`;
