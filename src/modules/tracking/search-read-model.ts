import { sql } from 'kysely';
import type { Reader } from '#platform/database';
import { inList } from '#platform/sql';
import { findAnyExperimentRow, parseExperimentId } from './experiment-service.ts';
import { experimentColumns, listActiveExperiments, listExperimentRows, toExperiments } from './experiment-store.ts';
import { type DatasetSummary, listDatasetSummaries } from './input-store.ts';
import { listLoggedModelRows, modelsOfLifecycle, toLoggedModels } from './logged-model-store.ts';
import { special } from './metric-value.ts';
import { type Ordering, parseFilter, parseOrdering } from './search-grammar.ts';
import { byBytes, compileFilter, compileOrdering, groupOf, type SearchSchema } from './search-store.ts';
import type { Lifecycle, LoggedModelStatus, TrackingTables } from './tracking-tables.ts';
import type { Experiment, LoggedModel } from './tracking-types.ts';

export interface SearchPage {
  /** The grammar is in search-grammar.ts. */
  readonly filter?: string | undefined;
  /** `metrics.auc DESC`, the first counts most. */
  readonly orderBy?: readonly string[];
  readonly limit: number;
  readonly offset?: number | undefined;
}

export interface Found<Item> {
  readonly items: readonly Item[];
  /** More follow after `offset + items.length`. */
  readonly more: boolean;
}

const text = (column: string) => ({ column, type: 'text' }) as const;
const number = (column: string) => ({ column, type: 'number' }) as const;
const listed = (column: string) => ({ column, type: 'text', lists: true }) as const;

const experimentSchema: SearchSchema = {
  key: 'tracking_experiments.experiment_key',
  attributes: {
    name: text('tracking_experiments.name'),
    experiment_id: { column: 'tracking_experiments.experiment_id', type: 'id', lists: true },
    creation_time: number('tracking_experiments.created_ms'),
    last_update_time: number('tracking_experiments.updated_ms'),
  },
  tags: { table: 'tracking_experiment_tags', owner: 'experiment_key', key: 'tag_key', value: 'tag_value' },
};

const loggedModelSchema: SearchSchema = {
  key: 'tracking_logged_models.model_id',
  attributes: {
    name: listed('tracking_logged_models.name'),
    model_id: listed('tracking_logged_models.model_id'),
    model_type: listed('tracking_logged_models.model_type'),
    status: { ...listed('tracking_logged_models.status'), toStored: toModelStatus },
    source_run_id: listed('tracking_logged_models.source_run_id'),
    artifact_location: listed('tracking_logged_models.artifact_uri'),
    creation_timestamp: number('tracking_logged_models.created_ms'),
    creation_timestamp_ms: number('tracking_logged_models.created_ms'),
    creation_time: number('tracking_logged_models.created_ms'),
    last_updated_timestamp: number('tracking_logged_models.updated_ms'),
    last_updated_timestamp_ms: number('tracking_logged_models.updated_ms'),
  },
  metrics: { table: 'tracking_logged_model_metrics', owner: 'model_id' },
  params: { table: 'tracking_logged_model_params', owner: 'model_id', key: 'param_key', value: 'param_value' },
  tags: { table: 'tracking_logged_model_tags', owner: 'model_id', key: 'tag_key', value: 'tag_value' },
  lists: true,
};

const modelStatuses: Readonly<Record<string, LoggedModelStatus>> = {
  PENDING: 'LOGGED_MODEL_PENDING',
  READY: 'LOGGED_MODEL_READY',
  FAILED: 'LOGGED_MODEL_UPLOAD_FAILED',
  UPLOAD_FAILED: 'LOGGED_MODEL_UPLOAD_FAILED',
};

/** Clients of Python say READY, those of REST LOGGED_MODEL_READY. */
function toModelStatus(said: string): string {
  return Object.hasOwn(modelStatuses, said) ? (modelStatuses[said] ?? said) : said;
}

const split = <Row>(rows: readonly Row[], limit: number) => ({ page: rows.slice(0, limit), more: rows.length > limit });

/** Experiments a search may look into, by internal key. */
async function keysOf(reader: Reader, project: string, experimentIds: readonly string[]): Promise<number[]> {
  const ids = experimentIds.flatMap((id) => parseExperimentId(id) ?? []);
  return (await listExperimentRows(reader, project, ids)).map((row) => row.experiment_key);
}

/** Experiments of a project, the newest first unless ordered otherwise. */
export async function searchExperiments(
  reader: Reader,
  query: SearchPage & { readonly project: string; readonly lifecycle?: Lifecycle | undefined },
): Promise<Found<Experiment>> {
  const condition = compileFilter(reader, experimentSchema, parseFilter(query.filter ?? ''));
  let select = reader
    .query<TrackingTables>()
    .selectFrom('tracking_experiments')
    .select(experimentColumns)
    .where('tracking_experiments.project', '=', query.project)
    .where(condition);
  if (query.lifecycle !== undefined) select = select.where('tracking_experiments.lifecycle', '=', query.lifecycle);
  for (const term of compileOrdering(reader, experimentSchema, (query.orderBy ?? []).map(parseOrdering)))
    select = select.orderBy(term as never);
  const rows = await select
    .orderBy('tracking_experiments.created_ms', 'desc')
    .orderBy('tracking_experiments.experiment_id', 'desc')
    .limit(query.limit + 1)
    .offset(query.offset ?? 0)
    .execute();
  const { page, more } = split(rows, query.limit);
  if (rows.length === 0 && !query.filter && !query.offset && query.lifecycle !== 'deleted') {
    const unwritten = await findAnyExperimentRow(reader, query.project, '0');
    // a project that nobody has written to has its experiment 0 all the same
    return { items: await toExperiments(reader, unwritten?.lifecycle === 'active' ? [unwritten] : []), more: false };
  }
  return { items: await toExperiments(reader, page), more };
}

/** Data sets that runs of some experiments used, a thousand at most. */
export async function datasetSummaries(
  reader: Reader,
  { project, experimentIds }: { readonly project: string; readonly experimentIds: readonly string[] },
): Promise<readonly DatasetSummary[]> {
  return listDatasetSummaries(reader, await keysOf(reader, project, experimentIds));
}

interface DatasetName {
  readonly name?: string | undefined;
  /** Undefined: whatever its content. */
  readonly digest?: string | undefined;
}

export interface LoggedModelQuery extends Omit<SearchPage, 'orderBy'> {
  readonly project: string;
  /** Undefined: all that are active. */
  readonly experimentIds: readonly string[] | undefined;
  readonly lifecycle: Lifecycle | undefined;
  /** Only models measured on one of these; comparisons with metrics look at what was measured there alone. */
  readonly datasets?: readonly (DatasetName & { readonly name: string })[];
  /** A metric's latest point counts, of what was measured on `dataset` when one is named. */
  readonly orderBy?: readonly (Ordering & { readonly dataset?: DatasetName | undefined })[];
  /** Only what comes after this one, the newest first: with no order of one's own. */
  readonly after?: { readonly createdMs: number; readonly modelId: string } | undefined;
}

const isOn = ({ name, digest }: DatasetName) =>
  sql`(${sql.join(
    [
      sql`1 = 1`,
      ...(name === undefined ? [] : [sql`tracking_logged_model_metrics.dataset_name = ${name}`]),
      ...(digest === undefined ? [] : [sql`tracking_logged_model_metrics.dataset_digest = ${digest}`]),
    ],
    sql` and `,
  )})`;

function orderByMetric({ key, descending, dataset = {} }: Ordering & { readonly dataset?: DatasetName | undefined }) {
  const latest = (column: string) => sql`(select ${sql.ref(`tracking_logged_model_metrics.${column}`)}
    from tracking_logged_model_metrics
    where tracking_logged_model_metrics.model_id = tracking_logged_models.model_id
      and tracking_logged_model_metrics.metric_key = ${key} and ${isOn(dataset)}
    order by tracking_logged_model_metrics.timestamp_ms desc, tracking_logged_model_metrics.step desc,
      tracking_logged_model_metrics.run_id limit 1)`;
  const kind = latest('special');
  return [
    sql`case when ${kind} is null then 2 when ${kind} = ${sql.lit(special.nan)} then 1 else 0 end`,
    sql`${latest('value')} ${sql.raw(descending ? 'desc' : 'asc')} nulls last`,
  ];
}

/** After the last of a page, in the order in which models are found that are not ordered otherwise. */
function isAfter(reader: Reader, after: LoggedModelQuery['after']) {
  if (after === undefined) return sql<boolean>`1 = 1`;
  const { createdMs, modelId } = after;
  return sql<boolean>`(tracking_logged_models.created_ms <= ${createdMs} and not (
    tracking_logged_models.created_ms = ${createdMs} and ${byBytes(reader, 'tracking_logged_models.model_id')} <= ${modelId}))`;
}

/** Logged models of some experiments, the newest first unless ordered otherwise. */
export async function searchLoggedModels(reader: Reader, query: LoggedModelQuery): Promise<Found<LoggedModel>> {
  const { datasets = [], orderBy = [] } = query;
  const isMeasured = datasets.length === 0 ? sql`1 = 1` : sql`(${sql.join(datasets.map(isOn), sql` or `)})`;
  const schema: SearchSchema = {
    ...loggedModelSchema,
    metrics: { table: 'tracking_logged_model_metrics', owner: 'model_id', condition: isMeasured },
  };
  const comparisons = parseFilter(query.filter ?? '');
  const condition = compileFilter(reader, schema, comparisons);
  const order = orderBy.flatMap((one) =>
    groupOf(schema, one) === 'metric' ? orderByMetric(one) : compileOrdering(reader, schema, [one]),
  );
  const keys =
    query.experimentIds === undefined
      ? (await listActiveExperiments(reader, query.project)).map((row) => row.experiment_key)
      : await keysOf(reader, query.project, query.experimentIds);
  if (keys.length === 0) return { items: [], more: false };
  let select = reader
    .query<TrackingTables>()
    .selectFrom('tracking_logged_models')
    .select('tracking_logged_models.model_id')
    .where(inList(reader, 'tracking_logged_models.experiment_key', keys))
    .where(modelsOfLifecycle(query.lifecycle))
    .where(isAfter(reader, query.after))
    .where(condition);
  if (datasets.length > 0)
    select = select.where(sql<boolean>`exists (select 1 from tracking_logged_model_metrics
      where tracking_logged_model_metrics.model_id = tracking_logged_models.model_id and ${isMeasured})`);
  for (const term of order) select = select.orderBy(term as never);
  const rows = await select
    .orderBy('tracking_logged_models.created_ms', 'desc')
    .orderBy(byBytes(reader, 'tracking_logged_models.model_id') as never)
    .limit(query.limit + 1)
    .offset(query.offset ?? 0)
    .execute();
  const { page, more } = split(rows, query.limit);
  const full = await listLoggedModelRows(
    reader,
    page.map((row) => row.model_id),
  );
  return { items: await toLoggedModels(reader, full), more };
}
