import { sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { prepareQuery } from '#platform/prepared-query';
import { inList } from '#platform/sql';
import { listAssessments } from './assessment-store.ts';
import { listPairs } from './pair-store.ts';
import { metadataKeys, tagKeys } from './trace-keys.ts';
import type { TraceRow, TracesTables } from './traces-tables.ts';
import type { TraceInfo } from './traces-types.ts';

const traceColumns = [
  'traces_traces.project',
  'traces_traces.trace_id',
  'traces_traces.experiment_id',
  'traces_traces.client_request_id',
  'traces_traces.name',
  'traces_traces.state',
  'traces_traces.request_ms',
  'traces_traces.duration_ms',
  'traces_traces.request_preview',
  'traces_traces.response_preview',
  'traces_traces.session_id',
  'traces_traces.told',
  'traces_traces.artifact_uri',
  'traces_traces.input_tokens',
  'traces_traces.output_tokens',
  'traces_traces.total_tokens',
  'traces_traces.cache_read_tokens',
  'traces_traces.cache_creation_tokens',
  'traces_traces.created_ms',
] as const;

export async function listTraceRows(
  reader: Reader,
  project: string,
  traceIds: readonly string[],
): Promise<readonly TraceRow[]> {
  if (traceIds.length === 0) return [];
  return reader
    .query<TracesTables>()
    .selectFrom('traces_traces')
    .select(traceColumns)
    .where('traces_traces.project', '=', project)
    .where(inList(reader, 'traces_traces.trace_id', traceIds))
    .execute();
}

export async function findTraceRow(reader: Reader, project: string, traceId: string): Promise<TraceRow | undefined> {
  return (await listTraceRows(reader, project, [traceId]))[0];
}

const columnNames = traceColumns.map((column) => column.slice('traces_traces.'.length)) as (keyof TraceRow)[];
const upsert = prepareQuery<never, TraceRow & Record<string, string | number | null>>(
  (_reader, row) => sql`insert into traces_traces (${sql.join(columnNames.map((name) => sql.ref(name)))})
    values (${sql.join(columnNames.map((name) => row[name]))})
    on conflict (project, trace_id) do update set ${sql.join(
      columnNames
        .filter((name) => !['project', 'trace_id', 'created_ms'].includes(name))
        .map((name) => sql`${sql.ref(name)} = excluded.${sql.ref(name)}`),
    )}`,
);

/** Writes a trace's row as it is now. */
export async function putTraceRow(unit: Unit, row: TraceRow): Promise<void> {
  await upsert(unit, { ...row });
}

/** Everything about some traces but their spans, in the order asked for. */
export async function toTraceInfos(
  reader: Reader,
  project: string,
  rows: readonly TraceRow[],
): Promise<readonly TraceInfo[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.trace_id);
  const pairs = await listPairs(reader, project, ids);
  const assessments = await listAssessments(reader, project, ids);
  return rows.map((row) => {
    const { tag, metadata } = pairs.get(row.trace_id) ?? {};
    return {
      traceId: row.trace_id,
      project: row.project,
      experimentId: String(row.experiment_id),
      clientRequestId: row.client_request_id ?? undefined,
      name: row.name ?? undefined,
      state: row.state,
      requestMs: row.request_ms,
      durationMs: row.duration_ms ?? undefined,
      requestPreview: row.request_preview ?? undefined,
      responsePreview: row.response_preview ?? undefined,
      tags: Object.fromEntries([
        ...(tag ?? []),
        ...(row.name === null ? [] : [[tagKeys.name, row.name] as const]),
        [tagKeys.artifactLocation, row.artifact_uri] as const,
      ]),
      metadata: Object.fromEntries([
        ...(metadata ?? []),
        ...(row.session_id === null ? [] : [[metadataKeys.session, row.session_id] as const]),
      ]),
      assessments: assessments.get(row.trace_id) ?? [],
    };
  });
}

/** The traces of an experiment that a deletion names, the oldest first. */
export async function listTracesToDelete(
  reader: Reader,
  wanted: {
    readonly project: string;
    readonly experimentId: number;
    readonly traceIds?: readonly string[] | undefined;
    readonly untilMs?: number | undefined;
    readonly limit?: number | undefined;
  },
): Promise<readonly Pick<TraceRow, 'trace_id' | 'artifact_uri'>[]> {
  let select = reader
    .query<TracesTables>()
    .selectFrom('traces_traces')
    .select(['traces_traces.trace_id', 'traces_traces.artifact_uri'])
    .where('traces_traces.project', '=', wanted.project)
    .where('traces_traces.experiment_id', '=', wanted.experimentId);
  if (wanted.traceIds !== undefined) select = select.where(inList(reader, 'traces_traces.trace_id', wanted.traceIds));
  if (wanted.untilMs !== undefined) select = select.where('traces_traces.request_ms', '<=', wanted.untilMs);
  select = select.orderBy('traces_traces.request_ms').orderBy('traces_traces.trace_id');
  return (wanted.limit === undefined ? select : select.limit(wanted.limit)).execute();
}

/** Removes traces with everything that belongs to them. */
export async function deleteTraceRows(unit: Unit, project: string, traceIds: readonly string[]): Promise<void> {
  await unit
    .query<TracesTables>()
    .deleteFrom('traces_traces')
    .where('traces_traces.project', '=', project)
    .where(inList(unit, 'traces_traces.trace_id', traceIds))
    .execute();
}
