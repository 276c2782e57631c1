import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { Principal } from '#platform/http';
import type { TestDatabase } from '#platform/testing/database';
import { createMlflowTestServer, type MlflowTestServer } from '../mlflow-test-server.ts';

interface Answer {
  readonly status: number;
  readonly body: Record<string, never> & { error_code?: string; message?: string };
}

type Request = InjectOptions & { readonly url: string };

/** Who may do everything. */
export const anybody: Principal = { id: 'user:local', can: () => true };

/**
 * A server for the tests of one `describe`, and the requests that a client sends to it; each test has an empty project,
 * which the URLs leave out.
 */
export function useMlflow(open: () => Promise<TestDatabase>) {
  let projects = 0;
  const state = {
    database: undefined as unknown as TestDatabase, // set before the first test
    server: undefined as unknown as MlflowTestServer,
    project: '',
    /** Who asks; anybody at the start of each test. */
    principal: anybody,
    /** What the audit log has heard of in this test: the operation and whose data. */
    reads: [] as (readonly [operation: string, subject: string])[],
  };
  beforeAll(async () => {
    state.database = await open();
    state.server = await createMlflowTestServer({
      database: state.database,
      clock: state.database.clock,
      ids: state.database.ids,
      authenticate: async () => state.principal,
      onSensitive: async ({ operation, subjects }) =>
        void state.reads.push(...subjects.map((subject) => [operation, subject] as const)),
    });
  });
  const makeProject = (name: string) =>
    state.database.write({ actor: 'user:test' }, (unit) => state.server.projects.ensure(unit, name));
  beforeEach(async () => {
    projects += 1;
    Object.assign(state, { project: `p${projects}`, principal: anybody, reads: [] });
    await makeProject(state.project);
  });
  afterAll(async () => {
    await state.server.app.close();
    await state.database.close();
  });

  const inject = (options: Request) =>
    state.server.app.inject({
      ...options,
      url: options.url.startsWith('/projects/') ? options.url : `/projects/${state.project}${options.url}`,
      headers: { host: 'localhost', ...options.headers },
    });
  async function send(options: Request): Promise<Answer> {
    const response = await inject(options);
    return { status: response.statusCode, body: response.body === '' ? {} : JSON.parse(response.body) };
  }
  const call = (method: 'POST' | 'PATCH' | 'DELETE', path: string, payload: object, prefix = '/api/2.0/mlflow') =>
    send({ method, url: `${prefix}/${path}`, payload });
  const post = (path: string, payload: object) => call('POST', path, payload);
  const get = (path: string, query: Record<string, string | string[]> = {}) =>
    send({ method: 'GET', url: `/api/2.0/mlflow/${path}`, query });
  const createRun = async (): Promise<string> => {
    const { body } = await post('runs/create', { experiment_id: '0', user_id: 'ann', start_time: 5 });
    return (body as never as { run: { info: { run_id: string } } }).run.info.run_id;
  };
  return {
    state,
    makeProject,
    /** A request whose answer is looked at whole. */
    inject,
    /** A request that is answered with JSON. */
    send,
    /** A call under `/api/2.0/mlflow`, or another prefix. */
    call,
    post,
    get,
    createRun,
    /** The text of an answer. */
    read: async (url: string) => (await inject({ method: 'GET', url })).body,
  };
}
