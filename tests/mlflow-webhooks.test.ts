import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { listDeliveries, listWebhooks } from '../src/contracts/automation.ts';
import { createProject } from '../src/contracts/projects.ts';
import { newPostgresUrl } from '../src/platform/testing/database.ts';
import { startControlPlane, type TestControlPlane } from './support/control-plane.ts';
import { startPair } from './support/running-server.ts';
import { openWebhookReceiver, type ReceivedPost } from './support/webhook-receiver.ts';

/*
 * MLflow's webhooks against a real receiver: the whole way from a change in the registry over event, queue and sender to
 * the bytes that arrive. The signature is computed here as MLflow's documentation tells receivers to.
 */
const testTimeoutMs = 120_000;
const secret = 'a-secret-of-the-receiver';

type Body = Readonly<Record<string, unknown>>;

/** Calls the MLflow API of a project. */
const callsOf = (url: string) => async (method: string, path: string, body?: object | string) => {
  const response = await fetch(`${url}/api/2.0/mlflow/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Body };
};

const event = (entity: string, action: string) => ({ entity, action });
const everything = [
  event('REGISTERED_MODEL', 'CREATED'),
  event('MODEL_VERSION', 'CREATED'),
  event('MODEL_VERSION_TAG', 'SET'),
  event('MODEL_VERSION_TAG', 'DELETED'),
  event('MODEL_VERSION_ALIAS', 'CREATED'),
  event('MODEL_VERSION_ALIAS', 'DELETED'),
  event('PROMPT', 'CREATED'),
  event('PROMPT_VERSION', 'CREATED'),
  event('PROMPT_TAG', 'SET'),
  event('PROMPT_TAG', 'DELETED'),
  event('PROMPT_VERSION_TAG', 'SET'),
  event('PROMPT_VERSION_TAG', 'DELETED'),
  event('PROMPT_ALIAS', 'CREATED'),
  event('PROMPT_ALIAS', 'DELETED'),
];
const idOf = ({ body }: { readonly body: Body }): string =>
  (body['webhook'] as { readonly webhook_id: string }).webhook_id;

function expectSigned(post: ReceivedPost | undefined, key = secret): void {
  const { headers = {}, body = '' } = post ?? {};
  const [id, seconds] = [headers['x-mlflow-delivery-id'], headers['x-mlflow-timestamp']];
  const digest = createHmac('sha256', key)
    .update(`${String(id)}.${String(seconds)}.${body}`)
    .digest('base64');
  expect(headers['x-mlflow-signature']).toBe(`v1,${digest}`);
  expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(60);
}

/** The message that came, with its name; each must be there before the next change is made. */
function messageOf({ body }: ReceivedPost): readonly [string, unknown] {
  const { entity, action, timestamp, data } = JSON.parse(body) as Record<string, unknown>;
  expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/);
  return [`${String(entity)}.${String(action)}`, data];
}

describe.each(['sqlite', 'postgres'] as const)('MLflow webhooks, on %s', (dialect) => {
  const start = async (webhookHosts?: string): Promise<TestControlPlane> =>
    startControlPlane({
      ...(dialect === 'postgres' && { databaseUrl: await newPostgresUrl() }),
      ...(webhookHosts !== undefined && { webhookHosts }),
    });

  test(
    'what happens to models and prompts arrives once each, in order, signed as MLflow signs',
    async () => {
      const { url, client } = await start('127.0.0.1');
      const call = callsOf(url);
      const receiver = await openWebhookReceiver();
      const created = await call('POST', 'webhooks', {
        name: 'all-of-it',
        description: 'for a test',
        url: receiver.url,
        events: everything,
        secret,
      });
      expect(created).toMatchObject({ status: 200, body: { webhook: { name: 'all-of-it', status: 'ACTIVE' } } });
      expect(JSON.stringify(created.body)).not.toContain(secret);

      let told = 0;
      const after = async (method: string, path: string, body: object, name: string, data: object) => {
        expect(await call(method, path, body)).toMatchObject({ status: 200 });
        told += 1;
        await expect.poll(() => receiver.received.length, { timeout: 30_000, interval: 10 }).toBe(told);
        const post = receiver.received[told - 1];
        expect(post && messageOf(post)).toEqual([name, data]);
        expectSigned(post);
      };
      const tags = [{ key: 'team', value: 'ops' }];
      const ofModel = { name: 'late', version: '1' };
      const model = { name: 'late', description: 'how late' };
      await after('POST', 'registered-models/create', { ...model, tags }, 'registered_model.created', {
        ...model,
        tags: { team: 'ops' },
      });
      const source = 's3://models/late';
      await after('POST', 'model-versions/create', { name: 'late', source, tags }, 'model_version.created', {
        ...ofModel,
        source,
        run_id: null,
        tags: { team: 'ops' },
        description: null,
      });
      await call('POST', 'registered-models/set-tag', { name: 'late', key: 'seen', value: 'no' }); // MLflow tells of none
      const tag = { key: 'k', value: 'v' };
      const set = { ...ofModel, ...tag };
      await after('POST', 'model-versions/set-tag', set, 'model_version_tag.set', set);
      const gone = { ...ofModel, key: 'k' };
      await after('DELETE', 'model-versions/delete-tag', gone, 'model_version_tag.deleted', gone);
      await call('DELETE', 'model-versions/delete-tag', gone); // there is nothing to tell
      const alias = { ...ofModel, alias: 'live' };
      await after('POST', 'registered-models/alias', alias, 'model_version_alias.created', alias);
      const { version: _, ...noAlias } = alias;
      await after('DELETE', 'registered-models/alias', noAlias, 'model_version_alias.deleted', noAlias);

      const isPrompt = { key: 'mlflow.prompt.is_prompt', value: 'true' };
      const ofPrompt = { name: 'hello', version: '1' };
      const prompt = { name: 'hello', tags: [isPrompt, ...tags] };
      await after('POST', 'registered-models/create', prompt, 'prompt.created', {
        name: 'hello',
        tags: { team: 'ops' },
        description: '',
      });
      const template = 'Hello {{name}}';
      const text = { key: 'mlflow.prompt.text', value: template };
      const version = { name: 'hello', source: 'dummy-source', tags: [isPrompt, text, ...tags] };
      await after('POST', 'model-versions/create', version, 'prompt_version.created', {
        ...ofPrompt,
        template,
        tags: { team: 'ops' },
        description: null,
      });
      const promptTag = { name: 'hello', ...tag };
      await after('POST', 'registered-models/set-tag', promptTag, 'prompt_tag.set', promptTag);
      const noTag = { name: 'hello', key: 'k' };
      await after('DELETE', 'registered-models/delete-tag', noTag, 'prompt_tag.deleted', noTag);
      const versionTag = { ...ofPrompt, ...tag };
      await after('POST', 'model-versions/set-tag', versionTag, 'prompt_version_tag.set', versionTag);
      const noVersionTag = { ...ofPrompt, key: 'k' };
      await after('DELETE', 'model-versions/delete-tag', noVersionTag, 'prompt_version_tag.deleted', noVersionTag);
      const promptAlias = { ...ofPrompt, alias: 'live' };
      await after('POST', 'registered-models/alias', promptAlias, 'prompt_alias.created', promptAlias);
      const noPromptAlias = { name: 'hello', alias: 'live' };
      await after('DELETE', 'registered-models/alias', noPromptAlias, 'prompt_alias.deleted', noPromptAlias);

      // the log of it, on our own API
      const own = client;
      expect((await own.call(listWebhooks, {})).items).toMatchObject([
        { name: 'all-of-it', format: 'mlflow', types: expect.arrayContaining(['prompt.created']) },
      ]);
      const params = { webhookId: idOf(created) };
      const log = async () => (await own.call(listDeliveries, { params, query: { state: 'delivered' } })).items;
      await expect.poll(async () => (await log()).length, { timeout: 30_000 }).toBe(told);
      const ids = receiver.received.map(({ headers }) => String(headers['x-mlflow-delivery-id']));
      expect((await log()).map(({ id }) => id)).toEqual(ids.toReversed());
    },
    testTimeoutMs,
  );

  test(
    'webhooks are made, listed by pages, changed, tried and removed; what is wrong is refused with a reason',
    async () => {
      const { url, client } = await start('127.0.0.1');
      const call = callsOf(url);
      const receiver = await openWebhookReceiver();
      const events = [event('MODEL_VERSION', 'CREATED'), { entity: 1, action: 1 }];
      const make = (name: string, more: object = {}) =>
        call('POST', 'webhooks', { name, url: receiver.url, events, ...more });
      const one = idOf(await make('one', { secret }));
      const two = idOf(await make('two', { status: 'DISABLED' }));
      await client.call(createProject, { body: { name: 'other' } });
      expect((await client.inProject('other').call(listWebhooks, {})).items).toEqual([]);
      const elsewhere = await fetch(`${url}/projects/other/api/2.0/mlflow/webhooks/${one}`);
      expect(elsewhere.status).toBe(404);

      const first = (await call('GET', 'webhooks?max_results=1')).body;
      expect(first['webhooks']).toMatchObject([{ webhook_id: two, status: 'DISABLED' }]);
      const second = (await call('GET', `webhooks?max_results=1&page_token=${String(first['next_page_token'])}`)).body;
      expect(second['webhooks']).toMatchObject([{ webhook_id: one }]);
      expect(second['next_page_token']).toBeUndefined();

      // tried: an example of the first event, or of the one that is named, signed
      receiver.answer((response) => void response.writeHead(200).end('thanks'));
      expect((await call('POST', `webhooks/${one}/test`, {})).body).toEqual({
        result: { success: true, response_status: 200, response_body: 'thanks' },
      });
      const aliasSet = { event: event('PROMPT_ALIAS', 'CREATED') };
      receiver.answer((response) => void response.writeHead(500).end('no'));
      expect((await call('POST', `webhooks/${one}/test`, aliasSet)).body['result']).toMatchObject({
        success: false,
        response_status: 500,
        response_body: 'no',
      });
      expect(receiver.received.map((post) => messageOf(post)[0])).toEqual([
        'model_version.created',
        'prompt_alias.created',
      ]);
      receiver.received.forEach((post) => expectSigned(post));
      expect((await call('POST', `webhooks/${two}/test`, {})).body['result']).toMatchObject({ success: false });
      expect(receiver.received[2]?.headers['x-mlflow-signature']).toBeUndefined(); // it has no secret

      // changed: what is left out stays; another secret signs from now on, an empty one takes the signature away
      const changed = await call('PATCH', `webhooks/${one}`, { name: 'uno', events: [aliasSet.event] });
      expect(changed.body['webhook']).toMatchObject({ name: 'uno', url: receiver.url, events: [aliasSet.event] });
      await call('PATCH', `webhooks/${one}`, { secret: 'another', status: 'DISABLED', description: 'why' });
      await call('POST', `webhooks/${one}/test`, {});
      expectSigned(receiver.received[3], 'another');
      await call('PATCH', `webhooks/${one}`, { secret: '' });
      await call('POST', `webhooks/${one}/test`, {});
      expect(receiver.received[4]?.headers['x-mlflow-signature']).toBeUndefined();
      const now = (await call('GET', `webhooks/${one}`)).body['webhook'];
      expect(now).toMatchObject({ name: 'uno', status: 'DISABLED', description: 'why' });

      expect(await call('DELETE', `webhooks/${one}`)).toEqual({ status: 200, body: {} });
      for (const [method, path] of [
        ['GET', one],
        ['DELETE', one],
        ['PATCH', one],
        ['POST', `${one}/test`],
        ['GET', 'no-id'],
      ] as const)
        expect(await call(method, `webhooks/${path}`, method === 'GET' ? undefined : {})).toMatchObject({
          status: 404,
          body: { error_code: 'RESOURCE_DOES_NOT_EXIST' },
        });

      for (const wrong of [
        {},
        'not json',
        { name: 'x', url: receiver.url },
        { name: 'x', url: receiver.url, events: [] },
        { name: 'x', url: receiver.url, events: 'all' },
        { name: 'x', url: receiver.url, events: [event('MODEL_VERSION', 'SET')] },
        { name: 'x', url: receiver.url, events: [{ entity: 'MODEL_VERSION' }] },
        { name: 'x', url: receiver.url, events: [event('NONE', 'CREATED')] },
        { name: 'x', url: receiver.url, events, status: 'ASLEEP' },
        { name: 'x', url: 7, events },
        { name: 'x', url: '', events },
        { name: 'x', url: 'nowhere', events },
        { name: 'x', url: `https://e.example/${'x'.repeat(500)}`, events },
        { name: '-x', url: receiver.url, events },
        { name: 'x'.repeat(64), url: receiver.url, events },
      ])
        expect(await call('POST', 'webhooks', wrong)).toMatchObject({
          status: 400,
          body: { error_code: 'INVALID_PARAMETER_VALUE' },
        });
      for (const query of ['max_results=0', 'max_results=x', 'page_token=%00', 'page_token=bm8'])
        expect(await call('GET', `webhooks?${query}`)).toMatchObject({ status: 400 });
    },
    testTimeoutMs,
  );

  test(
    'an address inside a private network, or plain http, is refused unless the operator lists the host',
    async () => {
      const { url } = await start();
      const call = callsOf(url);
      const receiver = await openWebhookReceiver();
      const events = [event('REGISTERED_MODEL', 'CREATED')];
      const refusals: unknown[] = [];
      for (const address of [
        receiver.url,
        receiver.url.replace('http:', 'https:'),
        'https://[::1]/',
        'https://169.254.169.254/latest/meta-data',
        'https://localhost/',
        'http://93.184.215.14/hook',
        'ftp://93.184.215.14/hook',
        'https://user:password@93.184.215.14/',
      ])
        refusals.push((await call('POST', 'webhooks', { name: 'inside', url: address, events })).body['error_code']);
      expect(new Set(refusals)).toEqual(new Set(['INVALID_PARAMETER_VALUE']));
      const outside = await call('POST', 'webhooks', { name: 'outside', url: 'https://93.184.215.14/hook', events });
      expect(outside.status).toBe(200);
      const moved = await call('PATCH', `webhooks/${idOf(outside)}`, { url: receiver.url });
      expect(moved).toMatchObject({ status: 400, body: { error_code: 'INVALID_PARAMETER_VALUE' } });
      expect(receiver.received).toEqual([]);
    },
    testTimeoutMs,
  );
});

test(
  'killed while a receiver had not yet answered, the server sends the message again, with the same delivery id',
  async () => {
    const pair = await startPair(['--webhook-hosts', '127.0.0.1']);
    const receiver = await openWebhookReceiver();
    receiver.answer(() => undefined); // it takes the message and says nothing
    const events = [event('REGISTERED_MODEL', 'CREATED')];
    const created = await callsOf(pair.url())('POST', 'webhooks', { name: 'slow', url: receiver.url, events, secret });
    await callsOf(pair.url())('POST', 'registered-models/create', { name: 'late' });
    await expect.poll(() => receiver.received.length, { timeout: 30_000, interval: 10 }).toBe(1);
    await pair.killControlPlane();

    receiver.answer((response) => void response.writeHead(200).end());
    await pair.up();
    await expect.poll(() => receiver.received.length, { timeout: 30_000, interval: 10 }).toBe(2);
    const [before, after] = receiver.received;
    expect(after?.headers['x-mlflow-delivery-id']).toBe(before?.headers['x-mlflow-delivery-id']);
    expect(after?.body).toBe(before?.body);
    receiver.received.forEach((post) => expectSigned(post));
    const params = { webhookId: idOf(created) };
    const log = async () => (await pair.client().call(listDeliveries, { params, query: {} })).items;
    await expect.poll(log, { timeout: 30_000 }).toMatchObject([{ state: 'delivered', attempts: 1 }]);
  },
  testTimeoutMs,
);
