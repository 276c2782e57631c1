import { sql } from 'kysely';
import type { Reader } from '#platform/database';
import { inList } from '#platform/sql';
import { findAnyExperimentRow, parseExperimentId } from './experiment-service.ts';
import { experimentColumns, listExperimentRows, toExperiments } from './experiment-store.ts';
import { listLoggedModelRows, toLoggedModels } from './logged-model-store.ts';
import { listRunRows, toRuns } from './run-store.ts';
import { parseFilter, parseOrdering } from './search-grammar.ts';
import { compileFilter, compileOrdering, type SearchSchema } from './search-store.ts';
import type { Lifecycle, TrackingTables } from './tracking-tables.ts';
import type { Experiment, LoggedModel, Run } from './tracking-types.ts';

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

const runSchema: SearchSchema = {
  key: 'tracking_runs.run_id',
  attributes: {
    run_id: listed('tracking_runs.run_id'),
    run_name: text('tracking_runs.name'),
    'run name': text('tracking_runs.name'),
    'Run name': text('tracking_runs.name'),
    'Run Name': text('tracking_runs.name'),
    status: text('tracking_runs.status'),
    artifact_uri: text('tracking_runs.artifact_uri'),
    user_id: text('tracking_runs.user_id'),
    start_time: number('tracking_runs.start_ms'),
    created: number('tracking_runs.start_ms'),
    Created: number('tracking_runs.start_ms'),
    end_time: number('tracking_runs.end_ms'),
  },
  metrics: { table: 'tracking_latest_metrics', owner: 'run_id' },
  params: { table: 'tracking_params', owner: 'run_id', key: 'param_key', value: 'param_value' },
  tags: { table: 'tracking_run_tags', owner: 'run_id', key: 'tag_key', value: 'tag_value' },
  datasets: true,
};

const experimentSchema: SearchSchema = {
  key: 'tracking_experiments.experiment_key',
  attributes: {
    name: text('tracking_experiments.name'),
    experiment_id: number('tracking_experiments.experiment_id'),
    creation_time: number('tracking_experiments.created_ms'),
    last_update_time: number('tracking_experiments.updated_ms'),
  },
  tags: { table: 'tracking_experiment_tags', owner: 'experiment_key', key: 'tag_key', value: 'tag_value' },
};

const loggedModelSchema: SearchSchema = {
  key: 'tracking_logged_models.model_id',
  attributes: {
    name: text('tracking_logged_models.name'),
    model_id: text('tracking_logged_models.model_id'),
    model_type: text('tracking_logged_models.model_type'),
    status: text('tracking_logged_models.status'),
    source_run_id: text('tracking_logged_models.source_run_id'),
    creation_timestamp: number('tracking_logged_models.created_ms'),
    creation_time: number('tracking_logged_models.created_ms'),
    last_updated_timestamp: number('tracking_logged_models.updated_ms'),
  },
  metrics: { table: 'tracking_logged_model_metrics', owner: 'model_id' },
  params: { table: 'tracking_logged_model_params', owner: 'model_id', key: 'param_key', value: 'param_value' },
  tags: { table: 'tracking_logged_model_tags', owner: 'model_id', key: 'tag_key', value: 'tag_value' },
};

const split = <Row>(rows: readonly Row[], limit: number) => ({ page: rows.slice(0, limit), more: rows.length > limit });

/** Experiments a search may look into, by internal key. */
async function keysOf(reader: Reader, project: string, experimentIds: readonly string[]): Promise<number[]> {
  const ids = experimentIds.flatMap((id) => parseExperimentId(id) ?? []);
  return (await listExperimentRows(reader, project, ids)).map((row) => row.experiment_key);
}

/** Runs of some experiments with everything logged to them; the newest first unless ordered otherwise. */
export async function searchRuns(
  reader: Reader,
  query: SearchPage & {
    readonly project: string;
    readonly experimentIds: readonly string[];
    /** Undefined: both. */
    readonly lifecycle?: Lifecycle | undefined;
  },
): Promise<Found<Run>> {
  const condition = compileFilter(reader, runSchema, parseFilter(query.filter ?? ''));
  const order = compileOrdering(runSchema, (query.orderBy ?? []).map(parseOrdering));
  const keys = await keysOf(reader, query.project, query.experimentIds);
  if (keys.length === 0) return { items: [], more: false };
  let select = reader
    .query<TrackingTables>()
    .selectFrom('tracking_runs')
    .select('tracking_runs.run_id')
    .where(inList(reader, 'tracking_runs.experiment_key', keys))
    .where(condition);
  if (query.lifecycle !== undefined) select = select.where('tracking_runs.lifecycle', '=', query.lifecycle);
  for (const term of order) select = select.orderBy(term as never);
  const rows = await select
    .orderBy('tracking_runs.start_ms', 'desc')
    .orderBy('tracking_runs.run_id')
    .limit(query.limit + 1)
    .offset(query.offset ?? 0)
    .execute();
  const { page, more } = split(rows, query.limit);
  const full = await listRunRows(
    reader,
    page.map((row) => row.run_id),
  );
  return { items: await toRuns(reader, full), more };
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
  for (const term of compileOrdering(experimentSchema, (query.orderBy ?? []).map(parseOrdering)))
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

/** Logged models of some experiments, the newest first unless ordered otherwise. */
export async function searchLoggedModels(
  reader: Reader,
  query: SearchPage & { readonly project: string; readonly experimentIds: readonly string[] },
): Promise<Found<LoggedModel>> {
  const condition = compileFilter(reader, loggedModelSchema, parseFilter(query.filter ?? ''));
  const order = compileOrdering(loggedModelSchema, (query.orderBy ?? []).map(parseOrdering));
  const keys = await keysOf(reader, query.project, query.experimentIds);
  if (keys.length === 0) return { items: [], more: false };
  let select = reader
    .query<TrackingTables>()
    .selectFrom('tracking_logged_models')
    .select('tracking_logged_models.model_id')
    .where(inList(reader, 'tracking_logged_models.experiment_key', keys))
    .where('tracking_logged_models.deleted_ms', 'is', null)
    .where(condition);
  for (const term of order) select = select.orderBy(term as never);
  const rows = await select
    .orderBy('tracking_logged_models.created_ms', 'desc')
    .orderBy(sql`tracking_logged_models.model_id`)
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
