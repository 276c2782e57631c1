import { sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import { jsonRows } from './json-rows-store.ts';
import { keyValueTables, listKeyValues } from './key-value-store.ts';
import { decodeValue, encodeValue } from './metric-value.ts';
import type { Lifecycle, LoggedModelRow, TrackingTables } from './tracking-tables.ts';
import type { LoggedModel, LoggedModelMetric, NewMetric } from './tracking-types.ts';

const modelColumns = [
  'tracking_logged_models.model_id',
  'tracking_logged_models.project',
  'tracking_logged_models.experiment_key',
  'tracking_logged_models.name',
  'tracking_logged_models.model_type',
  'tracking_logged_models.source_run_id',
  'tracking_logged_models.artifact_uri',
  'tracking_logged_models.status',
  'tracking_logged_models.status_message',
  'tracking_logged_models.created_ms',
  'tracking_logged_models.updated_ms',
  'tracking_logged_models.deleted_ms',
] as const;

export type LoggedModelWithExperiment = LoggedModelRow & { readonly experiment_id: number };

const selectModels = (reader: Reader) =>
  reader
    .query<TrackingTables>()
    .selectFrom('tracking_logged_models')
    .innerJoin('tracking_experiments', 'tracking_experiments.experiment_key', 'tracking_logged_models.experiment_key')
    .select([...modelColumns, 'tracking_experiments.experiment_id']);

/** Not one that is being purged: its row stays until all that it owns has gone. */
const isKept = sql<boolean>`not exists (select 1 from tracking_purge_items
  where tracking_purge_items.item_ref = 'logged-model:' || tracking_logged_models.model_id)`;

/** Which models a lifecycle means; undefined: both. */
export function modelsOfLifecycle(lifecycle: Lifecycle | undefined) {
  if (lifecycle === 'active') return sql<boolean>`tracking_logged_models.deleted_ms is null`;
  return lifecycle === undefined ? isKept : sql<boolean>`tracking_logged_models.deleted_ms is not null and ${isKept}`;
}

export function findLoggedModelRow(
  reader: Reader,
  project: string,
  modelId: string,
  lifecycle: Lifecycle | undefined,
): Promise<LoggedModelWithExperiment | undefined> {
  return selectModels(reader)
    .where('tracking_logged_models.model_id', '=', modelId)
    .where(modelsOfLifecycle(lifecycle))
    .where('tracking_logged_models.project', '=', project)
    .where('tracking_experiments.project', '=', project)
    .executeTakeFirst();
}

/** The name of a model, deleted or not; undefined when there is none, or when it is being purged. */
export function findAnyLoggedModel(
  reader: Reader,
  project: string,
  modelId: string,
): Promise<Pick<LoggedModelRow, 'name' | 'deleted_ms'> | undefined> {
  return reader
    .query<TrackingTables>()
    .selectFrom('tracking_logged_models')
    .innerJoin('tracking_experiments', 'tracking_experiments.experiment_key', 'tracking_logged_models.experiment_key')
    .select(['tracking_logged_models.name', 'tracking_logged_models.deleted_ms'])
    .where('tracking_logged_models.model_id', '=', modelId)
    .where('tracking_logged_models.project', '=', project)
    .where('tracking_experiments.project', '=', project)
    .where(isKept)
    .executeTakeFirst();
}

/** Which of these are logged models of the project, deleted ones among them. */
export async function knownLoggedModels(
  reader: Reader,
  project: string,
  modelIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_logged_models')
    .select('tracking_logged_models.model_id')
    .where('tracking_logged_models.project', '=', project)
    .where(inList(reader, 'tracking_logged_models.model_id', modelIds))
    .execute();
  return new Set(rows.map((row) => row.model_id));
}

/** In the order of their ids here; a search has said which. */
export async function listLoggedModelRows(
  reader: Reader,
  modelIds: readonly string[],
): Promise<LoggedModelWithExperiment[]> {
  const rows = await selectModels(reader)
    .where(inList(reader, 'tracking_logged_models.model_id', modelIds))
    .execute();
  const byId = new Map(rows.map((row) => [row.model_id, row]));
  return modelIds.flatMap((modelId) => byId.get(modelId) ?? []);
}

export async function toLoggedModels(
  reader: Reader,
  rows: readonly LoggedModelWithExperiment[],
): Promise<LoggedModel[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.model_id);
  const params = await listKeyValues(reader, keyValueTables.modelParams, ids);
  const tags = await listKeyValues(reader, keyValueTables.modelTags, ids);
  const metrics = await listModelMetrics(reader, ids);
  return rows.map((row) => ({
    modelId: row.model_id,
    project: row.project,
    experimentId: String(row.experiment_id),
    name: row.name,
    modelType: row.model_type,
    sourceRunId: row.source_run_id ?? undefined,
    artifactUri: row.artifact_uri,
    status: row.status,
    statusMessage: row.status_message,
    createdMs: row.created_ms,
    updatedMs: row.updated_ms,
    deletedMs: row.deleted_ms ?? undefined,
    params: params.get(row.model_id) ?? [],
    tags: tags.get(row.model_id) ?? [],
    metrics: metrics.get(row.model_id) ?? [],
  }));
}

export async function insertLoggedModel(unit: Unit, row: LoggedModelRow): Promise<void> {
  await unit.query<TrackingTables>().insertInto('tracking_logged_models').values(row).execute();
}

export async function updateLoggedModel(
  unit: Unit,
  modelId: string,
  change: Partial<Pick<LoggedModelRow, 'status' | 'status_message' | 'updated_ms' | 'deleted_ms'>>,
): Promise<void> {
  await unit
    .query<TrackingTables>()
    .updateTable('tracking_logged_models')
    .set(change)
    .where('tracking_logged_models.model_id', '=', modelId)
    .execute();
}

/** Points that were measured of a logged model, each with the run that measured it. */
export async function insertModelMetrics(unit: Unit, runId: string, metrics: readonly NewMetric[]): Promise<void> {
  const { columns, from } = jsonRows(
    unit,
    ['text', 'text', 'bigint', 'bigint', 'double precision', 'smallint', 'text', 'text'],
    metrics.map((metric) => [
      metric.modelId ?? '',
      metric.key,
      metric.timestampMs,
      metric.step,
      ...encodeValue(metric.value),
      metric.datasetName ?? '',
      metric.datasetDigest ?? '',
    ]),
  );
  await sql`insert into tracking_logged_model_metrics
      (run_id, model_id, metric_key, timestamp_ms, step, value, special, dataset_name, dataset_digest)
    select ${runId}, ${columns} from ${from} where true
    on conflict (model_id, metric_key, run_id, timestamp_ms, step, value, special) do nothing`.execute(
    unit.query<TrackingTables>(),
  );
}

/** Latest point by model, metric, data set and run. */
async function listModelMetrics(
  reader: Reader,
  modelIds: readonly string[],
): Promise<ReadonlyMap<string, readonly LoggedModelMetric[]>> {
  const rows = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_logged_model_metrics')
    .select([
      'tracking_logged_model_metrics.model_id',
      'tracking_logged_model_metrics.metric_key',
      'tracking_logged_model_metrics.run_id',
      'tracking_logged_model_metrics.timestamp_ms',
      'tracking_logged_model_metrics.step',
      'tracking_logged_model_metrics.value',
      'tracking_logged_model_metrics.special',
      'tracking_logged_model_metrics.dataset_name',
      'tracking_logged_model_metrics.dataset_digest',
    ])
    .where(inList(reader, 'tracking_logged_model_metrics.model_id', modelIds))
    .orderBy('tracking_logged_model_metrics.model_id')
    .orderBy('tracking_logged_model_metrics.metric_key')
    .orderBy('tracking_logged_model_metrics.step')
    .orderBy('tracking_logged_model_metrics.timestamp_ms')
    .orderBy('tracking_logged_model_metrics.value')
    .execute();
  const latest = new Map<string, Map<string, LoggedModelMetric>>();
  for (const row of rows) {
    const ofModel = latest.get(row.model_id) ?? new Map<string, LoggedModelMetric>();
    ofModel.set(JSON.stringify([row.metric_key, row.run_id, row.dataset_name, row.dataset_digest]), {
      key: row.metric_key,
      value: decodeValue(row.value, row.special),
      timestampMs: row.timestamp_ms,
      step: row.step,
      runId: row.run_id,
      datasetName: row.dataset_name,
      datasetDigest: row.dataset_digest,
    });
    latest.set(row.model_id, ofModel);
  }
  return new Map([...latest].map(([modelId, metrics]) => [modelId, [...metrics.values()]]));
}
