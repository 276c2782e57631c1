import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DOUBLE, type DuckDBType, type DuckDBValue, INTEGER, VARCHAR } from '@duckdb/node-api';
import type { PredictionRecord } from '#contracts/prediction-record';
import { type DecodedFrame, decodeFrames } from '#contracts/spool-frame';
import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { dayMs } from '#contracts/worker-predictions';
import { type ColumnBuilder, createTensorColumns, formOf, writeColumns } from './log-columns.ts';
import { createHourCounter } from './log-counts.ts';
import { type Session, withSession } from './session.ts';
import { quoteName } from './sql-quote.ts';
import type { TaskContext } from './task-context.ts';

type Input = WorkerTaskInput<'log-intake'>;
type Output = WorkerTaskOutput<'log-intake'>;
type File = Output['files'][number];
type Day = File['days'][number];

/** Reads a delivery up to its first bad frame: what came before it is whole and is taken. */
export async function takeFrames(context: TaskContext, input: Input): Promise<Output> {
  const { frames, stopped } = decodeFrames(await readFile(input.path));
  let next = input.from;
  let inOrder = true;
  const groups = new Map<string, PredictionRecord[]>();
  for (const { offset, record } of frames satisfies readonly DecodedFrame[]) {
    if (offset !== next) {
      inOrder = false;
      break;
    }
    next += 1;
    const key = `${record.project}/${record.endpoint}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [record]);
    else group.push(record);
  }
  const told = new Set(input.revisions.map(({ revision }) => revision));
  const named = new Set([...groups.values()].flatMap((records) => records.map(({ revision }) => revision)));
  const missing = [...named].filter((revision) => !told.has(revision));
  if (missing.length > 0) return { next: input.from, stopped: 'end', missing, files: [] };
  const files: File[] = [];
  if (groups.size > 0)
    await withSession(context, { read: [], folders: [input.folder] }, async (session) => {
      for (const [key, records] of groups) {
        const file = await writeRecords(session, input, key, records, join(input.folder, `${files.length}.parquet`));
        if (file !== undefined) files.push(file);
      }
    });
  return { next, stopped: inOrder ? stopped : 'order', missing, files };
}

/** What comes row by row; instants and durations as doubles, which are exact for them and cost no BigInt a row. */
const given: readonly (readonly [string, DuckDBType])[] = [
  ['prediction_id', VARCHAR],
  ['row', INTEGER],
  ['role', VARCHAR],
  ['revision', VARCHAR],
  ['model_ref', VARCHAR],
  ['request_id', VARCHAR],
  ['key', VARCHAR],
  ['event_ms', DOUBLE],
  ['received_ms', DOUBLE],
  ['duration_us', DOUBLE],
  ['reason', VARCHAR],
  ['propensity', DOUBLE],
  ['status', VARCHAR],
  ['error', VARCHAR],
  ['principal', VARCHAR],
  ['traceparent', VARCHAR],
  ['subject', VARCHAR],
  ['score', DOUBLE],
  ['shadow_of', VARCHAR],
];

/** The columns of a file of rows, in order, from those that are given. */
const columnsOfFile: readonly (readonly [string, string])[] = given.flatMap(([name]): [string, string][] => {
  if (name === 'row')
    return [
      ['row', '"row"'],
      ['truth_id', 'coalesce(shadow_of, prediction_id)'],
    ];
  return [[name, /_[mu]s$/.test(name) ? `${name}::bigint` : name]];
});

async function writeRecords(
  session: Session,
  input: Input,
  endpointKey: string,
  records: readonly PredictionRecord[],
  path: string,
): Promise<File | undefined> {
  const first = records[0];
  if (first === undefined) return undefined;
  const { project, endpoint } = first;
  const counter = createHourCounter(input.revisions);
  const replay = input.replays.includes(endpointKey);
  const columns = given.map(([name, type]): ColumnBuilder => ({ name, type, values: [] }));
  const tensors = createTensorColumns(formsOf(records));
  const days = new Map<number, Day>();
  let rows = 0;
  let futureRows = 0;
  for (const record of records) {
    const inputs = new Map(record.inputs.map((tensor) => [tensor.name, tensor]));
    for (let row = 0; row < record.rows; row += 1) {
      let eventMs = record.eventTimesMs[row] ?? record.receivedAtMs;
      if (!replay && eventMs > record.receivedAtMs + input.maxFutureMs) {
        eventMs = record.receivedAtMs;
        futureRows += 1;
      }
      const failed = record.status === 'error';
      const score = failed ? undefined : counter.scoreOf(record.revision, record.outputs, row);
      const { predictionId, revision, role } = record;
      counter.count({ predictionId, revision, role, eventMs, failed, inputs, row, score });
      const values = rowValues(record, row, eventMs, score);
      for (let place = 0; place < values.length; place += 1) columns[place]?.values.push(values[place] ?? null);
      tensors.add('in.', record.inputs, row, rows);
      if (!failed) tensors.add('out.', record.outputs, row, rows);
      widen(days, predictionId, eventMs);
      rows += 1;
    }
  }
  if (rows === 0) return undefined;
  const made = tensors.finish(rows);
  await writeColumns(session, 'made_rows', [...columns, ...made]);
  const selected = [
    ...columnsOfFile.map(([name, expression]) => `${expression} as ${quoteName(name)}`),
    ...made.map(({ name }) => quoteName(name)),
  ];
  await session.writeParquet(path, `select ${selected.join(', ')} from made_rows`);
  const requests = records.filter(({ role }) => role === 'primary').length;
  return { project, endpoint, path, rows, requests, futureRows, days: [...days.values()], counts: counter.finish() };
}

/** In the order of `given`. */
function rowValues(record: PredictionRecord, row: number, eventMs: number, score: number | undefined): DuckDBValue[] {
  return [
    record.predictionId,
    row,
    record.role,
    record.revision,
    record.modelRef,
    record.requestId,
    record.keys[row] ?? null,
    eventMs,
    record.receivedAtMs,
    record.durationUs,
    record.reason,
    record.propensity,
    record.status,
    record.error ?? null,
    record.principal,
    record.traceparent ?? null,
    record.subject?.[row] ?? null,
    score ?? null,
    record.shadowOf ?? null,
  ];
}

function formsOf(records: readonly PredictionRecord[]): ReadonlyMap<string, ReadonlySet<string>> {
  const forms = new Map<string, Set<string>>();
  const add = (name: string, form: string) => {
    const found = forms.get(name);
    if (found === undefined) forms.set(name, new Set([form]));
    else found.add(form);
  };
  for (const { inputs, outputs } of records) {
    for (const tensor of inputs) add(`in.${tensor.name}`, formOf(tensor));
    for (const tensor of outputs) add(`out.${tensor.name}`, formOf(tensor));
  }
  return forms;
}

function widen(days: Map<number, Day>, id: string, eventMs: number): void {
  const day = Math.floor(eventMs / dayMs) * dayMs;
  const found = days.get(day);
  if (found === undefined) {
    days.set(day, { dayMs: day, rows: 1, minId: id, maxId: id, minEventMs: eventMs, maxEventMs: eventMs });
    return;
  }
  days.set(day, {
    dayMs: day,
    rows: found.rows + 1,
    minId: id < found.minId ? id : found.minId,
    maxId: id > found.maxId ? id : found.maxId,
    minEventMs: Math.min(found.minEventMs, eventMs),
    maxEventMs: Math.max(found.maxEventMs, eventMs),
  });
}
