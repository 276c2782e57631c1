import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { followRun } from '../commands/run.ts';
import { type CliContext, CliError } from '../context.ts';
import { ensureProject } from '../workspace/send.ts';
import { copyExample, cutStock, nextDay } from './demo-project.ts';
import { startServer } from './demo-server.ts';
import {
  declareProject,
  openReplay,
  projectFolder,
  type Replay,
  replayDay,
  stockFolder,
  type Tally,
  trainFirst,
} from './replay.ts';
import { collectMonths, type DemoReport, type Happening, readHappenings, weekLine } from './report.ts';

export interface DemoOptions {
  /** Part of the flights that are replayed, 0 < share <= 1. */
  readonly share: number;
  readonly seed: number;
  /** First day that is not replayed any more. */
  readonly until: string;
  readonly upFlags: readonly string[];
  readonly fresh: boolean;
}

const begin = '2013-01-01';
/** The first model knows what happened before this day; from here on every day is replayed. */
const replayFrom = '2013-03-01';

/** Carries one model round its whole loop on a year of real flights. */
export async function runDemo(context: CliContext, options: DemoOptions): Promise<DemoReport> {
  const { output, home } = context;
  const began = performance.now();
  const project = projectFolder(home);
  if (options.fresh) await rm(`${home}/demo`, { recursive: true, force: true });
  else if (existsSync(project))
    throw new CliError(
      'DEMO_ALREADY_THERE',
      5,
      `${home} holds a demo already: look at it with "tidemill status", or start over with another --home`,
    );

  const server = await startServer(context, options.upFlags);
  output.say(`Tidemill is ready at ${server.url}`);
  const { createClient } = await import('../../sdk/index.ts');
  const client = await ensureProject(createClient({ url: server.url }), 'flights');
  await copyExample(project);
  output.say(`cutting the year into daily files (share ${options.share}, seed ${options.seed})`);
  const stock = await cutStock(client, stockFolder(home), project, {
    share: options.share,
    seed: options.seed,
    from: begin,
    until: options.until,
  });
  const replay = await openReplay(client, {
    servingUrl: server.servingUrl ?? '',
    stock,
    folder: project,
    signal: context.signal,
    say: (line) => output.say(line),
  });

  const before: string[] = [];
  for (let day = begin; day < replayFrom; day = nextDay(day)) before.push(day);
  await declareProject(replay, before);
  output.say('training the first model on January and February (a Python environment is made the first time)');
  await trainFirst(replay, (runId) => followRun(client, runId, (line) => output.say(line), context.signal));

  const { tally, happenings } = await replayDays(replay, options.until, output);
  const months = await collectMonths(client, { from: replayFrom, until: options.until, seed: options.seed });
  return {
    share: options.share,
    seed: options.seed,
    seconds: Math.round((performance.now() - began) / 1000),
    predictions: tally,
    ...months,
    happenings,
    url: server.url,
  };
}

async function replayDays(
  replay: Replay,
  until: string,
  output: CliContext['output'],
): Promise<{ readonly tally: Tally; readonly happenings: readonly Happening[] }> {
  const tally: Tally = { asked: 0, refused: 0, lacking: 0, samples: [] };
  let { happenings, position } = await readHappenings(replay.client, '0', replayFrom);
  let [weekFrom, weekAsked] = [replayFrom, 0];
  for (let day = replayFrom; day < until; day = nextDay(day)) {
    replay.signal.throwIfAborted();
    await replayDay(replay, day, tally);
    const found = await readHappenings(replay.client, position, day);
    position = found.position;
    happenings = [...happenings, ...found.happenings];
    for (const { text } of found.happenings) output.say(`  ${day}  ${text}`);
    const next = nextDay(day);
    if (new Date(`${next}T00:00:00Z`).getUTCDay() !== 1 && next < until) continue;
    output.say(await weekLine(replay.client, weekFrom, day, tally.asked - weekAsked));
    [weekFrom, weekAsked] = [next, tally.asked];
  }
  return { tally, happenings };
}
