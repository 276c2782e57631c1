import type { LoggedModelStatus } from '#modules/tracking';
import { experimentIdOf } from './experiment-calls.ts';
import type { CallInput, MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter, sendMlflowError } from './mlflow-errors.ts';
import { decodePageToken, nextPage } from './page-token.ts';
import { list, toWireLoggedModel } from './wire-views.ts';

const statuses: Readonly<Record<LoggedModelStatus, number>> = {
  LOGGED_MODEL_PENDING: 1,
  LOGGED_MODEL_READY: 2,
  LOGGED_MODEL_UPLOAD_FAILED: 3,
};
const prefix = '/2.0/mlflow/logged-models';

/** `metrics.auc` with its direction, quoted so that any key stands for itself. */
function toOrdering(fieldName: string, ascending: boolean): string {
  const dot = fieldName.indexOf('.');
  if (fieldName.includes('`')) throw invalidParameter(`Invalid order_by field name: ${fieldName}`);
  const name = dot < 0 ? `\`${fieldName}\`` : `${fieldName.slice(0, dot)}.\`${fieldName.slice(dot + 1)}\``;
  return `${name} ${ascending ? 'ASC' : 'DESC'}`;
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
          filter: fields.text('filter'),
          orderBy: fields
            .messages('order_by')
            .map((order) => toOrdering(order.requiredName('field_name'), order.flag('ascending') ?? true)),
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
