import type { TidemillEvent } from '#contracts/event-types';
import { invalidParameter } from './mlflow-errors.ts';
import type { WireFields } from './wire-fields.ts';

/*
 * The events of MLflow's webhooks, `<entity>.<action>`, and which of ours each one is. Prompts are models of the registry;
 * our events say of a model whether it is one. Budgets belong to MLflow's gateway: they can be asked for and never happen.
 */
const entities = {
  REGISTERED_MODEL: 1,
  MODEL_VERSION: 2,
  MODEL_VERSION_TAG: 3,
  MODEL_VERSION_ALIAS: 4,
  PROMPT: 5,
  PROMPT_VERSION: 6,
  PROMPT_TAG: 7,
  PROMPT_VERSION_TAG: 8,
  PROMPT_ALIAS: 9,
  BUDGET_POLICY: 10,
} as const;
const actions = { CREATED: 1, UPDATED: 2, DELETED: 3, SET: 4, EXCEEDED: 5 } as const;

/** An example of what each event says: MLflow's server sends these when a receiver is tried. */
export const examples = {
  'registered_model.created': {
    name: 'example_model',
    tags: { example_key: 'example_value' },
    description: 'An example registered model',
  },
  'model_version.created': {
    name: 'example_model',
    version: '1',
    source: 'models:/123',
    run_id: 'abcd1234abcd5678',
    tags: { example_key: 'example_value' },
    description: 'An example model version',
  },
  'model_version_tag.set': { name: 'example_model', version: '1', key: 'example_key', value: 'example_value' },
  'model_version_tag.deleted': { name: 'example_model', version: '1', key: 'example_key' },
  'model_version_alias.created': { name: 'example_model', alias: 'example_alias', version: '1' },
  'model_version_alias.deleted': { name: 'example_model', alias: 'example_alias' },
  'prompt.created': {
    name: 'example_prompt',
    tags: { example_key: 'example_value' },
    description: 'An example prompt',
  },
  'prompt_version.created': {
    name: 'example_prompt',
    version: '1',
    template: 'Hello {{name}}!',
    tags: { example_key: 'example_value' },
    description: 'An example prompt version',
  },
  'prompt_tag.set': { name: 'example_prompt', key: 'example_key', value: 'example_value' },
  'prompt_tag.deleted': { name: 'example_prompt', key: 'example_key' },
  'prompt_version_tag.set': { name: 'example_prompt', version: '1', key: 'example_key', value: 'example_value' },
  'prompt_version_tag.deleted': { name: 'example_prompt', version: '1', key: 'example_key' },
  'prompt_alias.created': { name: 'example_prompt', alias: 'example_alias', version: '1' },
  'prompt_alias.deleted': { name: 'example_prompt', alias: 'example_alias' },
  'budget_policy.exceeded': {
    budget_policy_id: 'bp-abc123',
    budget_unit: 'USD',
    budget_amount: 100,
    current_spend: 105.5,
    duration_unit: 'MONTHS',
    duration_value: 1,
    target_scope: 'ENDPOINT',
    workspace: 'default',
    target_value: 'ep-abc123',
    window_start: 1_704_067_200_000,
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export type WebhookEventName = keyof typeof examples;
export const webhookEventNames = Object.keys(examples) as readonly WebhookEventName[];

export const isWebhookEventName = (text: string): text is WebhookEventName => Object.hasOwn(examples, text);

/** What MLflow calls this event of ours; undefined when it has none for it. */
export function webhookEventOf(event: TidemillEvent): WebhookEventName | undefined {
  switch (event.type) {
    case 'model.created':
      return event.data.prompt ? 'prompt.created' : 'registered_model.created';
    case 'model.tag.set':
      return event.data.prompt ? 'prompt_tag.set' : undefined;
    case 'model.tag.deleted':
      return event.data.prompt ? 'prompt_tag.deleted' : undefined;
    case 'model.version.created':
      return event.data.prompt ? 'prompt_version.created' : 'model_version.created';
    case 'model.version.tag.set':
      return event.data.prompt ? 'prompt_version_tag.set' : 'model_version_tag.set';
    case 'model.version.tag.deleted':
      return event.data.prompt ? 'prompt_version_tag.deleted' : 'model_version_tag.deleted';
    case 'registry.alias.moved':
      if (event.data.to === undefined)
        return event.data.prompt ? 'prompt_alias.deleted' : 'model_version_alias.deleted';
      return event.data.prompt ? 'prompt_alias.created' : 'model_version_alias.created';
    default:
      return undefined;
  }
}

/** `{ entity: "MODEL_VERSION", action: "CREATED" }` as clients send it. */
export function readWebhookEvent(fields: WireFields): WebhookEventName {
  const entity = fields.oneOf('entity', entities);
  const action = fields.oneOf('action', actions);
  if (entity === undefined) throw fields.missing('entity');
  if (action === undefined) throw fields.missing('action');
  const name = `${entity}.${action}`.toLowerCase();
  if (isWebhookEventName(name)) return name;
  const prefix = `${entity.toLowerCase()}.`;
  const known = webhookEventNames.flatMap((each) =>
    each.startsWith(prefix) ? [`'${each.slice(prefix.length)}'`] : [],
  );
  throw invalidParameter(
    `Invalid action '${action.toLowerCase()}' for entity '${entity.toLowerCase()}'. Valid actions are: [${known.toSorted().join(', ')}]`,
  );
}

export function toWireEvent(name: string): { readonly entity: string; readonly action: string } {
  const [entity = '', action = ''] = name.toUpperCase().split('.');
  return { entity, action };
}
