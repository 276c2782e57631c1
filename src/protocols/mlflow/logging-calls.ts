import type { DatasetInput, NewMetric } from '#modules/tracking';
import type { MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter } from './mlflow-errors.ts';
import { runIdOf } from './run-calls.ts';
import type { WireFields } from './wire-fields.ts';

const prefix = '/2.0/mlflow/runs';
const modelFields = ['artifact_path', 'flavors', 'run_id', 'utc_time_created'];
const most = { metrics: 1000, params: 100, tags: 100, together: 1000, inputs: 1000 } as const;

function toMetric(fields: WireFields): NewMetric {
  return {
    key: fields.requiredName('key'),
    value: fields.requiredDouble('value'),
    timestampMs: fields.requiredInteger('timestamp'),
    step: fields.integer('step') ?? 0,
    modelId: fields.text('model_id'),
    ...datasetOf(fields),
  };
}

/** The data set that a metric was measured on: by name and digest, or not at all. */
function datasetOf(fields: WireFields) {
  const datasetName = fields.text('dataset_name') || undefined;
  const datasetDigest = fields.text('dataset_digest') || undefined;
  if ((datasetName === undefined) !== (datasetDigest === undefined))
    throw invalidParameter('Both dataset_name and dataset_digest must be provided if one is provided');
  return { datasetName, datasetDigest };
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
        const param = { key: fields.requiredName('key'), value: fields.text('value') ?? '' };
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
        const tag = { key: fields.requiredName('key'), value: fields.text('value') ?? '' };
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
        const input = { project, runId: runIdOf(fields), key: fields.requiredName('key') };
        await database.write(context.write, (unit) => tracking.deleteRunTag(unit, input));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/log-batch`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
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
          .requiredMessages('models')
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
        const input = { project, runId: runIdOf(fields), model: parseModel(fields.requiredName('model_json')) };
        await database.write(context.write, (unit) => tracking.noteModel(unit, input));
        return {};
      },
    },
  ];
}

/** What old clients note of a model that they logged. */
function parseModel(text: string): object {
  const model = parseJson(text);
  if (typeof model !== 'object' || model === null || Array.isArray(model))
    throw invalidParameter(`Malformed model info. \n ${text.slice(0, 200)} \n is not a valid JSON.`);
  const missing = modelFields.filter((field) => !Object.hasOwn(model, field));
  if (missing.length > 0)
    throw invalidParameter(`Model json is missing mandatory fields: {${missing.map((one) => `'${one}'`).join(', ')}}`);
  return model;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // refused, like a JSON text that is no object
  }
}
