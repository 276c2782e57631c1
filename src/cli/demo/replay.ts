import { join } from 'node:path';
import { flushDeployment, getDeployment } from '#contracts/deployments';
import { getRun, listRuns, startRun } from '#contracts/pipelines';
import { waitUntilQuiet } from '#contracts/quiet';
import { applyWorkspace } from '#contracts/workspace';
import type { Client } from '../../sdk/index.ts';
import { CliError } from '../context.ts';
import { openProjectFolder } from '../workspace/project-folder.ts';
import { createProjectSender, followIngestion, type ProjectSender } from '../workspace/send.ts';
import { type DatasetName, datasetNames, nextDay, type Stock } from './demo-project.ts';
import { createHttpClient, type HttpClient } from './http-client.ts';
import { type PredictionSample, predictDay, requestsAtOnce } from './predict.ts';
import { createTimetable, type Timetable } from './timetable.ts';

export const endpoint = 'late-arrival';
const views = ['weather', 'origin_delays'] as const;

/** What a day left behind, added up for the weekly line and the checks. */
export interface Tally {
  asked: number;
  refused: number;
  lacking: number;
  /** One prediction of each day. */
  readonly samples: (PredictionSample & { readonly day: string })[];
}

export interface Replay {
  readonly client: Client;
  /** Where the endpoint answers. */
  readonly endpointUrl: string;
  readonly http: HttpClient;
  readonly stock: Stock;
  readonly timetable: Timetable;
  readonly folder: string;
  readonly sender: ProjectSender;
  readonly signal: AbortSignal;
  say(line: string): void;
}

export async function openReplay(
  client: Client,
  options: {
    readonly servingUrl: string;
    /** Where the server asks for one. */
    readonly token: string | undefined;
    readonly stock: Stock;
    readonly folder: string;
    readonly signal: AbortSignal;
    say(line: string): void;
  },
): Promise<Replay> {
  const { servingUrl, token, stock, signal } = options;
  const project = await openProjectFolder(options.folder);
  return {
    ...options,
    client,
    endpointUrl: `${servingUrl}/projects/${project.project}/v2/models/${endpoint}`,
    http: createHttpClient({ connections: requestsAtOnce, token, signal }),
    timetable: createTimetable(client, stock.flights, signal),
    sender: await createProjectSender(client, project),
  };
}

/** Delivers the first months, declares the project, waits until the data is there. */
export async function declareProject(replay: Replay, days: readonly string[]): Promise<void> {
  for (const day of days) for (const dataset of datasetNames) await replay.stock.deliver(dataset, day);
  const snapshot = await replay.sender.snapshot();
  const applied = await replay.client.call(applyWorkspace, { body: { snapshot } }, { signal: replay.signal });
  replay.say(`applied tidemill.yaml: ${applied.changes} changes`);
  await landAll(replay, datasetNames);
}

async function landAll(replay: Replay, datasets: readonly DatasetName[]): Promise<void> {
  const landings = await Promise.all(datasets.map(async (dataset) => replay.sender.land(dataset)));
  for (const landing of landings) {
    if (landing === undefined) continue;
    const ended = await followIngestion(replay.client, landing.id, replay.signal);
    if (ended.state !== 'published')
      throw new CliError(
        'DEMO_LANDING_FAILED',
        1,
        `${ended.dataset}: ${ended.state}: ${ended.error?.message ?? 'a check does not hold'}`,
      );
  }
}

/** Trains the first model; what follows (proposal, gate, alias, rollout) follows from events. */
export async function trainFirst(
  replay: Replay,
  follow: (runId: string) => Promise<{ readonly state: string }>,
  tell: () => Promise<void>,
): Promise<void> {
  const run = await replay.client.call(startRun, { params: { name: 'train' }, body: {} });
  const { state } = await follow(run.id);
  if (state !== 'succeeded')
    throw new CliError('DEMO_TRAINING_FAILED', 1, `the first training ${state}; see tidemill logs ${run.id}`);
  await settle(replay, tell);
}

/**
 * One day: what is known in its morning is landed, its flights are predicted, then what became of the flights of the day
 * before. It ends when everything that followed has been done, so that results never depend on the machine's speed.
 */
export async function replayDay(replay: Replay, day: string, tally: Tally, tell: () => Promise<void>): Promise<void> {
  const { client, stock } = replay;
  await stock.deliver('weather', day);
  await stock.deliver('departures', day);
  await landAll(replay, ['weather', 'departures']);
  const flights = await replay.timetable.of(day);
  if (flights.length > 0) {
    const done = await predictDay(client, replay.http, { url: replay.endpointUrl, views, flights });
    if (done.reason !== undefined && done.refused === done.asked)
      throw new CliError('DEMO_REFUSED', 1, `the endpoint refused all predictions of ${day}: ${done.reason}`);
    tally.asked += done.asked;
    tally.refused += done.refused;
    tally.lacking += done.lacking;
    if (done.sample !== undefined) tally.samples.push({ day, ...done.sample });
    await client.call(flushDeployment, { params: { name: endpoint }, body: {} }, { signal: replay.signal });
  }
  if (await stock.deliver('flights', nextDay(day, -1))) await landAll(replay, ['flights']);
  await settle(replay, tell);
}

/** While something goes on, what happened is told this often. */
const tellSeconds = 1;

/**
 * Waits for the chain of events, for runs that it started, and for the data plane to serve what came of them. A retraining
 * is waited for here, so what happens meanwhile is told meanwhile.
 */
async function settle({ client, signal }: Replay, tell: () => Promise<void>): Promise<void> {
  const quiet = async (): Promise<void> => {
    for (let isQuiet = false; !isQuiet; ) {
      ({ quiet: isQuiet } = await client.call(waitUntilQuiet, { query: { wait: tellSeconds } }, { signal }));
      await tell();
    }
  };
  for (;;) {
    await quiet();
    const { items } = await client.call(listRuns, { query: { state: 'running', limit: 1 } }, { signal });
    const [running] = items;
    if (running === undefined) break;
    await client.call(getRun, { params: { runId: running.id }, query: { wait: tellSeconds } }, { signal });
  }
  await client.call(getDeployment, { params: { name: endpoint }, query: { wait: 60 } }, { signal });
  await quiet();
}

export const stockFolder = (home: string): string => join(home, 'demo', 'stock');
export const projectFolder = (home: string): string => join(home, 'demo', 'flights');
