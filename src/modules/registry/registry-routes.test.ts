import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createHttpServer } from '#platform/http';
import { createLogger } from '#platform/log';
import { openTestDatabase, type TestDatabase } from '#platform/testing/database';
import { createRegistryModule, type RegistryApi } from './index.ts';

let database: TestDatabase;
let app: FastifyInstance;
let api: RegistryApi;
let mayApprove: boolean;

beforeEach(async () => {
  database = await openTestDatabase();
  mayApprove = true;
  const registry = createRegistryModule({
    database,
    ids: database.ids,
    approvals: { request: async () => 'approval', withdraw: async () => undefined },
    artifacts: { retain: async () => undefined, missing: async () => [], release: async () => undefined },
    lineage: { record: async () => undefined, registerAlias: () => undefined },
  });
  api = registry.api;
  app = await createHttpServer({
    logger: createLogger({ level: 'error' }),
    authenticate: async () => ({ id: 'user:ann', can: (permission) => permission !== 'approve' || mayApprove }),
    allowedHosts: [],
    bodyLimitBytes: 1024 * 1024,
    checkAnswers: true,
  });
  registry.routes(app);
  await app.ready();
  for (const digest of ['a', 'b'])
    await database.write({ actor: 'user:ann' }, (unit) =>
      api.proposeVersion(unit, {
        project: 'default',
        model: 'late',
        digest,
        files: [{ path: 'model.onnx', sha256: digest, sizeBytes: 1 }],
        runtime: 'onnx',
        trainRef: 'dataset:train@1',
        alias: 'champion',
        checks: digest === 'a' ? [] : ['gate:auc'],
      }),
    );
});
afterEach(() => app.close());

const send = async (method: 'GET' | 'PUT' | 'DELETE', url: string, payload?: object) => {
  const response = await app.inject({ method, url, headers: { host: 'localhost' }, ...(payload && { payload }) });
  return { status: response.statusCode, body: response.json<Record<string, unknown>>() };
};

test('models, versions and promotions are listed and shown', async () => {
  expect((await send('GET', '/api/v1/models')).body).toMatchObject({
    items: [{ name: 'late', aliases: [{ alias: 'champion', version: 1 }] }],
  });
  expect((await send('GET', '/api/v1/models/late/versions?limit=1')).body).toMatchObject({
    items: [{ version: 2, digest: 'b' }],
    next: expect.any(String),
  });
  expect((await send('GET', '/api/v1/models/late/versions/champion')).body).toMatchObject({
    version: 1,
    train: 'dataset:train@1',
    aliases: ['champion'],
  });
  const { body } = await send('GET', '/api/v1/promotions?state=open');
  const [open] = body['items'] as { id: string; version: number }[];
  expect(open).toMatchObject({ version: 2, checks: [{ name: 'gate:auc', state: 'pending' }] });
  expect((await send('GET', `/api/v1/promotions/${open?.id}`)).body).toMatchObject({
    model: 'late',
    alias: 'champion',
  });
  for (const path of ['models/none', 'models/none/versions', 'models/late/versions/9', 'promotions/none'])
    expect((await send('GET', `/api/v1/${path}`)).status).toBe(404);
});

test('prompts are told apart from models, page by page', async () => {
  await database.write({ actor: 'user:ann' }, async (unit) => {
    for (const model of ['aa-prompt', 'mm-prompt', 'zz-prompt'])
      await api.createModel(unit, {
        project: 'default',
        model,
        tags: [{ key: 'mlflow.prompt.is_prompt', value: model === 'mm-prompt' ? 'True' : 'true' }],
      });
    const tags = [{ key: 'mlflow.prompt.is_prompt', value: 'false' }];
    await api.createModel(unit, { project: 'default', model: 'none-after-all', tags });
  });
  const listed = async (path: string) => {
    const names: string[] = [];
    let cursor: string | undefined;
    do {
      const { body } = await send('GET', `${path}?limit=1${cursor === undefined ? '' : `&cursor=${cursor}`}`);
      names.push(...(body['items'] as { name: string }[]).map(({ name }) => name));
      cursor = body['next'] as string | undefined;
    } while (cursor !== undefined);
    return names;
  };
  expect(await listed('/api/v1/models')).toEqual(['late', 'none-after-all']);
  expect(await listed('/api/v1/prompts')).toEqual(['aa-prompt', 'mm-prompt', 'zz-prompt']);
  expect((await send('GET', '/api/v1/models/aa-prompt')).body).toMatchObject({ name: 'aa-prompt', prompt: true });
  expect((await send('GET', '/api/v1/models/late')).body).not.toHaveProperty('prompt');
});

test('an alias is moved by hand by those who may approve, and by nobody else', async () => {
  const moved = await send('PUT', '/api/v1/models/late/aliases/champion', { version: 2 });
  expect(moved).toMatchObject({ status: 200, body: { aliases: [{ alias: 'champion', version: 2 }] } });
  mayApprove = false;
  expect((await send('PUT', '/api/v1/models/late/aliases/champion', { version: 1 })).status).toBe(403);
  mayApprove = true;
  expect((await send('DELETE', '/api/v1/models/late/aliases/champion')).body).toMatchObject({ aliases: [] });
});
