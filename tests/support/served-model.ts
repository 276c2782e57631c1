import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { listArtifacts } from '../../src/contracts/artifacts.ts';
import { runQuery } from '../../src/contracts/datasets.ts';
import { flushDeployment, getDeployment } from '../../src/contracts/deployments.ts';
import { getRun, startRun } from '../../src/contracts/pipelines.ts';
import { getPredictionLog, type PredictionLogView } from '../../src/contracts/predictions.ts';
import { servingHeaders } from '../../src/contracts/serving.ts';
import type { Client } from '../../src/sdk/index.ts';
import { createTestProject } from './project.ts';
import type { RunningPair } from './running-server.ts';

const fixture = new URL('../../src/runtimes/fixtures/columns-1.onnx', import.meta.url);
const name = 'late';

/** Rows whose score (distance + 1) tells the late flights from the others. */
export const flightRows = `carrier,flight,distance,late,time_hour\n${Array.from(
  { length: 40 },
  (_, row) => `UA,${row},${row % 2 === 0 ? -0.7 : -0.3},${row % 2},2026-01-01T00:00:00Z\n`,
).join('')}`;

export const modelBytes = (): Promise<Buffer> => readFile(fixture);

/** The steps and the model block of a pipeline that copies the committed model; `mark` makes it another model. */
export const copyingPipeline = (model: string, more = ''): string => `
    params: { mark: "00000000" }
    steps:
      fit:
        run: 'cp model.onnx "$TIDEMILL_OUTPUT_MODEL"; printf "2\\010%s" \${params.mark} >> "$TIDEMILL_OUTPUT_MODEL"; cp "$TIDEMILL_INPUT_ROWS" "$TIDEMILL_OUTPUT_TEST"'
        inputs: { rows: "dataset:flights" }
        outputs: { model: model, test: dataset }
    model: { name: ${model}, from: fit.model, train: fit.test, test: fit.test, label: "late > 0", predicts: { kind: binary, score: score }, gates: ["auc > 0.6"]${more} }
`;

const documentOf = (more: string, deployment: string): string => `project: flights
datasets:
  flights: { source: data/*.csv, time: time_hour }
pipelines:
  train:${copyingPipeline(name, more)}
deployments:
  ${name}: { model: "model:${name}@champion", clock: event${deployment} }
monitors:
  ${name}: { drift: auto }
`;

/** A model of a small project, trained, promoted and served by a running pair of planes. */
export interface ServedModel {
  readonly client: () => Client;
  /** Applies the same project with more of the deployment. */
  apply(deployment: string): Promise<void>;
  /** Asks for one prediction; answers its id. Throws when it is refused or the connection breaks. */
  ask(eventTime?: string): Promise<string>;
  /** Everything that was answered is in the log afterwards. */
  flush(): Promise<void>;
  log(): Promise<PredictionLogView>;
  /** How often the log has each prediction, read from its files. */
  logged(): Promise<ReadonlyMap<string, number>>;
}

export async function serveModel(
  pair: RunningPair,
  options: {
    /** More of the pipeline's model block. */
    readonly more?: string;
    /** More of the deployment: `, keep_loaded: true`. */
    readonly deployment?: string;
    /** What happens after the run that proposed the model. */
    readonly proposed?: (client: Client) => Promise<void>;
  } = {},
): Promise<ServedModel> {
  const project = await createTestProject(pair.client(), documentOf(options.more ?? '', options.deployment ?? ''));
  await project.write('model.onnx', await modelBytes());
  await project.write('data/flights.csv', flightRows);
  await project.apply();
  await project.land('flights');
  const first = await project.client();
  const { id } = await first.call(startRun, { params: { name: 'train' }, body: {} });
  const run = await first.call(getRun, { params: { runId: id }, query: { wait: 60 } });
  if (run.state !== 'succeeded') throw new Error(`the run has ${run.state}: ${JSON.stringify(run)}`);
  await options.proposed?.(first);
  await waitUntilServed(first);

  const client = () => pair.client().inProject('flights');
  return {
    client,
    async apply(deployment) {
      const changed = await createTestProject(pair.client(), documentOf(options.more ?? '', deployment));
      await changed.write('model.onnx', await modelBytes());
      await changed.write('data/flights.csv', flightRows);
      await changed.apply();
    },
    ask: (eventTime) => askOnce(pair.servingUrl(), pair.token(), eventTime),
    async flush() {
      const { done } = await client().call(flushDeployment, { params: { name }, body: { timeout: 60 } });
      if (!done) throw new Error('the data plane has not delivered within a minute');
    },
    log: () => client().call(getPredictionLog, { params: { name } }),
    logged: () => loggedPredictions(client(), name),
  };
}

/** How often the log of a deployment has each prediction, read from its files. */
export async function loggedPredictions(client: Client, deployment: string): Promise<ReadonlyMap<string, number>> {
  const owner = `prediction:log/${deployment}`;
  const { items } = await client.call(listArtifacts, { query: { owner, limit: 200 } });
  if (items.length === 0) return new Map();
  const inputs = items.map(({ sha256 }, at) => ({ name: `file_${at}`, sha256 }));
  const all = inputs.map((input) => `select prediction_id from ${input.name}`).join(' union all ');
  const { rows = [] } = await client.call(runQuery, {
    body: { sql: `select prediction_id, count(*)::int as times from (${all}) group by 1`, inputs, rows: 100_000 },
  });
  return new Map(
    (rows as readonly { readonly prediction_id: string; readonly times: number }[]).map((row) => [
      row.prediction_id,
      row.times,
    ]),
  );
}

/** Ready means a revision set with traffic at every live replica. */
async function waitUntilServed(client: Client): Promise<void> {
  for (const until = Date.now() + 30_000; Date.now() < until; await delay(20)) {
    const { status } = await client.call(getDeployment, { params: { name }, query: { wait: 10 } });
    if (status.state === 'ready' && status.settled && status.traffic.length > 0) return;
  }
  throw new Error('the model is not served after half a minute');
}

async function askOnce(
  servingUrl: string,
  token: string | undefined,
  eventTime = '2026-01-01T00:00:00Z',
): Promise<string> {
  const answer = await fetch(`${servingUrl}/projects/flights/v2/models/${name}/infer`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({
      parameters: { event_times: eventTime },
      inputs: [
        { name: 'carrier', datatype: 'BYTES', shape: [1, 1], data: ['UA'] },
        { name: 'flight', datatype: 'INT64', shape: [1, 1], data: [1] },
        { name: 'distance', datatype: 'FP32', shape: [1, 1], data: [-0.5] },
      ],
    }),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await answer.text();
  const id = answer.headers.get(servingHeaders.predictionId);
  if (!answer.ok || id === null) throw new Error(`answered ${answer.status}: ${text}`);
  return id;
}

/** Callers that go on asking, refused or not, until they are stopped or have asked often enough. */
export interface PredictionStream {
  readonly answered: readonly string[];
  readonly failures: readonly unknown[];
  /** Waits until so many more are answered. */
  more(count: number): Promise<void>;
  stop(): Promise<void>;
}

const pauseMs = 4;
const mostRequests = 20_000;

export function streamPredictions(model: Pick<ServedModel, 'ask'>, callers = 4): PredictionStream {
  const answered: string[] = [];
  const failures: unknown[] = [];
  let stopped = false;
  const loops = Array.from({ length: callers }, async () => {
    while (!stopped && answered.length + failures.length < mostRequests) {
      await model.ask().then(
        (id) => answered.push(id),
        (error: unknown) => failures.push(error),
      );
      await delay(pauseMs);
    }
  });
  return {
    answered,
    failures,
    async more(count) {
      const wanted = answered.length + count;
      for (const until = Date.now() + 30_000; answered.length < wanted; await delay(5))
        if (Date.now() > until)
          throw new Error(`only ${answered.length} of ${wanted} predictions are answered after half a minute`);
    },
    async stop() {
      stopped = true;
      await Promise.all(loops);
    },
  };
}
