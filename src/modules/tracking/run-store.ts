import { sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { prepareAssumption, prepareQuery } from '#platform/prepared-query';
import { inList } from '#platform/sql';
import { listInputs, listRunModels } from './input-store.ts';
import { inJsonList } from './json-rows-store.ts';
import { keyValueTables, listKeyValues } from './key-value-store.ts';
import { listLatestMetrics } from './metric-store.ts';
import {
  endedStatuses,
  type Lifecycle,
  type RunListingState,
  type RunRow,
  type RunStatus,
  type TrackingTables,
} from './tracking-tables.ts';
import type { Run, RunInfo } from './tracking-types.ts';

export const runColumns = [
  'tracking_runs.run_id',
  'tracking_runs.project',
  'tracking_runs.experiment_key',
  'tracking_runs.name',
  'tracking_runs.status',
  'tracking_runs.user_id',
  'tracking_runs.start_ms',
  'tracking_runs.end_ms',
  'tracking_runs.lifecycle',
  'tracking_runs.deleted_ms',
  'tracking_runs.artifact_uri',
  'tracking_runs.parent_run_id',
  'tracking_runs.created_by',
] as const;

export type RunWithExperiment = RunRow & { readonly experiment_id: number };

export function rowToRunInfo(row: RunWithExperiment): RunInfo {
  return {
    runId: row.run_id,
    project: row.project,
    experimentId: String(row.experiment_id),
    name: row.name,
    status: row.status,
    userId: row.user_id,
    startMs: row.start_ms,
    endMs: row.end_ms ?? undefined,
    lifecycle: row.lifecycle,
    deletedMs: row.deleted_ms ?? undefined,
    artifactUri: row.artifact_uri,
    parentRunId: row.parent_run_id ?? undefined,
  };
}

const selectRuns = (reader: Reader) =>
  reader
    .query<TrackingTables>()
    .selectFrom('tracking_runs')
    .innerJoin('tracking_experiments', 'tracking_experiments.experiment_key', 'tracking_runs.experiment_key')
    .select([...runColumns, 'tracking_experiments.experiment_id']);

export function findRunRow(reader: Reader, project: string, runId: string): Promise<RunWithExperiment | undefined> {
  return (
    selectRuns(reader)
      .where('tracking_runs.run_id', '=', runId)
      .where('tracking_runs.project', '=', project)
      // an experiment that is being purged has left the project, and its runs go one after another
      .where('tracking_experiments.project', '=', project)
      .executeTakeFirst()
  );
}

/** The runs below a run that are not deleted, the newest first. */
export function listChildRows(
  reader: Reader,
  project: string,
  parentRunId: string,
  page: { readonly limit: number; readonly offset: number },
): Promise<RunWithExperiment[]> {
  return selectRuns(reader)
    .where('tracking_runs.parent_run_id', '=', parentRunId)
    .where('tracking_runs.project', '=', project)
    .where('tracking_experiments.project', '=', project)
    .where('tracking_runs.lifecycle', '=', 'active')
    .orderBy('tracking_runs.start_ms', 'desc')
    .orderBy('tracking_runs.run_id')
    .limit(page.limit)
    .offset(page.offset)
    .execute();
}

/** Only what every write asks first: is it there, may it be written. Not of an experiment that is being purged, as above. */
export async function findRunLifecycle(
  reader: Reader,
  project: string,
  runId: string,
): Promise<RunLifecycle | undefined> {
  return (await selectLifecycle(reader, { project, runId })).rows[0];
}

/** The run may be written to, and no list has it: nothing but the write is to be done. */
export const isOpenRun = prepareAssumption<RunName>((reader, name) =>
  runNamed(reader, name)
    .select('tracking_runs.run_id')
    .where('tracking_runs.lifecycle', '=', 'active')
    .where('tracking_runs.listing', '<>', 'listed'),
);

interface RunName extends Record<string, string> {
  readonly project: string;
  readonly runId: string;
}

/** The run, unless its experiment is being purged. */
function runNamed(reader: Reader, { project, runId }: RunName) {
  return reader
    .query<TrackingTables>()
    .selectFrom('tracking_runs')
    .innerJoin('tracking_experiments', 'tracking_experiments.experiment_key', 'tracking_runs.experiment_key')
    .where('tracking_runs.run_id', '=', runId)
    .where('tracking_runs.project', '=', project)
    .where('tracking_experiments.project', '=', project);
}

type RunLifecycle = Pick<RunRow, 'lifecycle' | 'experiment_key'> & { readonly listing: RunListingState };
const selectLifecycle = prepareQuery<RunLifecycle, RunName>((reader, name) =>
  runNamed(reader, name).select(['tracking_runs.lifecycle', 'tracking_runs.experiment_key', 'tracking_runs.listing']),
);

/** In the order of the ids; those that are there. */
export async function listRunRows(reader: Reader, runIds: readonly string[]): Promise<readonly RunWithExperiment[]> {
  return inOrderOf(runIds, (await selectRunsIn(reader, { ids: JSON.stringify(runIds) })).rows);
}

type RunWithDocument = RunWithExperiment & { readonly document: string | null };

/** The same with the documents of those that are listed. */
export async function listRunRowsWithDocuments(
  reader: Reader,
  runIds: readonly string[],
): Promise<readonly RunWithDocument[]> {
  return inOrderOf(runIds, (await selectDocumentsIn(reader, { ids: JSON.stringify(runIds) })).rows);
}

function inOrderOf<Row extends RunWithExperiment>(runIds: readonly string[], rows: readonly Row[]): readonly Row[] {
  const byId = new Map(rows.map((row) => [row.run_id, row]));
  return runIds.flatMap((runId) => byId.get(runId) ?? []);
}

const selectRunsIn = prepareQuery<RunWithExperiment, { ids: string }>((reader, { ids }) =>
  selectRuns(reader).where(sql<boolean>`${inJsonList(reader, 'tracking_runs.run_id', ids)}`),
);
const selectDocumentsIn = prepareQuery<RunWithDocument, { ids: string }>((reader, { ids }) =>
  selectRuns(reader)
    .leftJoin('tracking_run_documents', 'tracking_run_documents.run_id', 'tracking_runs.run_id')
    .select('tracking_run_documents.document')
    .where(sql<boolean>`${inJsonList(reader, 'tracking_runs.run_id', ids)}`),
);

/** What to bring of runs: everything of a kind, what these keys name, or nothing. */
export interface RunFields {
  readonly metrics: 'all' | readonly string[];
  readonly params: 'all' | readonly string[];
  readonly tags: 'all' | readonly string[];
  /** Data sets and models that a run read or made. */
  readonly inputs: boolean;
}
export const allRunFields: RunFields = { metrics: 'all', params: 'all', tags: 'all', inputs: true };

/** Puts what was logged to runs, in a fixed number of queries. */
export async function toRuns(
  reader: Reader,
  rows: readonly RunWithExperiment[],
  fields: RunFields = allRunFields,
): Promise<Run[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.run_id);
  const metrics = await listLatestMetrics(reader, ids, fields.metrics);
  const params = await listKeyValues(reader, keyValueTables.runParams, ids, fields.params);
  const tags = await listKeyValues(reader, keyValueTables.runTags, ids, fields.tags);
  const datasets = fields.inputs ? await listInputs(reader, ids) : undefined;
  const models = fields.inputs ? await listRunModels(reader, ids) : undefined;
  return rows.map((row) => ({
    info: rowToRunInfo(row),
    metrics: metrics.get(row.run_id) ?? [],
    params: params.get(row.run_id) ?? [],
    tags: tags.get(row.run_id) ?? [],
    datasets: datasets?.get(row.run_id) ?? [],
    modelInputs: models?.get(row.run_id)?.inputs ?? [],
    modelOutputs: models?.get(row.run_id)?.outputs ?? [],
  }));
}

type RunParameters = Readonly<Record<keyof RunRow, string | number | null>>;
const insertRun = prepareQuery<never, RunParameters>((unit, row) =>
  unit.query<{ tracking_runs: RunParameters }>().insertInto('tracking_runs').values({
    run_id: row.run_id,
    project: row.project,
    experiment_key: row.experiment_key,
    name: row.name,
    status: row.status,
    user_id: row.user_id,
    start_ms: row.start_ms,
    end_ms: row.end_ms,
    lifecycle: row.lifecycle,
    deleted_ms: row.deleted_ms,
    artifact_uri: row.artifact_uri,
    parent_run_id: row.parent_run_id,
    created_by: row.created_by,
  }),
);

/** Rows in one statement: bounds its parameters. */
const rowsAtOnce = 200;

export async function insertRuns(unit: Unit, rows: readonly RunRow[]): Promise<void> {
  const [only] = rows;
  if (only !== undefined && rows.length === 1) {
    await insertRun(unit, { ...only });
    return;
  }
  const inserts: Promise<unknown>[] = [];
  for (let at = 0; at < rows.length; at += rowsAtOnce)
    inserts.push(
      unit
        .query<TrackingTables>()
        .insertInto('tracking_runs')
        .values(rows.slice(at, at + rowsAtOnce))
        .execute(),
    );
  await Promise.all(inserts);
}

/** Ends an active run; false when there is none, or it has ended. */
export async function endRun(
  unit: Unit,
  end: { readonly project: string; readonly runId: string; readonly status: RunStatus },
): Promise<boolean> {
  const { numUpdatedRows } = await unit
    .query<TrackingTables>()
    .updateTable('tracking_runs')
    .set({ status: end.status, end_ms: unit.nowMs })
    .where('tracking_runs.run_id', '=', end.runId)
    .where('tracking_runs.project', '=', end.project)
    .where('tracking_runs.lifecycle', '=', 'active')
    .where('tracking_runs.status', 'not in', endedStatuses)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

export async function updateRun(
  unit: Unit,
  runId: string,
  change: Partial<Pick<RunRow, 'name' | 'status' | 'end_ms' | 'lifecycle' | 'deleted_ms' | 'parent_run_id'>>,
): Promise<void> {
  await unit
    .query<TrackingTables>()
    .updateTable('tracking_runs')
    .set(change)
    .where('tracking_runs.run_id', '=', runId)
    .execute();
}

/** Some runs of an experiment that are in this state. */
export async function listRunIdsOfExperiment(
  reader: Reader,
  experimentKey: number,
  lifecycle: Lifecycle,
  limit: number,
): Promise<readonly string[]> {
  const rows = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_runs')
    .select('tracking_runs.run_id')
    .where('tracking_runs.experiment_key', '=', experimentKey)
    .where('tracking_runs.lifecycle', '=', lifecycle)
    .limit(limit)
    .execute();
  return rows.map((row) => row.run_id);
}

/** Deletes or restores those runs of an experiment that are in the other state. */
export async function updateRunsOfExperiment(
  unit: Unit,
  experimentKey: number,
  change: { readonly lifecycle: Lifecycle; readonly deletedMs: number | null },
  runIds: 'all' | readonly string[] = 'all',
): Promise<void> {
  await unit
    .query<TrackingTables>()
    .updateTable('tracking_runs')
    .set({ lifecycle: change.lifecycle, deleted_ms: change.deletedMs })
    .where('tracking_runs.experiment_key', '=', experimentKey)
    .where(sql<boolean>`tracking_runs.lifecycle <> ${change.lifecycle}`)
    .where(runIds === 'all' ? sql<boolean>`1 = 1` : inList(unit, 'tracking_runs.run_id', runIds))
    .execute();
}
