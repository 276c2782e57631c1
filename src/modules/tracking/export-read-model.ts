import { sql } from 'kysely';
import { toMetricNumber } from '#contracts/metric-number';
import type { ExperimentRecord, FileRecord, HistoryRecord, LoggedModelRecord, RunRecord } from '#contracts/transfer';
import type { Reader } from '#platform/database';
import { encodeCursor } from '#platform/sql';
import { experimentColumns, toExperiments } from './experiment-store.ts';
import { countPoints } from './import-store.ts';
import { listLoggedModelRows, toLoggedModels } from './logged-model-store.ts';
import { type HistoryPosition, listHistory } from './metric-history-store.ts';
import { listLatestMetrics } from './metric-store.ts';
import { encodeValue } from './metric-value.ts';
import { listRunRows, toRuns } from './run-store.ts';
import type { TrackingTables } from './tracking-tables.ts';
import type { Experiment, LoggedModel, Run } from './tracking-types.ts';

const experimentsAtOnce = 500;
const runsAtOnce = 200;
const modelsAtOnce = 200;
const filesAtOnce = 5_000;
/** Points of one answer, over all its metrics. */
const pointsAtOnce = 20_000;

type Cursor = readonly (string | number)[] | undefined;
export interface ExportPage<Item> {
  readonly items: Item[];
  readonly next?: string;
}

/** Bytes that are not in this server's own tree are told apart by their address. */
const keptAt = (uri: string) => (uri.startsWith('mlflow-artifacts:/') ? {} : { keptAt: uri });

export async function exportExperiments(
  reader: Reader,
  project: string,
  after: Cursor,
): Promise<ExportPage<ExperimentRecord>> {
  const rows = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_experiments')
    .select(experimentColumns)
    .where('tracking_experiments.project', '=', project)
    .where('tracking_experiments.experiment_id', '>', Number(after?.[0] ?? -1))
    .orderBy('tracking_experiments.experiment_id')
    .limit(experimentsAtOnce)
    .execute();
  const items = (await toExperiments(reader, rows)).map(toExperimentRecord);
  const last = rows.length === experimentsAtOnce ? rows.at(-1) : undefined;
  return { items, ...(last && { next: encodeCursor([last.experiment_id]) }) };
}

const toExperimentRecord = (experiment: Experiment): ExperimentRecord => ({
  id: experiment.experimentId,
  name: experiment.name,
  lifecycle: experiment.lifecycle,
  createdMs: experiment.createdMs,
  updatedMs: experiment.updatedMs,
  ...keptAt(experiment.artifactLocation),
  tags: [...experiment.tags],
});

interface ExportedRun {
  readonly run: RunRecord;
  readonly artifactUri: string;
  readonly points: number;
}

/** Runs of an experiment in order of their ids, deleted ones too. */
export async function exportRuns(
  reader: Reader,
  experimentKey: number,
  after: Cursor,
): Promise<ExportPage<ExportedRun>> {
  const { rows } = await sql<{ run_id: string; deleted_ms: number | null }>`
    select tracking_runs.run_id, tracking_runs.deleted_ms from tracking_runs
    where tracking_runs.experiment_key = ${experimentKey}
      and tracking_runs.run_id > ${String(after?.[0] ?? '')}
    order by tracking_runs.run_id limit ${runsAtOnce}`.execute(reader.query<TrackingTables>());
  const ids = rows.map(({ run_id }) => run_id);
  const runs = await toRuns(reader, await listRunRows(reader, ids));
  const points = await countPoints(reader, ids);
  const deleted = new Map(rows.map(({ run_id, deleted_ms }) => [run_id, deleted_ms ?? undefined]));
  const last = ids.length === runsAtOnce ? ids.at(-1) : undefined;
  return {
    items: runs.map((run) => ({
      run: toRunRecord(run, deleted.get(run.info.runId)),
      artifactUri: run.info.artifactUri,
      points: points.get(run.info.runId) ?? 0,
    })),
    ...(last !== undefined && { next: encodeCursor([last]) }),
  };
}

function toRunRecord({ info, params, tags, datasets, modelInputs, modelOutputs }: Run, deletedMs?: number): RunRecord {
  return {
    id: info.runId,
    experimentId: info.experimentId,
    name: info.name,
    status: info.status,
    user: info.userId,
    startMs: info.startMs,
    ...(info.endMs !== undefined && { endMs: info.endMs }),
    lifecycle: info.lifecycle,
    ...(deletedMs !== undefined && { deletedMs }),
    ...keptAt(info.artifactUri),
    params: [...params],
    tags: [...tags],
    datasets: datasets.map(({ schema, profile, tags: own, ...dataset }) => ({
      ...dataset,
      ...(schema !== undefined && { schema }),
      ...(profile !== undefined && { profile }),
      tags: [...own],
    })),
    modelInputs: [...modelInputs],
    modelOutputs: modelOutputs.map(({ modelId, step }) => ({ modelId, step })),
  };
}

/** Points of a run, metric by metric; a page may end within a metric. */
export async function exportHistories(
  reader: Reader,
  runId: string,
  after: Cursor,
): Promise<ExportPage<HistoryRecord>> {
  const keys = ((await listLatestMetrics(reader, [runId])).get(runId) ?? []).map(({ key }) => key);
  const [startKey, ...position] = after ?? [];
  const items: HistoryRecord[] = [];
  let room = pointsAtOnce;
  for (const key of startKey === undefined ? keys : keys.slice(keys.indexOf(String(startKey)))) {
    const from = key === startKey ? toPosition(position) : undefined;
    const points = await listHistory(reader, runId, key, { limit: room, ...(from && { after: from }) });
    room -= points.length;
    if (points.length > 0)
      items.push({
        runId,
        key,
        atMs: points.map(({ timestampMs }) => timestampMs),
        steps: points.map(({ step }) => step),
        values: points.map(({ value }) => toMetricNumber(value)),
      });
    const last = points.at(-1);
    if (room === 0 && last !== undefined)
      return { items, next: encodeCursor([key, last.timestampMs, last.step, ...encodeValue(last.value)]) };
  }
  return { items };
}

const toPosition = ([timestampMs, step, value, special]: readonly (string | number)[]): HistoryPosition => ({
  timestampMs: Number(timestampMs),
  step: Number(step),
  value: Number(value),
  special: Number(special),
});

/** Logged models of an experiment that were not deleted, in order of their ids. */
export async function exportLoggedModels(
  reader: Reader,
  experimentKey: number,
  after: Cursor,
): Promise<ExportPage<{ readonly model: LoggedModelRecord; readonly artifactUri: string }>> {
  const { rows } = await sql<{ model_id: string }>`
    select tracking_logged_models.model_id from tracking_logged_models
    where tracking_logged_models.experiment_key = ${experimentKey} and tracking_logged_models.deleted_ms is null
      and tracking_logged_models.model_id > ${String(after?.[0] ?? '')}
    order by tracking_logged_models.model_id limit ${modelsAtOnce}`.execute(reader.query<TrackingTables>());
  const ids = rows.map(({ model_id }) => model_id);
  const models = await toLoggedModels(reader, await listLoggedModelRows(reader, ids));
  const last = ids.length === modelsAtOnce ? ids.at(-1) : undefined;
  return {
    items: models.map((model) => ({ model: toModelRecord(model), artifactUri: model.artifactUri })),
    ...(last !== undefined && { next: encodeCursor([last]) }),
  };
}

const toModelRecord = (model: LoggedModel): LoggedModelRecord => ({
  id: model.modelId,
  experimentId: model.experimentId,
  name: model.name,
  type: model.modelType,
  ...(model.sourceRunId !== undefined && { sourceRunId: model.sourceRunId }),
  status: model.status,
  statusMessage: model.statusMessage,
  createdMs: model.createdMs,
  updatedMs: model.updatedMs,
  ...keptAt(model.artifactUri),
  params: [...model.params],
  tags: [...model.tags],
  metrics: model.metrics.map(({ timestampMs, value, ...metric }) => ({
    ...metric,
    atMs: timestampMs,
    value: toMetricNumber(value),
  })),
});

/** Every file below a folder, folder by folder. */
export async function exportFiles(
  reader: Reader,
  project: string,
  folder: string,
  after: Cursor,
): Promise<ExportPage<FileRecord>> {
  const [parent, name] = (after ?? []).map(String);
  const from =
    parent === undefined || name === undefined
      ? sql`true`
      : sql`(tracking_artifacts.parent, tracking_artifacts.name) > (${parent}, ${name})`;
  const { rows } = await sql<{ parent: string; name: string; sha256: string; size_bytes: number }>`
    with recursive folders (path) as (
      select cast(${folder} as text)
      union all
      select case when below.parent = '' then below.name else below.parent || '/' || below.name end
      from tracking_artifacts as below
      inner join folders on below.parent = folders.path
      where below.project = ${project} and below.is_folder = 1
    )
    select tracking_artifacts.parent, tracking_artifacts.name, tracking_artifacts.sha256, tracking_artifacts.size_bytes
    from folders inner join tracking_artifacts on tracking_artifacts.parent = folders.path
    where tracking_artifacts.project = ${project} and tracking_artifacts.sha256 is not null and ${from}
    order by tracking_artifacts.parent, tracking_artifacts.name limit ${filesAtOnce}`.execute(
    reader.query<TrackingTables>(),
  );
  const last = rows.length === filesAtOnce ? rows.at(-1) : undefined;
  return {
    items: rows.map((row) => ({
      path: row.parent === '' ? row.name : `${row.parent}/${row.name}`,
      sha256: row.sha256,
      sizeBytes: row.size_bytes,
    })),
    ...(last && { next: encodeCursor([last.parent, last.name]) }),
  };
}
