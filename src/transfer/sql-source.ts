import { toMetricNumber } from '#contracts/metric-number';
import type { HistoryRecord } from '#contracts/transfer';
import {
  type LeftBehind,
  pointsOfHistory,
  type Source,
  type SourceModel,
  type SourceRun,
  withNameTag,
} from './source.ts';
import { openArtifacts } from './source-artifacts.ts';
import { createLeftLinks } from './source-links.ts';
import type { Row, SqlConnection } from './sql-connection.ts';
import { createSqlRegistry } from './sql-registry.ts';
import { createSqlTables, groupBy, isDeleted, isTrue, number, optional, text, toPairs } from './sql-tables.ts';
import { createSqlTraces } from './sql-traces.ts';
import { TransferError } from './transfer-error.ts';

const runsAtOnce = 200;
const modelsAtOnce = 100;
/** Runs whose points are read by one statement have at most so many together, or there is one of them. */
const pointsAtOnce = 50_000;

const modelStatuses = [
  'LOGGED_MODEL_PENDING',
  'LOGGED_MODEL_PENDING',
  'LOGGED_MODEL_READY',
  'LOGGED_MODEL_UPLOAD_FAILED',
] as const;
const statuses = ['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'] as const;

/** Tables of MLflow that have no counterpart here yet, in words. */
const leftTables: Readonly<Record<string, string>> = {
  scorers: 'scorers',
  webhooks: 'webhooks',
  evaluation_datasets: 'evaluation datasets',
  label_schemas: 'label schemas',
  review_queues: 'review queues',
  issues: 'issues',
  endpoints: 'gateway endpoints',
  mcp_servers: 'MCP servers',
};

export interface SqlSourceOptions {
  /** Of MLflow's workspaces; default "default". */
  readonly workspace?: string | undefined;
  /** The folder behind `mlflow-artifacts:/`. */
  readonly artifactFolder?: string | undefined;
}

/** MLflow's database, of any age: columns that a version does not know yet are read as absent. */
export async function createSqlSource(connection: SqlConnection, options: SqlSourceOptions): Promise<Source> {
  const tables = await connection.tables();
  if (!tables.has('experiments') || !tables.has('runs')) {
    await connection.close();
    throw new TransferError(
      'SOURCE_UNREADABLE',
      'invalid',
      `${connection.label} is no database of MLflow: it has no table "runs"`,
    );
  }
  const links = createLeftLinks();
  const workspace = options.workspace ?? 'default';
  const sql = createSqlTables(connection, tables, workspace);
  const { select, rows, rowsOf, ofWorkspace, workspaceValue } = sql;
  const traces = createSqlTraces(connection, tables, sql);

  async function datasetsOf(runIds: readonly string[]) {
    const list = connection.inList('i.destination_id', runIds);
    const found = tables.has('inputs')
      ? await connection.all(
          `select i.destination_id as run_id, i.input_uuid, d.name, d.digest, d.dataset_source_type, d.dataset_source,
             d.dataset_schema, d.dataset_profile
           from inputs as i join datasets as d on d.dataset_uuid = i.source_id
           where i.source_type = 'DATASET' and i.destination_type = 'RUN' and ${list.sql} order by i.input_uuid`,
          [list.value],
        )
      : [];
    const tags = await rowsOf(
      'input_tags',
      'input_uuid',
      ['name', 'value'],
      found.map((row) => text(row['input_uuid'])),
      't.name',
    );
    const byRun = groupBy(found, (row) => text(row['run_id']));
    return (runId: string) =>
      (byRun.get(runId) ?? []).map((row) => ({
        name: text(row['name']),
        digest: text(row['digest']),
        sourceType: text(row['dataset_source_type']),
        source: text(row['dataset_source']),
        ...(row['dataset_schema'] !== null && { schema: text(row['dataset_schema']) }),
        ...(row['dataset_profile'] !== null && { profile: text(row['dataset_profile']) }),
        tags: toPairs(tags(text(row['input_uuid'])), 'name'),
      }));
  }

  async function modelsOfRuns(runIds: readonly string[]) {
    const found = await rowsOf(
      'inputs',
      'source_id',
      ['source_type', 'destination_type', 'destination_id', 'step'],
      runIds,
      't.destination_id',
    );
    return (runId: string) => ({
      modelInputs: found(runId)
        .filter((row) => row['source_type'] === 'RUN_INPUT')
        .map((row) => text(row['destination_id'])),
      modelOutputs: found(runId)
        .filter((row) => row['source_type'] === 'RUN_OUTPUT')
        .map((row) => ({ modelId: text(row['destination_id']), step: number(row['step']) })),
    });
  }

  async function toRuns(found: readonly Row[]): Promise<SourceRun[]> {
    const ids = found.map((row) => text(row['run_uuid']));
    const params = await rowsOf('params', 'run_uuid', ['key', 'value'], ids, 't.run_uuid, t.key');
    const tags = await rowsOf('tags', 'run_uuid', ['key', 'value'], ids, 't.run_uuid, t.key');
    const datasets = await datasetsOf(ids);
    const models = await modelsOfRuns(ids);
    const list = connection.inList('run_uuid', ids);
    const counts = new Map(
      (
        await connection.all(`select run_uuid, count(*) as points from metrics where ${list.sql} group by run_uuid`, [
          list.value,
        ])
      ).map((row) => [text(row['run_uuid']), number(row['points'])]),
    );
    return found.map((row): SourceRun => {
      const id = text(row['run_uuid']);
      const own = toPairs(tags(id));
      const name = text(row['name']) || (own.find(({ key }) => key === 'mlflow.runName')?.value ?? '');
      const points = counts.get(id) ?? 0;
      return {
        record: {
          id,
          experimentId: text(row['experiment_id']),
          name,
          status: statuses.find((status) => status === row['status']) ?? 'FINISHED',
          user: text(row['user_id']),
          startMs: number(row['start_time']),
          ...(row['end_time'] !== null && { endMs: number(row['end_time']) }),
          lifecycle: isDeleted(row) ? 'deleted' : 'active',
          ...(isDeleted(row) && row['deleted_time'] !== null && { deletedMs: number(row['deleted_time']) }),
          params: toPairs(params(id)),
          tags: withNameTag(name, own),
          datasets: datasets(id),
          ...models(id),
        },
        artifactUri: text(row['artifact_uri']),
        points,
        hint: points,
      };
    });
  }

  async function* historiesOf(runIds: readonly string[]): AsyncGenerator<HistoryRecord> {
    const list = connection.inList('run_uuid', runIds);
    let open: HistoryRecord | undefined;
    const statement = `select run_uuid, key, timestamp, step, value, is_nan from metrics where ${list.sql}
      order by run_uuid, key, timestamp, step`;
    for await (const page of connection.stream(statement, [list.value]))
      for (const row of page) {
        const [runId, key] = [text(row['run_uuid']), text(row['key'])];
        if (open?.runId !== runId || open.key !== key || open.values.length >= pointsOfHistory) {
          if (open !== undefined) yield open;
          open = { runId, key, atMs: [], steps: [], values: [] };
        }
        open.atMs.push(number(row['timestamp']));
        open.steps.push(number(row['step']));
        open.values.push(toMetricNumber(isTrue(row['is_nan']) ? Number.NaN : unclamp(number(row['value']))));
      }
    if (open !== undefined) yield open;
  }

  async function toModels(found: readonly Row[]): Promise<SourceModel[]> {
    const ids = found.map((row) => text(row['model_id']));
    const params = await rowsOf('logged_model_params', 'model_id', ['param_key', 'param_value'], ids, 't.param_key');
    const tags = await rowsOf('logged_model_tags', 'model_id', ['tag_key', 'tag_value'], ids, 't.tag_key');
    const metrics = await rowsOf(
      'logged_model_metrics',
      'model_id',
      ['metric_name', 'metric_timestamp_ms', 'metric_step', 'metric_value', 'run_id', 'dataset_name', 'dataset_digest'],
      ids,
      't.metric_name, t.metric_timestamp_ms',
    );
    return found.map((row): SourceModel => {
      const id = text(row['model_id']);
      const sourceRunId = optional(row['source_run_id']);
      return {
        record: {
          id,
          experimentId: text(row['experiment_id']),
          name: text(row['name']),
          type: text(row['model_type']),
          ...(sourceRunId !== undefined && { sourceRunId }),
          status: modelStatuses[number(row['status'])] ?? 'LOGGED_MODEL_PENDING',
          statusMessage: text(row['status_message']),
          createdMs: number(row['creation_timestamp_ms']),
          updatedMs: number(row['last_updated_timestamp_ms']),
          ...(isDeleted(row) && { deletedMs: number(row['last_updated_timestamp_ms']) }),
          params: toPairs(params(id), 'param_key', 'param_value'),
          tags: toPairs(tags(id), 'tag_key', 'tag_value'),
          metrics: metrics(id).map((metric) => ({
            key: text(metric['metric_name']),
            runId: text(metric['run_id']),
            atMs: number(metric['metric_timestamp_ms']),
            step: number(metric['metric_step']),
            value: toMetricNumber(
              metric['metric_value'] === null ? Number.NaN : unclamp(number(metric['metric_value'])),
            ),
            datasetName: text(metric['dataset_name']),
            datasetDigest: text(metric['dataset_digest']),
          })),
        },
        artifactUri: text(row['artifact_location']),
      };
    });
  }

  return {
    label: connection.label,

    async experiments() {
      const columns = [
        'experiment_id',
        'name',
        'artifact_location',
        'lifecycle_stage',
        'creation_time',
        'last_update_time',
      ];
      const found = await rows(
        select('experiments', columns, `where 1 = 1${ofWorkspace('experiments')} order by t.experiment_id`),
        workspaceValue('experiments'),
      );
      const tags = await rows(select('experiment_tags', ['experiment_id', 'key', 'value'], 'order by t.key'));
      return found.map((row) => ({
        record: {
          id: text(row['experiment_id']),
          name: text(row['name']),
          lifecycle: isDeleted(row) ? 'deleted' : 'active',
          createdMs: number(row['creation_time']),
          updatedMs: number(row['last_update_time'] ?? row['creation_time']),
          tags: toPairs(tags.filter((tag) => tag['experiment_id'] === row['experiment_id'])),
        },
        artifactUri: text(row['artifact_location']),
      }));
    },

    async *runs(experimentId) {
      const columns = ['run_uuid', 'experiment_id', 'name', 'user_id', 'status', 'start_time', 'end_time',
        'lifecycle_stage', 'artifact_uri', 'deleted_time']; // biome-ignore format: a list of columns
      for (let after = ''; ; ) {
        const found = await rows(
          select(
            'runs',
            columns,
            `where t.experiment_id = ? and t.run_uuid > ? order by t.run_uuid limit ${runsAtOnce}`,
          ),
          [Number(experimentId), after],
        );
        if (found.length > 0) yield await toRuns(found);
        if (found.length < runsAtOnce) return;
        after = text(found.at(-1)?.['run_uuid']);
      }
    },

    async *histories(runs) {
      let together: string[] = [];
      let points = 0;
      for (const run of runs) {
        if (run.points === 0) continue;
        if (together.length > 0 && points + (run.points ?? 0) > pointsAtOnce) {
          yield* historiesOf(together);
          [together, points] = [[], 0];
        }
        together.push(run.record.id);
        points += run.points ?? 0;
      }
      if (together.length > 0) yield* historiesOf(together);
    },

    async *loggedModels(experimentId) {
      const columns = ['model_id', 'experiment_id', 'name', 'artifact_location', 'creation_timestamp_ms',
        'last_updated_timestamp_ms', 'status', 'lifecycle_stage', 'model_type', 'source_run_id', 'status_message']; // biome-ignore format: a list of columns
      for (let after = ''; ; ) {
        const found = await rows(
          select(
            'logged_models',
            columns,
            `where t.experiment_id = ? and t.model_id > ? order by t.model_id limit ${modelsAtOnce}`,
          ),
          [Number(experimentId), after],
        );
        if (found.length > 0) yield await toModels(found);
        if (found.length < modelsAtOnce) return;
        after = text(found.at(-1)?.['model_id']);
      }
    },

    ...traces,

    ...createSqlRegistry(sql),

    artifacts: (uri, owner) => openArtifacts(uri, { owner, links, proxied: options.artifactFolder }),

    async leftBehind() {
      const left: LeftBehind[] = [];
      for (const [table, what] of Object.entries(leftTables)) {
        if (!tables.has(table)) continue;
        const live = tables.get(table)?.has('deleted_timestamp') === true ? ' where deleted_timestamp is null' : '';
        const [row] = await connection.all(`select count(*) as found from ${table}${live}`);
        if (number(row?.['found']) > 0) left.push({ what, count: number(row?.['found']) });
      }
      if (tables.get('experiments')?.has('workspace') === true) {
        const others = await connection.all(
          'select workspace, count(*) as found from experiments where workspace <> ? group by workspace',
          [workspace],
        );
        for (const row of others)
          left.push({
            what: `experiments of workspace "${text(row['workspace'])}" (--workspace)`,
            count: number(row['found']),
          });
      }
      return [...left, ...links.leftBehind()];
    },

    close: () => connection.close(),
  };
}

/** An infinity is the greatest number in MLflow's tables. */
function unclamp(value: number): number {
  if (value >= 1.797693134862315e308) return Number.POSITIVE_INFINITY;
  return value <= -1.797693134862315e308 ? Number.NEGATIVE_INFINITY : value;
}
