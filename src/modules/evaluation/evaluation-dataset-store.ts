import { compileFilter, compileOrdering, parseFilter, parseOrdering, type SearchSchema } from '#modules/tracking';
import type { Reader, Unit } from '#platform/database';
import { inList, parseJson } from '#platform/sql';
import type { EvaluationTables } from './evaluation-tables.ts';
import type { RecordSchema } from './record-rules.ts';

export interface EvaluationDataset {
  readonly datasetId: string;
  readonly project: string;
  readonly name: string;
  /** Changes with every change of the records. */
  readonly digest: string;
  /** Undefined before the first record. */
  readonly schema: RecordSchema | undefined;
  readonly recordCount: number;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly createdBy: string | undefined;
  readonly updatedBy: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly experimentIds: readonly string[];
}

export interface DatasetSearch {
  readonly project: string;
  /** Datasets of any of these experiments; none: of all. */
  readonly experimentIds: readonly string[];
  readonly filter?: string | undefined;
  readonly orderBy: readonly string[];
  readonly limit: number;
  readonly offset: number;
}

type DatasetRow = EvaluationTables['evaluation_datasets'];

const columns = [
  'evaluation_datasets.dataset_id',
  'evaluation_datasets.project',
  'evaluation_datasets.name',
  'evaluation_datasets.digest',
  'evaluation_datasets.schema_json',
  'evaluation_datasets.record_count',
  'evaluation_datasets.created_ms',
  'evaluation_datasets.updated_ms',
  'evaluation_datasets.created_by',
  'evaluation_datasets.updated_by',
] as const;

const searchSchema: SearchSchema = {
  key: 'evaluation_datasets.dataset_id',
  attributes: {
    name: { column: 'evaluation_datasets.name', type: 'text', lists: true },
    created_time: { column: 'evaluation_datasets.created_ms', type: 'number' },
    last_update_time: { column: 'evaluation_datasets.updated_ms', type: 'number' },
    created_by: { column: 'evaluation_datasets.created_by', type: 'text' },
    last_updated_by: { column: 'evaluation_datasets.updated_by', type: 'text' },
  },
  tags: { table: 'evaluation_dataset_tags', owner: 'dataset_id', key: 'tag_key', value: 'tag_value' },
};

function groupByDataset<Row extends { readonly dataset_id: string }>(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.dataset_id);
    if (group === undefined) groups.set(row.dataset_id, [row]);
    else group.push(row);
  }
  return groups;
}

/** Puts tags and experiments to datasets, in two queries however many there are. */
async function toDatasets(reader: Reader, rows: readonly DatasetRow[]): Promise<EvaluationDataset[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.dataset_id);
  const tags = await reader
    .query<EvaluationTables>()
    .selectFrom('evaluation_dataset_tags')
    .select([
      'evaluation_dataset_tags.dataset_id',
      'evaluation_dataset_tags.tag_key',
      'evaluation_dataset_tags.tag_value',
    ])
    .where(inList(reader, 'evaluation_dataset_tags.dataset_id', ids))
    .orderBy('evaluation_dataset_tags.tag_key')
    .execute();
  const experiments = await reader
    .query<EvaluationTables>()
    .selectFrom('evaluation_dataset_experiments')
    .select(['evaluation_dataset_experiments.dataset_id', 'evaluation_dataset_experiments.experiment_id'])
    .where(inList(reader, 'evaluation_dataset_experiments.dataset_id', ids))
    .orderBy('evaluation_dataset_experiments.experiment_id')
    .execute();
  const tagsOf = groupByDataset(tags);
  const experimentsOf = groupByDataset(experiments);
  return rows.map((row) => ({
    datasetId: row.dataset_id,
    project: row.project,
    name: row.name,
    digest: row.digest,
    schema: parseJson<RecordSchema>(row.schema_json),
    recordCount: row.record_count,
    createdMs: row.created_ms,
    updatedMs: row.updated_ms,
    createdBy: row.created_by ?? undefined,
    updatedBy: row.updated_by ?? undefined,
    tags: Object.fromEntries((tagsOf.get(row.dataset_id) ?? []).map(({ tag_key, tag_value }) => [tag_key, tag_value])),
    experimentIds: (experimentsOf.get(row.dataset_id) ?? []).map(({ experiment_id }) => experiment_id),
  }));
}

export async function findDataset(
  reader: Reader,
  project: string,
  datasetId: string,
): Promise<EvaluationDataset | undefined> {
  const row = await reader
    .query<EvaluationTables>()
    .selectFrom('evaluation_datasets')
    .select(columns)
    .where('evaluation_datasets.dataset_id', '=', datasetId)
    .where('evaluation_datasets.project', '=', project)
    .executeTakeFirst();
  return row && (await toDatasets(reader, [row]))[0];
}

/** The newest first unless ordered otherwise. */
export async function searchDatasets(
  reader: Reader,
  query: DatasetSearch,
): Promise<{ readonly items: readonly EvaluationDataset[]; readonly more: boolean }> {
  let select = reader
    .query<EvaluationTables>()
    .selectFrom('evaluation_datasets')
    .select(columns)
    .where('evaluation_datasets.project', '=', query.project)
    .where(compileFilter(reader, searchSchema, parseFilter(query.filter ?? '')));
  if (query.experimentIds.length > 0)
    select = select.where((datasets) =>
      datasets(
        'evaluation_datasets.dataset_id',
        'in',
        datasets
          .selectFrom('evaluation_dataset_experiments')
          .select('evaluation_dataset_experiments.dataset_id')
          .where(inList(reader, 'evaluation_dataset_experiments.experiment_id', query.experimentIds)),
      ),
    );
  for (const term of compileOrdering(reader, searchSchema, query.orderBy.map(parseOrdering)))
    select = select.orderBy(term as never);
  const rows = await select
    .orderBy('evaluation_datasets.created_ms', 'desc')
    .orderBy('evaluation_datasets.dataset_id', 'desc')
    .limit(query.limit + 1)
    .offset(query.offset)
    .execute();
  return { items: await toDatasets(reader, rows.slice(0, query.limit)), more: rows.length > query.limit };
}

export async function insertDataset(unit: Unit, dataset: EvaluationDataset): Promise<void> {
  await unit
    .query<EvaluationTables>()
    .insertInto('evaluation_datasets')
    .values({
      dataset_id: dataset.datasetId,
      project: dataset.project,
      name: dataset.name,
      digest: dataset.digest,
      schema_json: null,
      record_count: 0,
      created_ms: dataset.createdMs,
      updated_ms: dataset.updatedMs,
      created_by: dataset.createdBy ?? null,
      updated_by: dataset.updatedBy ?? null,
    })
    .execute();
}

export async function updateDataset(
  unit: Unit,
  datasetId: string,
  change: Partial<Pick<DatasetRow, 'digest' | 'schema_json' | 'record_count' | 'updated_ms' | 'updated_by'>>,
): Promise<void> {
  await unit
    .query<EvaluationTables>()
    .updateTable('evaluation_datasets')
    .set(change)
    .where('evaluation_datasets.dataset_id', '=', datasetId)
    .execute();
}

/** With its tags, experiments and records. */
export async function deleteDataset(unit: Unit, datasetId: string): Promise<void> {
  await unit
    .query<EvaluationTables>()
    .deleteFrom('evaluation_datasets')
    .where('evaluation_datasets.dataset_id', '=', datasetId)
    .execute();
}

/** Their values stay below the parameters that both databases allow. */
const rowsAtOnce = 500;

export async function putDatasetTags(
  unit: Unit,
  datasetId: string,
  tags: readonly { readonly key: string; readonly value: string }[],
): Promise<void> {
  // of equal keys the last counts: one statement changes no row twice
  const rows = [...new Map(tags.map(({ key, value }) => [key, value]))].map(([key, value]) => ({
    dataset_id: datasetId,
    tag_key: key,
    tag_value: value,
  }));
  for (let at = 0; at < rows.length; at += rowsAtOnce)
    await unit
      .query<EvaluationTables>()
      .insertInto('evaluation_dataset_tags')
      .values(rows.slice(at, at + rowsAtOnce))
      .onConflict((conflict) =>
        conflict
          .columns(['dataset_id', 'tag_key'])
          .doUpdateSet((row) => ({ tag_value: row.ref('excluded.tag_value') })),
      )
      .execute();
}

export async function deleteDatasetTag(unit: Unit, datasetId: string, key: string): Promise<void> {
  await unit
    .query<EvaluationTables>()
    .deleteFrom('evaluation_dataset_tags')
    .where('evaluation_dataset_tags.dataset_id', '=', datasetId)
    .where('evaluation_dataset_tags.tag_key', '=', key)
    .execute();
}

export async function addDatasetExperiments(
  unit: Unit,
  datasetId: string,
  experimentIds: readonly string[],
): Promise<void> {
  const rows = experimentIds.map((experimentId) => ({ dataset_id: datasetId, experiment_id: experimentId }));
  for (let at = 0; at < rows.length; at += rowsAtOnce)
    await unit
      .query<EvaluationTables>()
      .insertInto('evaluation_dataset_experiments')
      .values(rows.slice(at, at + rowsAtOnce))
      .onConflict((conflict) => conflict.columns(['dataset_id', 'experiment_id']).doNothing())
      .execute();
}

export async function removeDatasetExperiments(
  unit: Unit,
  datasetId: string,
  experimentIds: readonly string[],
): Promise<void> {
  await unit
    .query<EvaluationTables>()
    .deleteFrom('evaluation_dataset_experiments')
    .where('evaluation_dataset_experiments.dataset_id', '=', datasetId)
    .where(inList(unit, 'evaluation_dataset_experiments.experiment_id', experimentIds))
    .execute();
}
