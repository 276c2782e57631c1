import type { DatasetInput, NewMetric } from '#modules/tracking';
import type { MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter, sendMlflowError } from './mlflow-errors.ts';
import { decodePageToken, nextPage } from './page-token.ts';
import { runIdOf } from './run-calls.ts';
import type { WireFields } from './wire-fields.ts';
import { list, toWireMetric } from './wire-views.ts';

const prefix = '/2.0/mlflow/runs';
const loggedModelsTag = 'mlflow.log-model.history';
const most = { metrics: 1000, params: 100, tags: 100, together: 1000, inputs: 1000 } as const;
const batchLimitBytes = 1_000_000;

function toMetric(fields: WireFields): NewMetric {
  return {
    key: fields.requiredText('key'),
    value: fields.requiredDouble('value'),
    timestampMs: fields.requiredInteger('timestamp'),
    step: fields.integer('step') ?? 0,
    modelId: fields.text('model_id'),
    datasetName: fields.text('dataset_name'),
    datasetDigest: fields.text('dataset_digest'),
  };
}

function requireAtMost(what: string, count: number, maximum: number): void {
  if (count > maximum)
    throw invalidParameter(
      `A batch logging request can contain at most ${maximum} ${what}. Got ${count} ${what}. Please split up ${what} across multiple requests and try again.`,
    );
}

function requireLength(text: string, what: string, maximum: number): string {
  if (text.length > maximum)
    throw invalidParameter(`'${what}' exceeds the maximum length of ${maximum} characters (it has ${text.length})`);
  return text;
}

function toDatasetInput(fields: WireFields): DatasetInput {
  const dataset = fields.message('dataset');
  if (dataset === undefined) throw fields.missing('dataset');
  const schema = dataset.text('schema');
  const profile = dataset.text('profile');
  return {
    name: requireLength(dataset.requiredName('name'), 'name', 500),
    digest: requireLength(dataset.requiredName('digest'), 'digest', 36),
    sourceType: dataset.requiredName('source_type'),
    source: requireLength(dataset.requiredText('source'), 'source', 65_535),
    ...(schema !== undefined && { schema: requireLength(schema, 'schema', 1_048_575) }),
    ...(profile !== undefined && { profile: requireLength(profile, 'profile', 16_777_215) }),
    tags: fields.pairs('tags'),
  };
}

export function loggingCalls({ database, tracking }: MlflowDeps): readonly MlflowCall[] {
  return [
    {
      method: 'POST',
      path: `${prefix}/log-metric`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const input = { project, runId: runIdOf(fields), metrics: [toMetric(fields)] };
        await database.write(context.write, (unit) => tracking.log(unit, input));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/log-parameter`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const param = { key: fields.requiredText('key'), value: fields.text('value') ?? '' };
        const input = { project, runId: runIdOf(fields), params: [param] };
        await database.write(context.write, (unit) => tracking.log(unit, input));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/set-tag`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const tag = { key: fields.requiredText('key'), value: fields.text('value') ?? '' };
        const input = { project, runId: runIdOf(fields), tags: [tag] };
        await database.write(context.write, (unit) => tracking.log(unit, input));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/delete-tag`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const input = { project, runId: runIdOf(fields), key: fields.requiredText('key') };
        await database.write(context.write, (unit) => tracking.deleteRunTag(unit, input));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/log-batch`,
      permission: 'write',
      handle: async ({ fields, project, context, request }) => {
        if (Number(request.headers['content-length'] ?? 0) > batchLimitBytes)
          throw invalidParameter(
            `Batched logging API requests must be at most ${batchLimitBytes} bytes. Got a request of size ${request.headers['content-length']}.`,
          );
        const input = {
          project,
          runId: runIdOf(fields),
          metrics: fields.messages('metrics').map(toMetric),
          params: fields.pairs('params'),
          tags: fields.pairs('tags'),
        };
        const { metrics, params, tags } = input;
        requireAtMost('metrics', metrics.length, most.metrics);
        requireAtMost('params', params.length, most.params);
        requireAtMost('tags', tags.length, most.tags);
        requireAtMost('metrics, params, and tags', metrics.length + params.length + tags.length, most.together);
        await database.write(context.write, (unit) => tracking.log(unit, input));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/log-inputs`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const datasets = fields.messages('datasets').map(toDatasetInput);
        const models = fields.messages('models').map((model) => ({ modelId: model.requiredName('model_id'), step: 0 }));
        requireAtMost('datasets', datasets.length, most.inputs);
        const input = { project, runId: runIdOf(fields), datasets, models };
        await database.write(context.write, (unit) => tracking.logInputs(unit, input));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/outputs`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const models = fields
          .messages('models')
          .map((model) => ({ modelId: model.requiredName('model_id'), step: model.integer('step') ?? 0 }));
        const input = { project, runId: runIdOf(fields), models };
        await database.write(context.write, (unit) => tracking.logOutputs(unit, input));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/log-model`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const runId = runIdOf(fields);
        const model = parseModel(fields.requiredText('model_json'));
        await database.write(context.write, async (unit) => {
          const run = await tracking.run(unit, project, runId);
          const history = run?.tags.find(({ key }) => key === loggedModelsTag)?.value ?? '[]';
          const models: unknown = JSON.parse(history);
          const value = JSON.stringify([...(Array.isArray(models) ? models : []), model]);
          await tracking.log(unit, { project, runId, tags: [{ key: loggedModelsTag, value }] });
        });
        return {};
      },
    },
    {
      method: 'GET',
      path: '/2.0/mlflow/metrics/get-history',
      permission: 'read',
      handle: async ({ fields, project, reply }) => {
        const runId = runIdOf(fields);
        const key = fields.requiredText('metric_key');
        const given = fields.integer('max_results');
        if (given !== undefined && given <= 0)
          return sendMlflowError(
            reply,
            'INVALID_PARAMETER_VALUE',
            `Invalid value ${given} for parameter 'max_results' supplied. It must be a positive integer`,
          );
        const offset = decodePageToken(fields.text('page_token'));
        const points = await tracking.metricHistory(database.read, {
          project,
          runId,
          key,
          offset,
          ...(given !== undefined && { limit: given + 1 }),
        });
        const page = given === undefined ? points : points.slice(0, given);
        return {
          ...list('metrics', page.map(toWireMetric)),
          ...nextPage(points.length > page.length, offset + page.length),
        };
      },
    },
  ];
}

function parseModel(text: string): unknown {
  try {
    const model: unknown = JSON.parse(text);
    if (typeof model === 'object' && model !== null) return model;
  } catch {
    // refused below, like a JSON text that is no object
  }
  throw invalidParameter(`Malformed model info. \n ${text.slice(0, 200)} \n is not a JSON object`);
}
