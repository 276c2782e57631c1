import type { Reader, Unit } from '#platform/database';
import { inList, parseJson } from '#platform/sql';
import type { TruthBinding } from './predictions-api.ts';
import type { BindingRow, PredictionsTables } from './predictions-tables.ts';

export interface StoredBinding extends TruthBinding {
  readonly matchedVersion: number;
}

const rowToBinding = (row: BindingRow): StoredBinding => ({
  project: row.project,
  name: row.name,
  endpoint: row.endpoint,
  dataset: row.dataset,
  key: parseJson<readonly string[]>(row.key_columns),
  time: row.time_column,
  value: row.value,
  matchedVersion: row.matched_version,
});

const selectBindings = (reader: Reader, project: string) =>
  reader
    .query<PredictionsTables>()
    .selectFrom('prediction_bindings')
    .select([
      'prediction_bindings.project',
      'prediction_bindings.name',
      'prediction_bindings.endpoint',
      'prediction_bindings.dataset',
      'prediction_bindings.key_columns',
      'prediction_bindings.time_column',
      'prediction_bindings.value',
      'prediction_bindings.matched_version',
    ])
    .where('prediction_bindings.project', '=', project)
    .orderBy('prediction_bindings.name');

export async function findBinding(reader: Reader, project: string, name: string): Promise<StoredBinding | undefined> {
  const row = await selectBindings(reader, project).where('prediction_bindings.name', '=', name).executeTakeFirst();
  return row && rowToBinding(row);
}

export async function listBindings(
  reader: Reader,
  project: string,
  filter: { readonly endpoint?: string; readonly dataset?: string },
): Promise<readonly StoredBinding[]> {
  let query = selectBindings(reader, project);
  if (filter.endpoint !== undefined) query = query.where('prediction_bindings.endpoint', '=', filter.endpoint);
  if (filter.dataset !== undefined) query = query.where('prediction_bindings.dataset', '=', filter.dataset);
  return (await query.execute()).map(rowToBinding);
}

/** Also forgets which parts were matched. */
export async function putBinding(unit: Unit, binding: TruthBinding): Promise<void> {
  const { project, name } = binding;
  await deleteParts(unit, project, name);
  const values = {
    endpoint: binding.endpoint,
    dataset: binding.dataset,
    key_columns: JSON.stringify(binding.key),
    time_column: binding.time,
    value: binding.value,
    matched_version: 0,
  };
  await unit
    .query<PredictionsTables>()
    .insertInto('prediction_bindings')
    .values({ project, name, ...values })
    .onConflict((conflict) => conflict.columns(['project', 'name']).doUpdateSet(values))
    .execute();
}

export async function deleteBinding(unit: Unit, project: string, name: string): Promise<void> {
  await deleteParts(unit, project, name);
  await unit
    .query<PredictionsTables>()
    .deleteFrom('prediction_bindings')
    .where('prediction_bindings.project', '=', project)
    .where('prediction_bindings.name', '=', name)
    .execute();
}

async function deleteParts(unit: Unit, project: string, name: string): Promise<void> {
  await unit
    .query<PredictionsTables>()
    .deleteFrom('prediction_binding_parts')
    .where('prediction_binding_parts.project', '=', project)
    .where('prediction_binding_parts.name', '=', name)
    .execute();
}

export async function setMatchedVersion(unit: Unit, project: string, name: string, version: number): Promise<void> {
  await unit
    .query<PredictionsTables>()
    .updateTable('prediction_bindings')
    .set({ matched_version: version })
    .where('prediction_bindings.project', '=', project)
    .where('prediction_bindings.name', '=', name)
    .where('prediction_bindings.matched_version', '<', version)
    .execute();
}

/** A part of a bound dataset. */
export interface TruthPart {
  readonly sha256: string;
  readonly timeMinMs: number | undefined;
  readonly timeMaxMs: number | undefined;
  readonly observedMs: number;
  readonly source: string;
}
export interface StoredTruthPart extends TruthPart {
  readonly matched: boolean;
}

const partsPerStatement = 500;

export async function insertParts(
  unit: Unit,
  { project, name }: Pick<TruthBinding, 'project' | 'name'>,
  parts: readonly TruthPart[],
): Promise<void> {
  for (let at = 0; at < parts.length; at += partsPerStatement)
    await unit
      .query<PredictionsTables>()
      .insertInto('prediction_binding_parts')
      .values(
        parts.slice(at, at + partsPerStatement).map((part) => ({
          project,
          name,
          sha256: part.sha256,
          time_min_ms: part.timeMinMs ?? null,
          time_max_ms: part.timeMaxMs ?? null,
          observed_ms: part.observedMs,
          source: part.source,
          matched: 0,
        })),
      )
      .onConflict((conflict) => conflict.columns(['project', 'name', 'sha256']).doNothing())
      .execute();
}

export async function listParts(reader: Reader, project: string, name: string): Promise<readonly StoredTruthPart[]> {
  const rows = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_binding_parts')
    .select([
      'prediction_binding_parts.sha256',
      'prediction_binding_parts.time_min_ms',
      'prediction_binding_parts.time_max_ms',
      'prediction_binding_parts.observed_ms',
      'prediction_binding_parts.source',
      'prediction_binding_parts.matched',
    ])
    .where('prediction_binding_parts.project', '=', project)
    .where('prediction_binding_parts.name', '=', name)
    .orderBy('prediction_binding_parts.observed_ms')
    .orderBy('prediction_binding_parts.sha256')
    .execute();
  return rows.map((row) => ({
    sha256: row.sha256,
    timeMinMs: row.time_min_ms ?? undefined,
    timeMaxMs: row.time_max_ms ?? undefined,
    observedMs: row.observed_ms,
    source: row.source,
    matched: row.matched === 1,
  }));
}

export async function markMatched(
  unit: Unit,
  project: string,
  name: string,
  digests: readonly string[],
): Promise<void> {
  if (digests.length === 0) return;
  await unit
    .query<PredictionsTables>()
    .updateTable('prediction_binding_parts')
    .set({ matched: 1 })
    .where('prediction_binding_parts.project', '=', project)
    .where('prediction_binding_parts.name', '=', name)
    .where(inList(unit, 'prediction_binding_parts.sha256', digests))
    .execute();
}

/** Whether truth of the span has been read, or is being read, for the endpoint. */
export async function hasPartsBetween(
  reader: Reader,
  span: { readonly project: string; readonly endpoint: string; readonly fromMs: number; readonly toMs: number },
): Promise<boolean> {
  const row = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_bindings')
    .innerJoin('prediction_binding_parts', (join) =>
      join
        .onRef('prediction_binding_parts.project', '=', 'prediction_bindings.project')
        .onRef('prediction_binding_parts.name', '=', 'prediction_bindings.name'),
    )
    .select('prediction_binding_parts.sha256')
    .where('prediction_bindings.project', '=', span.project)
    .where('prediction_bindings.endpoint', '=', span.endpoint)
    .where((where) =>
      where.or([
        where('prediction_binding_parts.time_min_ms', 'is', null),
        where.and([
          where('prediction_binding_parts.time_min_ms', '<', span.toMs),
          where('prediction_binding_parts.time_max_ms', '>=', span.fromMs),
        ]),
      ]),
    )
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

export async function hasUnmatchedParts(reader: Reader, project: string, endpoint: string): Promise<boolean> {
  const row = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_bindings')
    .innerJoin('prediction_binding_parts', (join) =>
      join
        .onRef('prediction_binding_parts.project', '=', 'prediction_bindings.project')
        .onRef('prediction_binding_parts.name', '=', 'prediction_bindings.name'),
    )
    .select('prediction_binding_parts.sha256')
    .where('prediction_bindings.project', '=', project)
    .where('prediction_bindings.endpoint', '=', endpoint)
    .where('prediction_binding_parts.matched', '=', 0)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

export interface DirtyDay {
  readonly dayMs: number;
  /** Grows with every mark: a day marked again while it was matched stays dirty. */
  readonly marks: number;
}

export async function markDirty(unit: Unit, project: string, endpoint: string, days: readonly number[]): Promise<void> {
  if (days.length === 0) return;
  await unit
    .query<PredictionsTables>()
    .insertInto('prediction_dirty_days')
    .values([...new Set(days)].map((day) => ({ project, endpoint, day_ms: day, marks: 1 })))
    .onConflict((conflict) =>
      conflict
        .columns(['project', 'endpoint', 'day_ms'])
        .doUpdateSet((set) => ({ marks: set('prediction_dirty_days.marks', '+', 1) })),
    )
    .execute();
}

export async function listDirtyDays(reader: Reader, project: string, endpoint: string): Promise<readonly DirtyDay[]> {
  const rows = await reader
    .query<PredictionsTables>()
    .selectFrom('prediction_dirty_days')
    .select(['prediction_dirty_days.day_ms', 'prediction_dirty_days.marks'])
    .where('prediction_dirty_days.project', '=', project)
    .where('prediction_dirty_days.endpoint', '=', endpoint)
    .orderBy('prediction_dirty_days.day_ms')
    .execute();
  return rows.map((row) => ({ dayMs: row.day_ms, marks: row.marks }));
}

/** Days that were marked again meanwhile stay. */
export async function clearDirtyDays(
  unit: Unit,
  project: string,
  endpoint: string,
  days: readonly DirtyDay[],
): Promise<void> {
  for (const { dayMs, marks } of days)
    await unit
      .query<PredictionsTables>()
      .deleteFrom('prediction_dirty_days')
      .where('prediction_dirty_days.project', '=', project)
      .where('prediction_dirty_days.endpoint', '=', endpoint)
      .where('prediction_dirty_days.day_ms', '=', dayMs)
      .where('prediction_dirty_days.marks', '=', marks)
      .execute();
}
