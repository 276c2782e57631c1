import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BOOLEAN, DOUBLE, type DuckDBType, type DuckDBValue, INTEGER, VARCHAR } from '@duckdb/node-api';
import type { PredictionRecord } from '#contracts/prediction-record';
import { readFrames } from '#contracts/spool-frame-reader';
import { parseTraceparent } from '#contracts/trace-context';
import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { dayMs } from '#contracts/worker-predictions';
import { createTensorColumns, writeColumns } from './log-columns.ts';
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
  const tables = new Map<string, LogTable>();
  const told = new Set(input.revisions.map(({ revision }) => revision));
  const missing = new Set<string>();
  const { next, stopped } = readInOrder(await readFile(input.path), input.from, (record) => {
    if (!told.has(record.revision)) missing.add(record.revision);
    if (missing.size > 0) return;
    const key = `${record.project}/${record.endpoint}`;
    let table = tables.get(key);
    if (table === undefined) tables.set(key, (table = createLogTable(input, key, record)));
    table.add(record);
  });
  if (missing.size > 0) return { next: input.from, stopped: 'end', missing: [...missing], files: [] };
  const files: File[] = [];
  if (tables.size > 0)
    // In one thread: a delivery is small, a second one would mostly wait for the first, and it is taken in while the data plane
    // answers, perhaps beside it on the same processors.
    await withSession(context, { read: [], folders: [input.folder], threads: 1 }, async (session) => {
      for (const table of tables.values()) {
        const file = await table.write(session, join(input.folder, `${files.length}.parquet`));
        if (file !== undefined) files.push(file);
      }
    });
  return { next, stopped, missing: [], files };
}

/** Hands over the records whose offsets follow each other. */
function readInOrder(
  bytes: Buffer,
  from: number,
  take: (record: PredictionRecord) => void,
): Pick<Output, 'next' | 'stopped'> {
  const reader = readFrames(bytes);
  let next = from;
  for (;;) {
    const { value, done } = reader.next();
    if (done === true) return { next, stopped: value.stopped };
    if (value.offset !== next) return { next, stopped: 'order' };
    take(value.record);
    next += 1;
  }
}

interface Row {
  readonly record: PredictionRecord;
  readonly row: number;
  readonly eventMs: number;
  readonly score: number | undefined;
}

/** What comes row by row; instants and durations as doubles, which are exact for them and cost no BigInt a row. */
const given: readonly (readonly [string, DuckDBType, (row: Row) => DuckDBValue])[] = [
  ['prediction_id', VARCHAR, ({ record }) => record.predictionId],
  ['row', INTEGER, ({ row }) => row],
  ['role', VARCHAR, ({ record }) => record.role],
  ['revision', VARCHAR, ({ record }) => record.revision],
  ['model_ref', VARCHAR, ({ record }) => record.modelRef],
  ['request_id', VARCHAR, ({ record }) => record.requestId],
  ['key', VARCHAR, ({ record, row }) => record.keys[row] ?? null],
  ['event_ms', DOUBLE, ({ eventMs }) => eventMs],
  ['received_ms', DOUBLE, ({ record }) => record.receivedAtMs],
  ['duration_us', DOUBLE, ({ record }) => record.durationUs],
  ['reason', VARCHAR, ({ record }) => record.reason],
  ['propensity', DOUBLE, ({ record }) => record.propensity],
  ['status', VARCHAR, ({ record }) => record.status],
  ['error', VARCHAR, ({ record }) => record.error ?? null],
  ['principal', VARCHAR, ({ record }) => record.principal],
  ['traceparent', VARCHAR, ({ record }) => record.traceparent ?? null],
  ['subject', VARCHAR, ({ record, row }) => record.subject?.[row] ?? null],
  ['score', DOUBLE, ({ score }) => score ?? null],
  ['shadow_of', VARCHAR, ({ record }) => record.shadowOf ?? null],
  ['trace_id', VARCHAR, ({ record }) => parseTraceparent(record.traceparent)?.traceId ?? null],
  ['input_us', DOUBLE, ({ record }) => record.stagesUs?.input ?? null],
  ['queue_us', DOUBLE, ({ record }) => record.stagesUs?.queue ?? null],
  ['infer_us', DOUBLE, ({ record }) => record.stagesUs?.infer ?? null],
  ['output_us', DOUBLE, ({ record }) => record.stagesUs?.output ?? null],
  ['cached', BOOLEAN, ({ record }) => record.cached === true],
  ['branches', VARCHAR, ({ record: { branches }, row }) => (branches === undefined ? null : branchesAt(branches, row))],
  ['difference_rows', DOUBLE, ({ record }) => record.difference?.rows ?? null],
  ['difference_max_abs', DOUBLE, ({ record }) => record.difference?.maxAbs ?? null],
  ['redacted', VARCHAR, ({ record: { redacted } }) => (redacted === undefined ? '[]' : JSON.stringify(redacted))],
];

/** Which branches a row took, as JSON: one that all rows took is there once, a node that the row did not come by is left out. */
function branchesAt(branches: NonNullable<PredictionRecord['branches']>, row: number): string {
  const taken = Object.entries(branches).flatMap(([node, of]) => {
    const branch = of.length === 1 ? of[0] : of[row];
    return branch === undefined || branch === '' ? [] : [[node, branch] as const];
  });
  return JSON.stringify(Object.fromEntries(taken));
}

/** The columns of a file of rows, in order, from those that are given. */
const columnsOfFile: readonly (readonly [string, string])[] = given.flatMap(([name]): [string, string][] => {
  if (name === 'row')
    return [
      ['row', '"row"'],
      ['truth_id', 'coalesce(shadow_of, prediction_id)'],
    ];
  // a text that is the same in every row is handed over once, a list would be in each
  if (name === 'redacted') return [['redacted', `from_json(redacted, '["VARCHAR"]')`]];
  if (name === 'branches') return [['branches', 'branches::json::map(varchar, varchar)']];
  return [[name, /_[mu]s$|_rows$/.test(name) ? `${name}::bigint` : name]];
});

/** What becomes one file. */
interface LogTable {
  add(record: PredictionRecord): void;
  /** Undefined when there are no rows. */
  write(session: Session, path: string): Promise<File | undefined>;
}

function createLogTable(input: Input, key: string, { project, endpoint }: PredictionRecord): LogTable {
  const counter = createHourCounter(input.revisions);
  const replay = input.replays.includes(key);
  const columns = given.map(([name, type, valueOf]) => ({ name, type, valueOf, values: [] as DuckDBValue[] }));
  const inputColumns = createTensorColumns('in');
  const outputColumns = createTensorColumns('out');
  const days = new Map<number, Day>();
  let rows = 0;
  let requests = 0;
  let futureRows = 0;

  function eventMsOf({ eventTimesMs, receivedAtMs }: PredictionRecord, row: number): number {
    const eventMs = eventTimesMs[row] ?? receivedAtMs;
    if (replay || eventMs <= receivedAtMs + input.maxFutureMs) return eventMs;
    futureRows += 1;
    return receivedAtMs;
  }

  return {
    add(record) {
      const { predictionId, revision, role, redacted } = record;
      const inputs = new Map(record.inputs.map((tensor) => [tensor.name, tensor]));
      const failed = record.status === 'error';
      if (role === 'primary') requests += 1;
      for (let row = 0; row < record.rows; row += 1) {
        const eventMs = eventMsOf(record, row);
        const score = failed ? undefined : counter.scoreOf(revision, record.outputs, row);
        counter.count({ predictionId, revision, role, eventMs, failed, inputs, row, score, redacted });
        const one: Row = { record, row, eventMs, score };
        for (const { values, valueOf } of columns) values.push(valueOf(one));
        widen(days, predictionId, eventMs);
      }
      inputColumns.add(record.inputs, record.rows, rows);
      if (!failed) outputColumns.add(record.outputs, record.rows, rows);
      rows += record.rows;
    },
    async write(session, path) {
      if (rows === 0) return undefined;
      const tensors = [...inputColumns.finish(rows), ...outputColumns.finish(rows)];
      await writeColumns(session, 'made_rows', [...columns, ...tensors]);
      const selected = [
        ...columnsOfFile.map(([name, expression]) => `${expression} as ${quoteName(name)}`),
        ...tensors.map(({ name }) => quoteName(name)),
      ];
      await session.writeParquet(path, `select ${selected.join(', ')} from made_rows`);
      return {
        project,
        endpoint,
        path,
        rows,
        requests,
        futureRows,
        days: [...days.values()],
        counts: counter.finish(),
      };
    },
  };
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
