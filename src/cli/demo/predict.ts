import { getFeatures } from '#contracts/features';
import { servingHeaders } from '#contracts/serving';
import type { Client } from '../../sdk/index.ts';
import type { HttpAnswer, HttpClient } from './http-client.ts';
import type { Fact } from './timetable.ts';

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

interface ModelInput {
  readonly name: string;
  readonly datatype: string;
}

export const requestsAtOnce = 8;
const atColumn = 'time_hour';
const keyColumns = ['carrier', 'flight', 'origin', 'time_hour'] as const;

/** Looks the day's features up as of each flight's hour, then asks for a prediction of each flight. */
export async function predictDay(
  client: Client,
  http: HttpClient,
  options: {
    /** Where the endpoint answers, without /infer. */
    readonly url: string;
    readonly views: readonly string[];
    readonly flights: readonly Fact[];
  },
): Promise<DayOfPredictions> {
  const { url, flights } = options;
  if (flights.length === 0) return { asked: 0, refused: 0, reason: undefined, lacking: 0, sample: undefined };
  const [found, inputs] = await Promise.all([
    client.call(getFeatures, {
      body: {
        views: [...options.views],
        at: atColumn,
        rows: flights.map((flight) => ({ origin: String(flight['origin']), time_hour: String(flight['time_hour']) })),
      },
    }),
    readInputs(http, url),
  ]);
  let refused = 0;
  let reason: string | undefined;
  let lacking = 0;
  let sample: PredictionSample | undefined;
  let next = 0;
  const one = async (): Promise<void> => {
    for (let at = next++; at < flights.length; at = next++) {
      const flight = flights[at] ?? {};
      const features = new Map(found.columns.map((column, index) => [column, found.rows[at]?.[index] ?? null]));
      if ([...features.values()].includes(null)) lacking += 1;
      const key = keyColumns.map((column) => flight[column] ?? null);
      const answer = await http.postJson(`${url}/infer`, {
        parameters: { keys: [key], event_times: String(flight[atColumn]) },
        inputs: inputs.map(({ name, datatype }) => ({
          name,
          datatype,
          shape: [1, 1],
          data: [toInput(datatype, features.has(name) ? features.get(name) : flight[name])],
        })),
      });
      if (answer.status === 200) {
        if (at === 0) sample = { prediction: String(answer.headers[servingHeaders.predictionId]), key };
        continue;
      }
      refused += 1;
      reason ??= `${answer.status}: ${errorOf(answer)}`;
    }
  };
  await Promise.all(Array.from({ length: requestsAtOnce }, one));
  return { asked: flights.length, refused, reason, lacking, sample };
}

/** By the model's own metadata: a client sends what the endpoint says that it takes. */
async function readInputs(http: HttpClient, url: string): Promise<readonly ModelInput[]> {
  const answer = await http.get(url);
  if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}: ${answer.text}`);
  return (JSON.parse(answer.text) as { readonly inputs: readonly ModelInput[] }).inputs;
}

function errorOf({ text }: HttpAnswer): string {
  try {
    return String((JSON.parse(text) as { readonly error?: unknown }).error);
  } catch {
    return text;
  }
}

/** Categories that are not known are the empty text, as in training; numbers that are not known are null. */
function toInput(datatype: string, value: unknown): unknown {
  if (datatype !== 'BYTES') return value ?? null;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
