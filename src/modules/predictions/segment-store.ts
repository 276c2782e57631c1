import type { WorkerTaskOutput } from '#contracts/worker';
import { dayMs } from '#contracts/worker-predictions';
import type { Reader, Unit } from '#platform/database';
import { inList, parseJson } from '#platform/sql';
import type { EventRange } from './predictions-api.ts';
import type { PredictionsTables, SegmentRow } from './predictions-tables.ts';

export type DayPart = WorkerTaskOutput<'log-truth'>['days'][number];
export type HourCounts = WorkerTaskOutput<'log-intake'>['files'][number]['counts'][number];
export type HourLabels = WorkerTaskOutput<'log-truth'>['labels'][number];
export type SegmentKind = 'rows' | 'truth';

/** A file as far as one event day of one endpoint is in it. */
export interface Segment extends DayPart {
  readonly id: string;
  readonly project: string;
  readonly endpoint: string;
  readonly kind: SegmentKind;
  readonly level: number;
  readonly sha256: string;
  readonly sizeBytes: number;
}

const segmentColumns = [
  'prediction_segments.id',
  'prediction_segments.project',
  'prediction_segments.endpoint',
  'prediction_segments.kind',
  'prediction_segments.day_ms',
  'prediction_segments.level',
  'prediction_segments.sha256',
  'prediction_segments.size_bytes',
  'prediction_segments.rows',
  'prediction_segments.min_id',
  'prediction_segments.max_id',
  'prediction_segments.min_event_ms',
  'prediction_segments.max_event_ms',
  'prediction_segments.created_ms',
] as const;

const rowToSegment = (row: SegmentRow): Segment => ({
  id: row.id,
  project: row.project,
  endpoint: row.endpoint,
  kind: row.kind,
  level: row.level,
  sha256: row.sha256,
  sizeBytes: row.size_bytes,
  dayMs: row.day_ms,
  rows: row.rows,
  minId: row.min_id,
  maxId: row.max_id,
  minEventMs: row.min_event_ms,
  maxEventMs: row.max_event_ms,
});

const select = (reader: Reader) =>
  reader
    .query<PredictionsTables>()
    .selectFrom('prediction_segments')
    .select(segmentColumns)
    .orderBy('prediction_segments.day_ms')
    .orderBy('prediction_segments.id');

/** Segments of the days that the range touches, in order of day and arrival. */
export async function listSegments(
  reader: Reader,
  { project, endpoint, fromMs, toMs }: EventRange,
  kind: SegmentKind,
): Promise<readonly Segment[]> {
  const rows = await select(reader)
    .where('prediction_segments.project', '=', project)
    .where('prediction_segments.endpoint', '=', endpoint)
    .where('prediction_segments.kind', '=', kind)
    .where('prediction_segments.day_ms', '>', fromMs - dayMs)
    .where('prediction_segments.day_ms', '<', toMs)
    .execute();
  return rows.map(rowToSegment);
}

export async function listSegmentsOfDays(
  reader: Reader,
  project: string,
  endpoint: string,
  kind: SegmentKind,
  days: readonly number[],
): Promise<readonly Segment[]> {
  if (days.length === 0) return [];
  const rows = await select(reader)
    .where('prediction_segments.project', '=', project)
    .where('prediction_segments.endpoint', '=', endpoint)
    .where('prediction_segments.kind', '=', kind)
    .where(inList(reader, 'prediction_segments.day_ms', days))
    .execute();
  return rows.map(rowToSegment);
}

/** Segments of rows that may hold an id of the span. */
export async function listSegmentsOfIds(
  reader: Reader,
  filter: { readonly project: string; readonly endpoint?: string; readonly fromId: string; readonly toId: string },
): Promise<readonly Segment[]> {
  let query = select(reader)
    .where('prediction_segments.project', '=', filter.project)
    .where('prediction_segments.kind', '=', 'rows')
    .where('prediction_segments.max_id', '>=', filter.fromId)
    .where('prediction_segments.min_id', '<=', filter.toId);
  if (filter.endpoint !== undefined) query = query.where('prediction_segments.endpoint', '=', filter.endpoint);
  return (await query.execute()).map(rowToSegment);
}

/** Days that have rows. */
export async function listDays(
  reader: Reader,
  { project, endpoint, fromMs, toMs }: EventRange,
): Promise<readonly number[]> {
  const rows = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_segments')
    .select('prediction_segments.day_ms')
    .distinct()
    .where('prediction_segments.project', '=', project)
    .where('prediction_segments.endpoint', '=', endpoint)
    .where('prediction_segments.kind', '=', 'rows')
    .where('prediction_segments.day_ms', '>', fromMs - dayMs)
    .where('prediction_segments.day_ms', '<', toMs)
    .orderBy('prediction_segments.day_ms')
    .execute();
  return rows.map((row) => row.day_ms);
}

/** Event time of the first row on the days that the range touches. */
export async function findFirstEvent(
  reader: Reader,
  { project, endpoint, fromMs, toMs }: EventRange,
): Promise<number | undefined> {
  const row = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_segments')
    .select('prediction_segments.min_event_ms')
    .where('prediction_segments.project', '=', project)
    .where('prediction_segments.endpoint', '=', endpoint)
    .where('prediction_segments.kind', '=', 'rows')
    .where('prediction_segments.day_ms', '>', fromMs - dayMs)
    .where('prediction_segments.day_ms', '<', toMs)
    .orderBy('prediction_segments.day_ms')
    .orderBy('prediction_segments.min_event_ms')
    .limit(1)
    .executeTakeFirst();
  return row?.min_event_ms;
}

export interface LogSize {
  readonly rows: number;
  readonly files: number;
  readonly firstEventMs: number | undefined;
}

export async function sizeOfLog(reader: Reader, project: string, endpoint: string): Promise<LogSize> {
  const row = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_segments')
    .select((sums) => [
      sums.fn.sum<number | null>('prediction_segments.rows').as('rows'),
      sums.fn.count<number>('prediction_segments.sha256').distinct().as('files'),
      sums.fn.min<number | null>('prediction_segments.min_event_ms').as('first'),
    ])
    .where('prediction_segments.project', '=', project)
    .where('prediction_segments.endpoint', '=', endpoint)
    .where('prediction_segments.kind', '=', 'rows')
    .executeTakeFirstOrThrow();
  return { rows: row.rows ?? 0, files: row.files, firstEventMs: row.first ?? undefined };
}

export async function insertSegment(unit: Unit, segment: Segment): Promise<void> {
  await unit
    .query<PredictionsTables>()
    .insertInto('prediction_segments')
    .values({
      id: segment.id,
      project: segment.project,
      endpoint: segment.endpoint,
      kind: segment.kind,
      day_ms: segment.dayMs,
      level: segment.level,
      sha256: segment.sha256,
      size_bytes: segment.sizeBytes,
      rows: segment.rows,
      min_id: segment.minId,
      max_id: segment.maxId,
      min_event_ms: segment.minEventMs,
      max_event_ms: segment.maxEventMs,
      created_ms: unit.nowMs,
    })
    .execute();
}

/** How many of them were still there; their counts go with them. */
export async function deleteSegments(unit: Unit, ids: readonly string[]): Promise<number> {
  await unit
    .query<PredictionsTables>()
    .deleteFrom('prediction_counts')
    .where(inList(unit, 'prediction_counts.segment_id', ids))
    .execute();
  const { numDeletedRows } = await unit
    .query<PredictionsTables>()
    .deleteFrom('prediction_segments')
    .where(inList(unit, 'prediction_segments.id', ids))
    .executeTakeFirst();
  return Number(numDeletedRows);
}

/** Those digests that no segment of the project names any more. */
export async function listUnused(unit: Unit, project: string, digests: readonly string[]): Promise<readonly string[]> {
  const rows = await unit
    .query<PredictionsTables>()
    .selectFrom('prediction_segments')
    .select('prediction_segments.sha256')
    .distinct()
    .where('prediction_segments.project', '=', project)
    .where(inList(unit, 'prediction_segments.sha256', digests))
    .execute();
  const used = new Set(rows.map((row) => row.sha256));
  return [...new Set(digests)].filter((digest) => !used.has(digest));
}

interface StoredCounts {
  readonly columns: readonly (readonly number[])[];
  readonly score: readonly number[];
}

const rowsPerStatement = 200;

export async function insertCounts(unit: Unit, segmentId: string, counts: readonly HourCounts[]): Promise<void> {
  for (let at = 0; at < counts.length; at += rowsPerStatement)
    await unit
      .query<PredictionsTables>()
      .insertInto('prediction_counts')
      .values(
        counts
          .slice(at, at + rowsPerStatement)
          .map(({ revision, role, hourMs, rows, errors, exampleId, columns, score }) => ({
            segment_id: segmentId,
            revision,
            role,
            hour_ms: hourMs,
            rows,
            errors,
            example_id: exampleId,
            counts: JSON.stringify({ columns, score } satisfies StoredCounts),
          })),
      )
      .execute();
}

const countColumns = [
  'prediction_counts.segment_id',
  'prediction_counts.revision',
  'prediction_counts.role',
  'prediction_counts.hour_ms',
  'prediction_counts.rows',
  'prediction_counts.errors',
  'prediction_counts.example_id',
  'prediction_counts.counts',
] as const;

const rowToCounts = (row: PredictionsTables['prediction_counts']): HourCounts => ({
  revision: row.revision,
  role: row.role,
  hourMs: row.hour_ms,
  rows: row.rows,
  errors: row.errors,
  exampleId: row.example_id,
  ...parseJson<StoredCounts>(row.counts),
});

export async function listCountsOfSegments(reader: Reader, ids: readonly string[]): Promise<readonly HourCounts[]> {
  const rows = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_counts')
    .select(countColumns)
    .where(inList(reader, 'prediction_counts.segment_id', ids))
    .orderBy('prediction_counts.hour_ms')
    .execute();
  return rows.map(rowToCounts);
}

/** Hours inside [fromMs, toMs). */
export async function listCounts(
  reader: Reader,
  { project, endpoint, fromMs, toMs }: EventRange,
): Promise<readonly HourCounts[]> {
  const rows = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_segments')
    .innerJoin('prediction_counts', 'prediction_counts.segment_id', 'prediction_segments.id')
    .select(countColumns)
    .where('prediction_segments.project', '=', project)
    .where('prediction_segments.endpoint', '=', endpoint)
    .where('prediction_segments.kind', '=', 'rows')
    .where('prediction_segments.day_ms', '>', fromMs - dayMs)
    .where('prediction_segments.day_ms', '<', toMs)
    .where('prediction_counts.hour_ms', '>=', fromMs)
    .where('prediction_counts.hour_ms', '<', toMs)
    .execute();
  return rows.map(rowToCounts);
}

/** Predictions of a revision, a few, newest hours first. */
export async function listExamples(reader: Reader, revision: string, limit: number): Promise<readonly string[]> {
  const rows = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_counts')
    .select('prediction_counts.example_id')
    .where('prediction_counts.revision', '=', revision)
    .orderBy('prediction_counts.hour_ms', 'desc')
    .limit(limit)
    .execute();
  return [...new Set(rows.map((row) => row.example_id))];
}

/** How many predictions (rows) of a revision the log has, as primary and as shadow. */
export async function countRowsOf(reader: Reader, revision: string): Promise<number> {
  const sum = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_counts')
    .select((build) => build.fn.sum<number | null>('prediction_counts.rows').as('rows'))
    .where('prediction_counts.revision', '=', revision)
    .executeTakeFirst();
  return sum?.rows ?? 0;
}

type StoredLabels = Omit<HourLabels, 'revision' | 'role' | 'hourMs' | 'labelled' | 'neverKnown'>;

/** Puts these labels in the place of all that the hours had. */
export async function replaceLabels(
  unit: Unit,
  project: string,
  endpoint: string,
  hours: readonly number[],
  labels: readonly HourLabels[],
): Promise<void> {
  if (hours.length === 0) return;
  await unit
    .query<PredictionsTables>()
    .deleteFrom('prediction_labels')
    .where('prediction_labels.project', '=', project)
    .where('prediction_labels.endpoint', '=', endpoint)
    .where(inList(unit, 'prediction_labels.hour_ms', hours))
    .execute();
  for (let at = 0; at < labels.length; at += rowsPerStatement)
    await unit
      .query<PredictionsTables>()
      .insertInto('prediction_labels')
      .values(
        labels.slice(at, at + rowsPerStatement).map(({ revision, role, hourMs, labelled, neverKnown, ...counts }) => ({
          project,
          endpoint,
          hour_ms: hourMs,
          revision,
          role,
          labelled,
          never_known: neverKnown,
          counts: JSON.stringify(counts satisfies StoredLabels),
        })),
      )
      .execute();
}

export async function listLabels(
  reader: Reader,
  { project, endpoint, fromMs, toMs }: EventRange,
): Promise<readonly HourLabels[]> {
  const rows = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_labels')
    .select([
      'prediction_labels.revision',
      'prediction_labels.role',
      'prediction_labels.hour_ms',
      'prediction_labels.labelled',
      'prediction_labels.never_known',
      'prediction_labels.counts',
    ])
    .where('prediction_labels.project', '=', project)
    .where('prediction_labels.endpoint', '=', endpoint)
    .where('prediction_labels.hour_ms', '>=', fromMs)
    .where('prediction_labels.hour_ms', '<', toMs)
    .execute();
  return rows.map((row) => ({
    revision: row.revision,
    role: row.role,
    hourMs: row.hour_ms,
    labelled: row.labelled,
    neverKnown: row.never_known,
    ...parseJson<StoredLabels>(row.counts),
  }));
}
