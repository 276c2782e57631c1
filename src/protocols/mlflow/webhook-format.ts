import { createHmac } from 'node:crypto';
import type { TidemillEvent } from '#contracts/event-types';
import type { WebhookFormat } from '#modules/automation';
import { promptTag, type RegistryApi } from '#modules/registry';
import type { Reader } from '#platform/database';
import { examples, isWebhookEventName, webhookEventNames, webhookEventOf } from './webhook-events.ts';

type Tags = readonly { readonly key: string; readonly value: string }[];

/** Tags by which the registry knows prompts: MLflow keeps them from its receivers. */
const promptText = 'mlflow.prompt.text';
const hidden = new Set([promptTag, promptText, '_mlflow_prompt_type']);
const toRecord = (tags: Tags, prompt: boolean) =>
  Object.fromEntries(tags.flatMap(({ key, value }) => (prompt && hidden.has(key) ? [] : [[key, value]])));
const valueOf = (tags: Tags | undefined, key: string) => tags?.find((tag) => tag.key === key)?.value;

/** Standard Webhooks' form of a signature, under MLflow's names of the headers. */
export function signMlflow(secret: string, deliveryId: string, seconds: string, body: string): string {
  return `v1,${createHmac('sha256', secret).update(`${deliveryId}.${seconds}.${body}`).digest('base64')}`;
}

/** MLflow writes microseconds and the offset. */
const toPythonTime = (ms: number) => `${new Date(ms).toISOString().slice(0, -1)}000+00:00`;

const envelope = (name: string, atMs: number, data: unknown) => {
  const [entity, action] = name.split('.');
  return JSON.stringify({ entity, action, timestamp: toPythonTime(atMs), data });
};

/**
 * Events of the registry as MLflow's server sends them. Our events hold references alone, so what a message tells beside
 * them is read when it is queued; what is gone by then is not told of.
 */
export function createMlflowWebhookFormat(registry: Pick<RegistryApi, 'model' | 'version'>): WebhookFormat {
  async function dataOf(reader: Reader, event: TidemillEvent): Promise<object | undefined> {
    const { project } = event;
    switch (event.type) {
      case 'model.created': {
        const { model: name, prompt = false } = event.data;
        const model = await registry.model(reader, project, name);
        return model && { name, tags: toRecord(model.tags, prompt), description: model.description };
      }
      case 'model.version.created': {
        const { model: name, version: number, prompt = false } = event.data;
        const version = await registry.version(reader, project, name, number);
        if (version === undefined) return undefined;
        const common = { name, version: String(number) };
        const rest = { tags: toRecord(version.tags, prompt), description: version.description || null };
        return prompt
          ? { ...common, template: valueOf(version.tags, promptText) ?? null, ...rest }
          : { ...common, source: version.source, run_id: version.trackingRunId ?? null, ...rest };
      }
      case 'model.tag.set': {
        const { model: name, key } = event.data;
        const value = valueOf((await registry.model(reader, project, name))?.tags, key);
        return value === undefined ? undefined : { name, key, value };
      }
      case 'model.tag.deleted':
        return { name: event.data.model, key: event.data.key };
      case 'model.version.tag.set': {
        const { model: name, version, key } = event.data;
        const value = valueOf((await registry.version(reader, project, name, version))?.tags, key);
        return value === undefined ? undefined : { name, version: String(version), key, value };
      }
      case 'model.version.tag.deleted':
        return { name: event.data.model, version: String(event.data.version), key: event.data.key };
      case 'registry.alias.moved': {
        const { model: name, alias, to } = event.data;
        return { name, alias, ...(to !== undefined && { version: String(to) }) };
      }
      default:
        return undefined;
    }
  }

  return {
    name: 'mlflow',
    types: webhookEventNames,
    secureOnly: true,
    typeOf: webhookEventOf,
    async bodyOf(reader, event) {
      const name = webhookEventOf(event);
      const data = await dataOf(reader, event);
      return name === undefined || data === undefined ? undefined : envelope(name, event.atMs, data);
    },
    exampleOf: (type, nowMs) => envelope(type, nowMs, isWebhookEventName(type) ? examples[type] : {}),
    headersOf({ deliveryId, body }, secret, nowMs) {
      const seconds = String(Math.floor(nowMs / 1000));
      return {
        'X-MLflow-Delivery-Id': deliveryId,
        'X-MLflow-Timestamp': seconds,
        ...(secret !== undefined && { 'X-MLflow-Signature': signMlflow(secret, deliveryId, seconds, body) }),
      };
    },
  };
}
