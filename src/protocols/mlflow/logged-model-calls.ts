import type { LoggedModelStatus } from '#modules/tracking';
import { experimentIdOf } from './experiment-calls.ts';
import type { CallInput, MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter, sendMlflowError } from './mlflow-errors.ts';
import { decodePageToken, nextPage } from './page-token.ts';
import type { WireFields } from './wire-fields.ts';
import { list, toWireLoggedModel } from './wire-views.ts';

const statuses: Readonly<Record<LoggedModelStatus, number>> = {
  LOGGED_MODEL_PENDING: 1,
  LOGGED_MODEL_READY: 2,
  LOGGED_MODEL_UPLOAD_FAILED: 3,
};
const prefix = '/2.0/mlflow/logged-models';

const unquote = (text: string) => text.replace(/^`(.*)`$/s, '$1');

/** A field of `order_by`: everything after the first dot is the key, whatever it holds. */
function toOrdering(fields: WireFields) {
  const name = fields.requiredName('field_name');
  if (name.includes('\0')) throw invalidParameter('Invalid order_by field name: it holds a NUL character');
  const dot = name.indexOf('.');
  return {
    group: dot < 0 ? undefined : name.slice(0, dot),
    key: unquote(name.slice(dot + 1)),
    descending: !(fields.flag('ascending') ?? true),
    dataset: { name: fields.text('dataset_name') || undefined, digest: fields.text('dataset_digest') || undefined },
  };
}

function toDataset(fields: WireFields) {
  const name = fields.text('dataset_name');
  if (!name) throw invalidParameter('`dataset_name` in the `datasets` clause must be specified.');
  return { name, digest: fields.text('dataset_digest') || undefined };
}

const idOf = ({ params }: CallInput) => params['modelId'] ?? '';

export function loggedModelCalls({ database, tracking }: MlflowDeps): readonly MlflowCall[] {
  return [
    {
      method: 'POST',
      path: prefix,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const input = {
          project,
          experimentId: experimentIdOf(fields),
          name: fields.text('name'),
          modelType: fields.text('model_type'),
          sourceRunId: fields.text('source_run_id') || undefined,
          params: fields.pairs('params'),
          tags: fields.pairs('tags'),
        };
        const model = await database.write(context.write, (unit) => tracking.createLoggedModel(unit, input));
        return { model: toWireLoggedModel(model) };
      },
    },
    {
      method: 'POST',
      path: `${prefix}/search`,
      permission: 'read',
      handle: async ({ fields, project }) => {
        const limit = fields.bounded('max_results', { preset: 50, maximum: 1000 });
        const offset = decodePageToken(fields.text('page_token'));
        const { items, more } = await tracking.searchLoggedModels(database.read, {
          project,
          experimentIds: fields.requiredTexts('experiment_ids'),
          lifecycle: 'active',
          filter: fields.text('filter'),
          datasets: fields.messages('datasets').map(toDataset),
          orderBy: fields.messages('order_by').map(toOrdering),
          limit,
          offset,
        });
        return { ...list('models', items.map(toWireLoggedModel)), ...nextPage(more, offset + limit) };
      },
    },
    {
      method: 'GET',
      path: `${prefix}/:modelId`,
      permission: 'read',
      handle: async (input) => {
        const model = await tracking.loggedModel(database.read, input.project, idOf(input));
        return model === undefined
          ? sendMlflowError(input.reply, 'RESOURCE_DOES_NOT_EXIST', `Logged model with ID '${idOf(input)}' not found.`)
          : { model: toWireLoggedModel(model) };
      },
    },
    {
      method: 'PATCH',
      path: `${prefix}/:modelId`,
      permission: 'write',
      handle: async (input) => {
        const status = input.fields.oneOf('status', statuses);
        if (status === undefined) throw input.fields.missing('status');
        const change = {
          project: input.project,
          modelId: idOf(input),
          status,
          message: input.fields.text('status_message'),
        };
        const model = await database.write(input.context.write, (unit) => tracking.finalizeLoggedModel(unit, change));
        return { model: toWireLoggedModel(model) };
      },
    },
    {
      method: 'DELETE',
      path: `${prefix}/:modelId`,
      permission: 'write',
      handle: async (input) => {
        const name = { project: input.project, modelId: idOf(input) };
        await database.write(input.context.write, (unit) => tracking.deleteLoggedModel(unit, name));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/:modelId/params`,
      permission: 'write',
      handle: async (input) => {
        const change = { project: input.project, modelId: idOf(input), params: input.fields.pairs('params') };
        await database.write(input.context.write, (unit) => tracking.logLoggedModelParams(unit, change));
        return {};
      },
    },
    {
      method: 'PATCH',
      path: `${prefix}/:modelId/tags`,
      permission: 'write',
      handle: async (input) => {
        const change = { project: input.project, modelId: idOf(input), tags: input.fields.pairs('tags') };
        await database.write(input.context.write, (unit) => tracking.setLoggedModelTags(unit, change));
        return {};
      },
    },
    {
      method: 'DELETE',
      path: `${prefix}/:modelId/tags/:key`,
      permission: 'write',
      handle: async (input) => {
        const change = { project: input.project, modelId: idOf(input), key: input.params['key'] ?? '' };
        await database.write(input.context.write, (unit) => tracking.deleteLoggedModelTag(unit, change));
        return {};
      },
    },
  ];
}
