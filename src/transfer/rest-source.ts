import { toMetricNumber } from '#contracts/metric-number';
import type { HistoryRecord, RunRecord } from '#contracts/transfer';
import { isOddFolder, proxiedPathOf, whyOddFolder } from './artifact-path.ts';
import { countLeft } from './count-left.ts';
import { type Json, list, number, object, text, toPairs } from './json.ts';
import { toDataset } from './mlflow-dataset.ts';
import { itemsOf, pagesOf } from './mlflow-pages.ts';
import type { MlflowRest } from './mlflow-rest.ts';
import { createRestRegistry } from './rest-registry.ts';
import { createRestTraces } from './rest-traces.ts';
import { inParallel } from './send-files.ts';
import {
  type LeftBehind,
  pointsOfHistory,
  type Source,
  type SourceFile,
  type SourceModel,
  type SourceRun,
  withNameTag,
} from './source.ts';
import { openArtifacts } from './source-artifacts.ts';
import { createLeftLinks } from './source-links.ts';

/** Runs that are asked for one by one. */
const runsAtOnce = 8;

const statuses = ['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'] as const;
const modelStatuses = ['LOGGED_MODEL_PENDING', 'LOGGED_MODEL_READY', 'LOGGED_MODEL_UPLOAD_FAILED'] as const;

/** A number as MLflow writes it: JSON's, or the words of protobuf. */
const metricValue = (value: unknown) => {
  const found = Number(text(value));
  // its SQL store answers infinities as the greatest number
  if (Math.abs(found) >= 1.797693134862315e308)
    return toMetricNumber(found > 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY);
  return toMetricNumber(found);
};

/** A tracking server of MLflow, of any version, or whatever speaks its API. */
export function createRestSource(rest: MlflowRest): Source {
  const links = createLeftLinks();
  const metricKeys = new Map<string, readonly string[]>();

  async function* historyOf(runId: string, key: string): AsyncGenerator<HistoryRecord> {
    let open: HistoryRecord = { runId, key, atMs: [], steps: [], values: [] };
    for await (const point of itemsOf(rest, '/metrics/get-history', 'metrics', {
      run_id: runId,
      metric_key: key,
      max_results: 25_000,
    })) {
      if (open.values.length >= pointsOfHistory) {
        yield open;
        open = { runId, key, atMs: [], steps: [], values: [] };
      }
      open.atMs.push(number(point['timestamp']));
      open.steps.push(number(point['step']));
      open.values.push(metricValue(point['value']));
    }
    if (open.values.length > 0) yield open;
  }

  /** A search of MLflow's database leaves out which logged models a run has read: only the run itself tells. */
  async function withInputs(page: readonly Json[]): Promise<readonly Json[]> {
    const inputs = new Map<Json, unknown>();
    await inParallel(page, runsAtOnce, async (run) => {
      const whole = await rest.get('/runs/get', { run_id: text(object(run['info'])['run_id']) });
      inputs.set(run, object(whole['run'])['inputs']);
    });
    return page.map((run) => ({ ...run, inputs: inputs.get(run) }));
  }

  async function* filesBelow(root: string, below: string): AsyncGenerator<SourceFile> {
    const folder = below === '' ? root : `${root}/${below}`;
    const { files } = await rest.get('/api/2.0/mlflow-artifacts/artifacts', { path: folder });
    for (const file of list(files)) {
      const name = text(file['path']).split('/').at(-1) ?? '';
      const path = below === '' ? name : `${below}/${name}`;
      if (file['is_dir'] === true) yield* filesBelow(root, path);
      else yield { path, sizeBytes: number(file['file_size']), open: () => rest.download(`${root}/${path}`) };
    }
  }

  return {
    label: rest.label,

    async experiments() {
      const found = [];
      for await (const page of pagesOf(rest, '/experiments/search', 'experiments', {
        max_results: 1000,
        view_type: 'ALL',
      }))
        for (const experiment of page)
          found.push({
            record: {
              id: text(experiment['experiment_id']),
              name: text(experiment['name']),
              lifecycle: experiment['lifecycle_stage'] === 'deleted' ? ('deleted' as const) : ('active' as const),
              createdMs: number(experiment['creation_time']),
              updatedMs: number(experiment['last_update_time'] ?? experiment['creation_time']),
              tags: toPairs(experiment['tags']),
            },
            artifactUri: text(experiment['artifact_location']),
          });
      return found;
    },

    async *runs(experimentId) {
      const ofModels = { experiment_ids: [experimentId], max_results: 1 };
      const knowsModels = (await rest.tryPost('/logged-models/search', ofModels)) !== undefined;
      const query = { experiment_ids: [experimentId], run_view_type: 'ALL', max_results: 500 };
      for await (const page of pagesOf(rest, '/runs/search', 'runs', query))
        yield (knowsModels ? await withInputs(page) : page).map((found) => {
          const run = toRun(found);
          metricKeys.set(
            run.record.id,
            list(object(found['data'])['metrics']).map((metric) => text(metric['key'])),
          );
          return run;
        });
    },

    async *histories(runs) {
      for (const { record } of runs) {
        for (const key of metricKeys.get(record.id) ?? []) yield* historyOf(record.id, key);
        metricKeys.delete(record.id);
      }
    },

    async *loggedModels(experimentId) {
      const query = { experiment_ids: [experimentId], max_results: 50 };
      for await (const page of pagesOf(rest, '/logged-models/search', 'models', query)) yield page.map(toLoggedModel);
    },

    ...createRestTraces(rest),

    ...createRestRegistry(rest),

    async artifacts(uri, owner) {
      // a server beside this program may keep files in a folder that both see
      const root = proxiedPathOf(uri);
      if (root === undefined) return openArtifacts(uri, { owner, links });
      return isOddFolder(root) ? { keptAt: uri, why: whyOddFolder } : { files: filesBelow(root, '') };
    },

    leftBehind: async (): Promise<readonly LeftBehind[]> => [
      ...(await countLeft((path, query) => rest.tryGet(path, query), ['datasets', 'scorers', 'webhooks'])),
      { what: 'deleted logged models, which a server does not show', count: 0 },
      ...links.leftBehind(),
    ],
    close: async () => undefined,
  };
}

function toRun(found: Json): SourceRun {
  const [info, data] = [object(found['info']), object(found['data'])];
  const [inputs, outputs] = [object(found['inputs']), object(found['outputs'])];
  const tags = toPairs(data['tags']);
  const name = text(info['run_name']) || (tags.find(({ key }) => key === 'mlflow.runName')?.value ?? '');
  const isDeleted = info['lifecycle_stage'] === 'deleted';
  const record: RunRecord = {
    id: text(info['run_id'] ?? info['run_uuid']),
    experimentId: text(info['experiment_id']),
    name,
    status: statuses.find((status) => status === info['status']) ?? 'FINISHED',
    user: text(info['user_id']),
    startMs: number(info['start_time']),
    ...(number(info['end_time']) > 0 && { endMs: number(info['end_time']) }),
    lifecycle: isDeleted ? 'deleted' : 'active',
    params: toPairs(data['params']),
    tags: withNameTag(name, tags),
    datasets: list(inputs['dataset_inputs']).map((input) =>
      toDataset(object(input['dataset']), toPairs(input['tags'])),
    ),
    modelInputs: list(inputs['model_inputs']).map((input) => text(input['model_id'])),
    modelOutputs: list(outputs['model_outputs']).map((output) => ({
      modelId: text(output['model_id']),
      step: number(output['step']),
    })),
  };
  const metrics = list(data['metrics']);
  return {
    record,
    artifactUri: text(info['artifact_uri']),
    points: metrics.length === 0 ? 0 : undefined,
    hint: metrics.map(({ key, value, step, timestamp }) => [key, value, step, timestamp]),
  };
}

function toLoggedModel(found: Json): SourceModel {
  const [info, data] = [object(found['info']), object(found['data'])];
  const sourceRunId = text(info['source_run_id']);
  return {
    record: {
      id: text(info['model_id']),
      experimentId: text(info['experiment_id']),
      name: text(info['name']),
      type: text(info['model_type']),
      ...(sourceRunId !== '' && { sourceRunId }),
      status: modelStatuses.find((status) => status === info['status']) ?? 'LOGGED_MODEL_PENDING',
      statusMessage: text(info['status_message']),
      createdMs: number(info['creation_timestamp_ms']),
      updatedMs: number(info['last_updated_timestamp_ms']),
      params: toPairs(data['params']),
      tags: toPairs(info['tags']),
      metrics: list(data['metrics']).map((metric) => ({
        key: text(metric['key']),
        runId: text(metric['run_id']),
        atMs: number(metric['timestamp']),
        step: number(metric['step']),
        value: metricValue(metric['value']),
        datasetName: text(metric['dataset_name']),
        datasetDigest: text(metric['dataset_digest']),
      })),
    },
    artifactUri: text(info['artifact_uri']),
  };
}
