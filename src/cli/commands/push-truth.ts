import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { type PushedTruths, pushTruth, type TruthAnswer } from '#contracts/predictions';
import { type CliEnvironment, CliError, createContext } from '../context.ts';
import { addExamples } from '../help-examples.ts';
import { formatRecord } from '../output.ts';
import { parseTruths, readKey, toTruth } from './truth-file.ts';

/** What one request may hold. */
const batchSize = 10_000;
const one = ['prediction', 'key', 'eventTime', 'value', 'observedAt'] as const;
type OptionsOfOne = Partial<Record<(typeof one)[number], string>>;

/** Tells what really happened: one truth by options, or many from a file. */
export function addPushTruth(command: Command, world: CliEnvironment): void {
  const truth = command.command('truth <deployment>').description(pushTruth.summary);
  truth
    .option('--file <path>', 'CSV with a line of names, or a JSON object a line; - is standard input')
    .option('--prediction <id>', 'of one prediction, <id>.<row> when it has several rows')
    .option('--key <key>', 'or by the key of its request; several values as a JSON array')
    .option('--event-time <instant>', 'the event time that came with the key')
    .option('--value <value>', 'what happened: a number, true, false; null: it will never be known')
    .option('--observed-at <instant>', 'when it was observed; the latest wins (default: now)')
    .action(async (deployment: string, options: OptionsOfOne & { readonly file?: string }, self: Command) => {
      const { file, ...fields } = options;
      if ((file === undefined) === (Object.keys(fields).length === 0))
        throw new CliError('TRUTH_MISSING', 2, 'say one truth, by --prediction or --key, or give many with --file');
      const truths =
        file === undefined
          ? [toTruth({ ...fields, ...(fields.key !== undefined && { key: readKey(fields.key) }) }, 'the options')]
          : parseTruths(file === '-' ? await text(process.stdin) : await readText(resolve(world.cwd, file)), file);
      if (truths.length === 0) throw new CliError('TRUTH_MISSING', 2, `${file} holds no truth`);
      const { output, connect } = createContext(self, world);
      const client = await connect();
      const sum: TruthAnswer = { matched: 0, changed: 0, unchanged: 0, waiting: 0 };
      for (let from = 0; from < truths.length; from += batchSize) {
        const batch: PushedTruths = truths.slice(from, from + batchSize);
        const answer = await client.call(pushTruth, { body: { deployment, truths: batch } });
        for (const name of ['matched', 'changed', 'unchanged', 'waiting'] as const) sum[name] += answer[name];
        if (truths.length > batchSize) output.say(`${from + batch.length} of ${truths.length} sent`);
      }
      output.result(sum, () => formatRecord(sum));
    });
  addExamples(truth, [
    'prediction truth late-arrival --prediction 01a21be4-bcd1-7000-882c-b0dc8dc4ceeb --value true',
    `prediction truth late-arrival --key UA-1545 --event-time 2013-03-01T05:00:00Z --value 0`,
    'prediction truth late-arrival --file arrivals.csv --json',
  ]);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new CliError('FILE_UNREADABLE', 2, `${path} cannot be read: ${(error as Error).message}`);
  }
}
