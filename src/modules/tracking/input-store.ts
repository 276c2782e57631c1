import { sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import { jsonRows } from './json-rows-store.ts';
import type { DatasetRow, TrackingTables } from './tracking-tables.ts';
import type { DatasetInput, ModelOutput, Tag } from './tracking-types.ts';

export async function findDatasetKey(
  unit: Unit,
  experimentKey: number,
  name: string,
  digest: string,
): Promise<string | undefined> {
  const row = await unit
    .query<TrackingTables>()
    .selectFrom('tracking_datasets')
    .select('tracking_datasets.dataset_key')
    .where('tracking_datasets.experiment_key', '=', experimentKey)
    .where('tracking_datasets.name', '=', name)
    .where('tracking_datasets.digest', '=', digest)
    .executeTakeFirst();
  return row?.dataset_key;
}

export async function insertDataset(unit: Unit, row: DatasetRow): Promise<void> {
  await unit.query<TrackingTables>().insertInto('tracking_datasets').values(row).execute();
}

/** Ties a data set to a run, once: the tags of the first time stay, as with MLflow, so that an evaluation does not rename what trained. */
export async function putInput(
  unit: Unit,
  runId: string,
  datasetKey: string,
  ordinal: number,
  tags: readonly Tag[],
): Promise<void> {
  const query = unit.query<TrackingTables>();
  const tied = await query
    .insertInto('tracking_inputs')
    .values({ run_id: runId, dataset_key: datasetKey, ordinal })
    .onConflict((conflict) => conflict.columns(['run_id', 'dataset_key']).doNothing())
    .returning('tracking_inputs.run_id')
    .executeTakeFirst();
  if (tied === undefined) return;
  const { columns, from } = jsonRows(unit, ['text', 'text'], [...new Map(tags.map(({ key, value }) => [key, value]))]);
  await sql`insert into tracking_input_tags (run_id, dataset_key, tag_key, tag_value)
    select ${runId}, ${datasetKey}, ${columns} from ${from}`.execute(query);
}

export async function listInputs(
  reader: Reader,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, readonly DatasetInput[]>> {
  const query = reader.query<TrackingTables>();
  const rows = await query
    .selectFrom('tracking_inputs')
    .innerJoin('tracking_datasets', 'tracking_datasets.dataset_key', 'tracking_inputs.dataset_key')
    .select([
      'tracking_inputs.run_id',
      'tracking_datasets.dataset_key',
      'tracking_datasets.name',
      'tracking_datasets.digest',
      'tracking_datasets.source_type',
      'tracking_datasets.source',
      'tracking_datasets.schema_json',
      'tracking_datasets.profile_json',
    ])
    .where(inList(reader, 'tracking_inputs.run_id', runIds))
    .orderBy('tracking_inputs.run_id')
    .orderBy('tracking_inputs.ordinal')
    .execute();
  if (rows.length === 0) return new Map();
  const tagRows = await query
    .selectFrom('tracking_input_tags')
    .select([
      'tracking_input_tags.run_id',
      'tracking_input_tags.dataset_key',
      'tracking_input_tags.tag_key',
      'tracking_input_tags.tag_value',
    ])
    .where(inList(reader, 'tracking_input_tags.run_id', runIds))
    .orderBy('tracking_input_tags.tag_key')
    .execute();
  const tags = new Map<string, Tag[]>();
  for (const row of tagRows) {
    const key = `${row.run_id} ${row.dataset_key}`;
    const list = tags.get(key) ?? [];
    list.push({ key: row.tag_key, value: row.tag_value });
    tags.set(key, list);
  }
  const inputs = new Map<string, DatasetInput[]>();
  for (const row of rows) {
    const list = inputs.get(row.run_id) ?? [];
    list.push({
      name: row.name,
      digest: row.digest,
      sourceType: row.source_type,
      source: row.source,
      schema: row.schema_json ?? undefined,
      profile: row.profile_json ?? undefined,
      tags: tags.get(`${row.run_id} ${row.dataset_key}`) ?? [],
    });
    inputs.set(row.run_id, list);
  }
  return inputs;
}

/** Says which logged models a run read or made. */
export async function putRunModels(
  unit: Unit,
  runId: string,
  direction: 'input' | 'output',
  models: readonly ModelOutput[],
): Promise<void> {
  const last = [...new Map(models.map((model) => [model.modelId, model])).values()];
  const { columns, from } = jsonRows(
    unit,
    ['text', 'bigint'],
    last.map(({ modelId, step }) => [modelId, step]),
  );
  await sql`insert into tracking_run_models (run_id, direction, model_id, step)
    select ${runId}, ${direction}, ${columns} from ${from} where true
    on conflict (run_id, direction, model_id) do update set step = excluded.step`.execute(unit.query<TrackingTables>());
}

export async function listRunModels(
  reader: Reader,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, { readonly inputs: readonly string[]; readonly outputs: readonly ModelOutput[] }>> {
  const rows = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_run_models')
    .select([
      'tracking_run_models.run_id',
      'tracking_run_models.direction',
      'tracking_run_models.model_id',
      'tracking_run_models.step',
    ])
    .where(inList(reader, 'tracking_run_models.run_id', runIds))
    .orderBy('tracking_run_models.run_id')
    .orderBy('tracking_run_models.step')
    .orderBy('tracking_run_models.model_id')
    .execute();
  const models = new Map<string, { inputs: string[]; outputs: ModelOutput[] }>();
  for (const row of rows) {
    const entry = models.get(row.run_id) ?? { inputs: [], outputs: [] };
    if (row.direction === 'input') entry.inputs.push(row.model_id);
    else entry.outputs.push({ modelId: row.model_id, step: row.step });
    models.set(row.run_id, entry);
  }
  return models;
}

/** A data set as runs of an experiment used it: once for each context. */
export interface DatasetSummary {
  readonly experimentId: string;
  readonly name: string;
  readonly digest: string;
  readonly context: string | undefined;
}

const mostSummaries = 1000;

export async function listDatasetSummaries(
  reader: Reader,
  experimentKeys: readonly number[],
): Promise<readonly DatasetSummary[]> {
  const rows = await reader
    .query<TrackingTables>()
    .selectFrom('tracking_datasets')
    .innerJoin('tracking_experiments', 'tracking_experiments.experiment_key', 'tracking_datasets.experiment_key')
    .innerJoin('tracking_inputs', 'tracking_inputs.dataset_key', 'tracking_datasets.dataset_key')
    .leftJoin('tracking_input_tags', (join) =>
      join
        .onRef('tracking_input_tags.run_id', '=', 'tracking_inputs.run_id')
        .onRef('tracking_input_tags.dataset_key', '=', 'tracking_inputs.dataset_key')
        .on('tracking_input_tags.tag_key', '=', 'mlflow.data.context'),
    )
    .select([
      'tracking_experiments.experiment_id',
      'tracking_datasets.name',
      'tracking_datasets.digest',
      'tracking_input_tags.tag_value',
    ])
    .distinct()
    .where(inList(reader, 'tracking_datasets.experiment_key', experimentKeys))
    .orderBy('tracking_datasets.name')
    .orderBy('tracking_datasets.digest')
    .limit(mostSummaries)
    .execute();
  return rows.map((row) => ({
    experimentId: String(row.experiment_id),
    name: row.name,
    digest: row.digest,
    context: row.tag_value ?? undefined,
  }));
}
