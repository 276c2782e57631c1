import { performance } from 'node:perf_hooks';
import { followRun } from '../commands/run.ts';
import type { CliContext } from '../context.ts';
import { stopServer } from '../stop-server.ts';
import { ensureProject } from '../workspace/send.ts';
import { checkMachine, demoProject, prepareHome, refuseProject } from './demo-home.ts';
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
import { collectMonths, type DemoReport, type Happening, readHappenings, readWeek, weekHeading } from './report.ts';

export interface DemoOptions {
  /** Part of the flights that are replayed, 0 < share <= 1. */
  readonly share: number;
  readonly seed: number;
  /** First day that is not replayed any more. */
  readonly until: string;
  /** Ports, as `up` takes them. */
  readonly upFlags: { readonly port?: string; readonly servingPort?: string };
  readonly fresh: boolean;
  /** When it fails, the server that it started ends too. */
  readonly exit: boolean;
}

const begin = '2013-01-01';
/** The first model knows what happened before this day; from here on every day is replayed. */
const replayFrom = '2013-03-01';

/** Carries one model round its whole loop on a year of real flights. Interrupted, it ends the server that it started. */
export async function runDemo(context: CliContext, options: DemoOptions): Promise<DemoReport> {
  const { output, home } = context;
  const began = performance.now();
  const { port, servingPort } = options.upFlags;
  const upFlags = [...(port ? ['--port', port] : []), ...(servingPort ? ['--serving-port', servingPort] : [])];
  await checkMachine(context, options.upFlags);
  await prepareHome(context, upFlags, options.fresh);
  const { server, started } = await startServer(context, upFlags);
  try {
    output.say(`Tidemill is ready: watch the loop at ${server.url}`);
    const report = await replayLoop(context, server, options);
    return { ...report, seconds: Math.round((performance.now() - began) / 1000) };
  } catch (error) {
    const { aborted } = context.signal;
    if (aborted) output.say('interrupted');
    if (started && (aborted || options.exit)) {
      await stopServer(context);
      output.say(`The server is stopped. "tidemill demo --fresh" starts over in ${home}.`);
    }
    throw error;
  }
}

async function replayLoop(
  context: CliContext,
  server: { readonly url: string; readonly servingUrl?: string | undefined },
  options: DemoOptions,
): Promise<Omit<DemoReport, 'seconds'>> {
  const { output, home } = context;
  const { share, seed, until } = options;
  const { createClient } = await import('../../sdk/index.ts');
  const root = createClient({ url: server.url });
  await refuseProject(root, home);
  const client = await ensureProject(root, demoProject);
  const project = projectFolder(home);
  await copyExample(project);
  output.say(`cutting the year into daily files (share ${share}, seed ${seed})`);
  const stock = await cutStock(client, stockFolder(home), project, {
    share,
    seed,
    from: begin,
    until,
    signal: context.signal,
  });
  const replay = await openReplay(client, {
    servingUrl: server.servingUrl ?? '',
    stock,
    folder: project,
    signal: context.signal,
    say: (line) => output.say(line),
  });
  try {
    const before: string[] = [];
    for (let day = begin; day < replayFrom; day = nextDay(day)) before.push(day);
    await declareProject(replay, before);
    output.say('training the first model on January and February (a Python environment is made the first time)');
    await trainFirst(replay, (runId) => followRun(client, runId, (line) => output.say(line), context.signal));
    const { tally, happenings } = await replayDays(replay, until, output);
    const months = await collectMonths(client, { from: replayFrom, until, seed });
    return { share, seed, predictions: tally, ...months, happenings, url: server.url };
  } finally {
    replay.http.close();
  }
}

async function replayDays(
  replay: Replay,
  until: string,
  output: CliContext['output'],
): Promise<{ readonly tally: Tally; readonly happenings: readonly Happening[] }> {
  const tally: Tally = { asked: 0, refused: 0, lacking: 0, samples: [] };
  const all: Happening[] = [];
  let { happenings: week, position } = await readHappenings(replay.client, '0', replayFrom);
  all.push(...week);
  week = [];
  let [weekFrom, weekAsked] = [replayFrom, 0];
  output.say(`\n${weekHeading}`);
  for (let day = replayFrom; day < until; day = nextDay(day)) {
    replay.signal.throwIfAborted();
    await replayDay(replay, day, tally);
    const found = await readHappenings(replay.client, position, day);
    position = found.position;
    all.push(...found.happenings);
    week = [...week, ...found.happenings];
    for (const { text } of found.happenings) output.say(output.colors.dim(`    ${day}  ${text}`));
    const next = nextDay(day);
    if (new Date(`${next}T00:00:00Z`).getUTCDay() !== 1 && next < until) continue;
    output.say(await readWeek(replay.client, { from: weekFrom, until: day, asked: tally.asked - weekAsked, week }));
    [weekFrom, weekAsked, week] = [next, tally.asked, []];
  }
  return { tally, happenings: all };
}
