import type { Webhook } from '#modules/automation';
import { decodeCursor, toPage } from '#platform/sql';
import type { CallInput, MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter } from './mlflow-errors.ts';
import { readWebhookEvent, toWireEvent } from './webhook-events.ts';
import type { WireFields } from './wire-fields.ts';
import { list } from './wire-views.ts';

const prefix = '/2.0/mlflow/webhooks';
const statuses = { ACTIVE: 1, DISABLED: 2 } as const;

/** What MLflow's columns hold. */
const limits = { url: 500, description: 1000, secret: 1000 } as const;

function requireName(name: string): string {
  if (/^(?=.{1,63}$)[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/i.test(name)) return name;
  throw invalidParameter(
    `Webhook name '${name.slice(0, 100)}' is invalid. It must start and end with a letter or digit, be less than 63 characters long, and contain only letters, digits, dots (.), underscores (_), and hyphens (-).`,
  );
}

function limited(fields: WireFields, name: keyof typeof limits): string | undefined {
  const value = fields.text(name);
  if (value !== undefined && value.length > limits[name])
    throw invalidParameter(
      `The ${name} of a webhook has at most ${limits[name]} characters, this one ${value.length}.`,
    );
  return value;
}

const eventsOf = (fields: WireFields) => [...new Set(fields.messages('events').map(readWebhookEvent))];

const toWireWebhook = (webhook: Webhook) => ({
  webhook_id: webhook.id,
  name: webhook.name,
  url: webhook.url,
  ...list('events', webhook.types.map(toWireEvent)),
  ...(webhook.description !== '' && { description: webhook.description }),
  status: webhook.enabled ? 'ACTIVE' : 'DISABLED',
  creation_timestamp: webhook.createdMs,
  last_updated_timestamp: webhook.updatedMs,
});

/** MLflow's webhooks: our own queue, sender and log, in MLflow's format. Secrets go in and never come out. */
export function webhookCalls({ database, webhooks }: MlflowDeps): readonly MlflowCall[] {
  /** One that was made through MLflow's API; our own webhooks have other events and no place here. */
  const get = ({ params, project }: CallInput) =>
    webhooks.get(database.read, project, params['webhookId'] ?? '', 'mlflow');

  return [
    {
      method: 'POST',
      path: prefix,
      permission: 'admin',
      handle: async ({ fields, project, context }) => {
        const name = requireName(fields.requiredName('name'));
        const url = limited(fields, 'url');
        if (url === undefined || url === '') throw fields.missing('url');
        const types = eventsOf(fields);
        if (types.length === 0) throw fields.missing('events');
        const description = limited(fields, 'description') ?? '';
        const secret = limited(fields, 'secret') ?? '';
        const enabled = fields.oneOf('status', statuses) !== 'DISABLED';
        await webhooks.checkAddress(url, 'mlflow');
        const { webhook } = await database.write(context.write, (unit) =>
          webhooks.create(unit, { project, format: 'mlflow', name, url, types, description, secret, enabled }),
        );
        return { webhook: toWireWebhook(webhook) };
      },
    },
    {
      method: 'GET',
      path: prefix,
      permission: 'read',
      handle: async ({ fields, project }) => {
        const limit = fields.bounded('max_results', { preset: 100, maximum: 1000 });
        const token = fields.text('page_token') || undefined;
        const rows = await webhooks.list(database.read, {
          project,
          format: 'mlflow',
          ...(token !== undefined && { beforeId: String(decodeCursor(token)[0]) }),
          limit: limit + 1,
        });
        const { shown, next } = toPage(rows, limit, (last) => [last.id]);
        return { ...list('webhooks', shown.map(toWireWebhook)), ...(next !== undefined && { next_page_token: next }) };
      },
    },
    {
      method: 'GET',
      path: `${prefix}/:webhookId`,
      permission: 'read',
      handle: async (input) => ({ webhook: toWireWebhook(await get(input)) }),
    },
    {
      method: 'PATCH',
      path: `${prefix}/:webhookId`,
      permission: 'admin',
      handle: async (input) => {
        const { fields, project, context } = input;
        const { id } = await get(input);
        const name = fields.text('name') || undefined;
        const url = limited(fields, 'url') || undefined;
        const types = eventsOf(fields);
        const description = limited(fields, 'description');
        const secret = limited(fields, 'secret');
        const status = fields.oneOf('status', statuses);
        if (url !== undefined) await webhooks.checkAddress(url, 'mlflow');
        const webhook = await database.write(context.write, (unit) =>
          webhooks.change(unit, project, id, {
            ...(name !== undefined && { name: requireName(name) }),
            ...(url !== undefined && { url }),
            ...(types.length > 0 && { types }),
            ...(description !== undefined && { description }),
            ...(secret !== undefined && { secret }),
            ...(status !== undefined && { enabled: status === 'ACTIVE' }),
          }),
        );
        return { webhook: toWireWebhook(webhook) };
      },
    },
    {
      method: 'DELETE',
      path: `${prefix}/:webhookId`,
      permission: 'admin',
      handle: async (input) => {
        const { id } = await get(input);
        await database.write(input.context.write, (unit) => webhooks.remove(unit, input.project, id));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${prefix}/:webhookId/test`,
      permission: 'admin',
      handle: async (input) => {
        const webhook = await get(input);
        const event = input.fields.message('event');
        const type = event === undefined ? (webhook.types[0] ?? '') : readWebhookEvent(event);
        const { succeeded, status, text, error } = await webhooks.try(webhook, type);
        return {
          result: {
            success: succeeded,
            ...(status !== undefined && { response_status: status }),
            ...(text !== undefined && { response_body: text }),
            ...(error !== undefined && { error_message: error }),
          },
        };
      },
    },
  ];
}
