import { runQuery } from '#contracts/datasets';
import { getFeatures } from '#contracts/features';
import { servingHeaders } from '#contracts/serving';
import type { Client } from '../../sdk/index.ts';

/** One day of requests to the model, as an airline's booking page would send them. */
export interface DayOfPredictions {
  readonly asked: number;
  /** Rows that the endpoint refused, with the first reason. */
  readonly refused: number;
  readonly reason: string | undefined;
  /** Rows that lack weather or delays. */
  readonly lacking: number;
  /** The first prediction of the day, by which the rest can be checked. */
  readonly sample: PredictionSample | undefined;
}

export interface PredictionSample {
  readonly prediction: string;
  /** Values of carrier, flight, origin and time_hour. */
  readonly key: readonly (string | number | null)[];
}

type Fact = Readonly<Record<string, string | number | null>>;
interface ModelMetadata {
  readonly inputs: readonly { readonly name: string; readonly datatype: string }[];
}

const flightsADay = 50_000;
const requestsAtOnce = 8;
const atColumn = 'time_hour';
const keyColumns = ['carrier', 'flight', 'origin', 'time_hour'] as const;

/** Looks the day's features up as of each flight's hour, then asks for a prediction of each flight. */
export async function predictDay(
  client: Client,
  options: {
    readonly servingUrl: string;
    readonly project: string;
    readonly endpoint: string;
    readonly views: readonly string[];
    readonly flights: string;
  },
): Promise<DayOfPredictions> {
  const { rows: facts = [] } = await client.call(runQuery, {
    body: {
      sql: `select carrier, flight, origin, dest, strftime(time_hour at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as time_hour, sched_dep_time, sched_arr_time, distance from flights`,
      inputs: [{ name: 'flights', sha256: options.flights }],
      rows: flightsADay,
    },
  });
  const flights = facts as readonly Fact[];
  if (flights.length === 0) return { asked: 0, refused: 0, reason: undefined, lacking: 0, sample: undefined };
  const found = await client.call(getFeatures, {
    body: {
      views: [...options.views],
      at: atColumn,
      rows: flights.map((flight) => ({ origin: String(flight['origin']), time_hour: String(flight['time_hour']) })),
    },
  });
  const base = `${options.servingUrl}/projects/${options.project}/v2/models/${options.endpoint}`;
  const { inputs } = (await (await ask(base)).json()) as ModelMetadata;
  let refused = 0;
  let reason: string | undefined;
  let lacking = 0;
  let sample: PredictionSample | undefined;
  let next = 0;
  const one = async (): Promise<void> => {
    for (let at = next++; at < flights.length; at = next++) {
      const flight = flights[at] ?? {};
      const features = Object.fromEntries(
        found.columns.map((column, index) => [column, found.rows[at]?.[index] ?? null]),
      );
      if (Object.values(features).includes(null)) lacking += 1;
      const key = keyColumns.map((column) => flight[column] ?? null);
      const answer = await fetch(`${base}/infer`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          parameters: {
            keys: [key],
            event_times: String(flight[atColumn]),
          },
          inputs: inputs.map(({ name, datatype }) => ({
            name,
            datatype,
            shape: [1, 1],
            data: [toInput(datatype, name in features ? features[name] : flight[name])],
          })),
        }),
      });
      const body = (await answer.json()) as { readonly error?: string };
      if (answer.ok) {
        if (at === 0) sample = { prediction: answer.headers.get(servingHeaders.predictionId) ?? '', key };
        continue;
      }
      refused += 1;
      reason ??= `${answer.status}: ${body.error}`;
    }
  };
  await Promise.all(Array.from({ length: requestsAtOnce }, one));
  return { asked: flights.length, refused, reason, lacking, sample };
}

async function ask(url: string): Promise<Response> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
  return answer;
}

/** Categories that are not known are the empty text, as in training; numbers that are not known are null. */
function toInput(datatype: string, value: unknown): unknown {
  if (datatype !== 'BYTES') return value ?? null;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
