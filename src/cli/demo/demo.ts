import { performance } from 'node:perf_hooks';
import { followRun } from '../commands/run.ts';
import type { CliContext } from '../context.ts';
import { stopServer } from '../stop-server.ts';
import { ensureProject } from '../workspace/send.ts';
import { checkMachine, demoProject, hasPythonEnvironment, prepareHome, refuseProject } from './demo-home.ts';
import { copyExample, cutStock, nextDay } from './demo-project.ts';
import { startServer } from './demo-server.ts';
import { createStory, type Story } from './happenings.ts';
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
import { collectMonths, type DemoReport, readWeek, readWeekHeading } from './report.ts';

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
const beforeReplay = nextDay(replayFrom, -1);
const saidByFollowing: readonly string[] = ['pipeline.run.started', 'step.finished', 'pipeline.run.finished'];

/** Carries one model round its whole loop on a year of real flights. Interrupted, it ends the server that it started. */
export async function runDemo(context: CliContext, options: DemoOptions): Promise<DemoReport> {
  const { output, home } = context;
  const began = performance.now();
  const { port, servingPort } = options.upFlags;
  const upFlags = [...(port ? ['--port', port] : []), ...(servingPort ? ['--serving-port', servingPort] : [])];
  await checkMachine(context, options.upFlags);
  await prepareHome(context, upFlags, options.fresh);
  output.say(
    'This takes about three minutes (a tenth of the flights) once the Python environment stands; its first making takes a minute more.',
  );
  output.say('starting the server');
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
  const token = await context.token();
  const root = createClient({ url: server.url, ...(token !== undefined && { token }) });
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
    say: (line) => output.say(line),
  });
  const replay = await openReplay(client, {
    servingUrl: server.servingUrl ?? '',
    token,
    stock,
    folder: project,
    signal: context.signal,
    say: (line) => output.say(line),
  });
  try {
    const before: string[] = [];
    for (let day = begin; day < replayFrom; day = nextDay(day)) before.push(day);
    await declareProject(replay, before);
    output.say(
      (await hasPythonEnvironment(home))
        ? 'training the first model on January and February'
        : 'training the first model on January and February; its first step makes the Python environment (about a minute)',
    );
    const story = createStory(client, ({ day, type, text }) => {
      // the first run is said step by step while it is followed
      if (day !== beforeReplay || !saidByFollowing.includes(type)) output.say(output.colors.dim(`    ${day}  ${text}`));
    });
    await trainFirst(
      replay,
      (runId) => followRun(client, runId, (line) => output.say(line), context.signal),
      () => story.tell(beforeReplay),
    );
    const tally = await replayDays(replay, until, story, output);
    const months = await collectMonths(client, { from: replayFrom, until, seed });
    return {
      share,
      seed,
      predictions: tally,
      ...months,
      happenings: story.happenings,
      url: server.url,
      folder: project,
    };
  } finally {
    replay.http.close();
  }
}

async function replayDays(replay: Replay, until: string, story: Story, output: CliContext['output']): Promise<Tally> {
  const tally: Tally = { asked: 0, refused: 0, lacking: 0, samples: [] };
  let [weekFrom, weekAsked, toldBefore] = [replayFrom, 0, story.happenings.length];
  output.say(`\n${await readWeekHeading(replay.client)}`);
  for (let day = replayFrom; day < until; day = nextDay(day)) {
    replay.signal.throwIfAborted();
    await replayDay(replay, day, tally, () => story.tell(day));
    const next = nextDay(day);
    if (new Date(`${next}T00:00:00Z`).getUTCDay() !== 1 && next < until) continue;
    const week = story.happenings.slice(toldBefore);
    output.say(await readWeek(replay.client, { from: weekFrom, until: day, asked: tally.asked - weekAsked, week }));
    [weekFrom, weekAsked, toldBefore] = [next, tally.asked, story.happenings.length];
  }
  return tally;
}
