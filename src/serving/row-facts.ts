import { encodeKey, type KeyValue } from '#contracts/entity-key';
import { maxFutureEventTimeMs } from '#contracts/serving';
import { servingErrors } from './serving-errors.ts';

/** What a caller says of each row beside its inputs; from `parameters`, else from headers. */
export interface RowFacts {
  readonly keys: readonly (string | null)[];
  /** Empty: none given, and receipt counts. */
  readonly eventTimesMs: readonly number[];
  readonly subject: readonly (string | null)[] | undefined;
}

export interface RowFactSources {
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly keyHeader: string | undefined;
  readonly eventTimeHeader: string | undefined;
  readonly receivedAtMs: number;
  readonly replay: boolean;
}

/**
 * Reads keys, event times and subjects: a list with one entry a row, or a scalar when there is one row. The protocol's
 * parameters are scalars, so for several rows a text that is a JSON list is taken too. An entry of `keys` is a value, or
 * the list of a composite key's values.
 */
export function readRowFacts(rows: number, sources: RowFactSources): RowFacts {
  const { parameters, receivedAtMs } = sources;
  const keys = entries('keys', parameters['keys'] ?? sources.keyHeader, rows)?.map(toKey) ?? [];
  const times = entries('event_times', parameters['event_times'] ?? sources.eventTimeHeader, rows);
  const latestMs = sources.replay ? Number.POSITIVE_INFINITY : receivedAtMs + maxFutureEventTimeMs;
  const eventTimesMs = times?.map((entry) => toEventTime(entry, receivedAtMs, latestMs)) ?? [];
  const subject = entries('subject', parameters['subject'], rows)?.map(toSubject);
  return { keys, eventTimesMs, subject };
}

function entries(name: string, given: unknown, rows: number): readonly unknown[] | undefined {
  if (given === undefined || given === null) return undefined;
  let list: unknown = given;
  if (typeof given === 'string' && rows !== 1 && given.startsWith('[')) list = parseList(name, given);
  if (!Array.isArray(list)) {
    if (rows === 1) return [given];
    throw servingErrors.REQUEST_MALFORMED(`"${name}" needs a list with one entry for each of the ${rows} rows`);
  }
  if (list.length !== rows)
    throw servingErrors.REQUEST_MALFORMED(`"${name}" has ${list.length} entries for ${rows} rows`);
  return list;
}

function parseList(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw servingErrors.REQUEST_MALFORMED(`"${name}" is no JSON list`);
  }
}

function toKey(entry: unknown): string | null {
  if (entry === null) return null;
  if (isKeyValue(entry)) return encodeKey([entry]);
  if (Array.isArray(entry) && entry.length > 0 && entry.every(isKeyValue)) return encodeKey(entry);
  throw servingErrors.REQUEST_MALFORMED('an entry of "keys" must be a text, a number, a boolean or a list of those');
}

function toSubject(entry: unknown): string | null {
  if (entry === null || typeof entry === 'string') return entry;
  if (typeof entry === 'number') return String(entry);
  throw servingErrors.REQUEST_MALFORMED('an entry of "subject" must be a text or a number');
}

function isKeyValue(value: unknown): value is KeyValue {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

const dateTime = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

function toEventTime(entry: unknown, receivedAtMs: number, latestMs: number): number {
  if (entry === null) return receivedAtMs;
  const atMs =
    typeof entry === 'number'
      ? entry
      : typeof entry === 'string' && dateTime.test(entry)
        ? Date.parse(entry)
        : typeof entry === 'string' && /^\d{1,15}$/.test(entry)
          ? Number(entry)
          : Number.NaN;
  if (!Number.isSafeInteger(atMs) || Math.abs(atMs) > 8.64e15)
    throw servingErrors.REQUEST_MALFORMED(
      `"event_times" needs RFC 3339 with an offset (2013-01-01T10:00:00Z) or milliseconds, not ${JSON.stringify(entry)}`,
    );
  if (atMs > latestMs)
    throw servingErrors.REQUEST_MALFORMED(
      `the event time ${new Date(atMs).toISOString()} lies more than 5 minutes ahead; a replay says so with "clock: event" in its deployment`,
    );
  return atMs;
}
