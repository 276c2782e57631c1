import { beforeEach, expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { useMlflow } from './testing/mlflow-test-client.ts';

describeDatabases("MLflow's workspaces", (open) => {
  const { state } = useMlflow(open);
  /** A request to the bare root. */
  async function ask(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, payload?: object, workspace?: string) {
    const headers = { host: 'localhost', ...(workspace !== undefined && { 'X-MLFLOW-WORKSPACE': workspace }) };
    const response = await state.server.app.inject({ method, url, headers, ...(payload && { payload }) });
    return { status: response.statusCode, body: response.body === '' ? {} : JSON.parse(response.body) };
  }
  const workspaces = '/api/3.0/mlflow/workspaces';
  const experiments = '/api/2.0/mlflow/experiments';
  let name: string;

  beforeEach(async () => {
    name = `${state.project}-w`;
    await ask('POST', workspaces, { name, description: 'flights' });
  });

  test('are projects: made, listed, read and described, and never removed', async () => {
    const workspace = { name, description: 'flights' };
    const made = await ask('POST', workspaces, { name: `${name}-b` });
    expect(made).toEqual({ status: 201, body: { workspace: { name: `${name}-b` } } });
    expect((await ask('GET', `${workspaces}/${name}`)).body).toEqual({ workspace });
    const { body } = await ask('GET', workspaces);
    expect(body.workspaces).toEqual(expect.arrayContaining([{ name: 'default' }, workspace, { name: `${name}-b` }]));
    expect((await ask('PATCH', `${workspaces}/${name}`, { description: 'trains' })).body).toEqual({
      workspace: { name, description: 'trains' },
    });
    expect(await ask('POST', workspaces, { name })).toMatchObject({
      status: 400,
      body: { error_code: 'RESOURCE_ALREADY_EXISTS' },
    });
    expect(await ask('GET', `${workspaces}/nowhere`)).toMatchObject({
      status: 404,
      body: {
        error_code: 'RESOURCE_DOES_NOT_EXIST',
        message: expect.stringContaining("Workspace 'nowhere' not found"),
      },
    });
    for (const payload of [{ name: 'a b' }, {}, { name: 'x', default_artifact_root: 's3://b' }])
      expect((await ask('POST', workspaces, payload)).status).toBe(400);
    expect((await ask('PATCH', `${workspaces}/${name}`, {})).status).toBe(400);
    expect((await ask('DELETE', `${workspaces}/${name}`, {})).status).toBe(501);
  });

  test('the header names the project as the prefix does, for every call and for artifacts', async () => {
    expect((await ask('POST', `${experiments}/create`, { name: 'e' }, ` ${name} `)).body).toEqual({
      experiment_id: '1',
    });
    const byName = `${experiments}/get-by-name?experiment_name=e`;
    expect((await ask('GET', byName, undefined, name)).body.experiment).toMatchObject({ workspace: name });
    expect((await ask('GET', `/projects/${name}${byName}`)).status).toBe(200);
    expect((await ask('GET', `/projects/${name}${byName}`, undefined, name)).status).toBe(200);
    expect((await ask('GET', byName)).status).toBe(404);
    const artifact = '/api/2.0/mlflow-artifacts/artifacts/1/a.txt';
    const put = await state.server.app.inject({
      method: 'PUT',
      url: artifact,
      headers: { host: 'localhost', 'x-mlflow-workspace': name },
      payload: Buffer.from('hello'),
    });
    expect(put.statusCode).toBe(200);
    const read = await state.server.app.inject({ url: `/projects/${name}${artifact}`, headers: { host: 'localhost' } });
    expect(read.body).toBe('hello');
    expect((await ask('GET', artifact)).status).toBe(404);
  });

  test('a header that differs from the prefix, names nothing or what is not there is refused', async () => {
    const read = `${experiments}/get?experiment_id=0`;
    expect(await ask('GET', `/projects/${name}${read}`, undefined, 'default')).toMatchObject({
      status: 400,
      body: { error_code: 'INVALID_PARAMETER_VALUE', message: expect.stringContaining(name) },
    });
    expect((await ask('GET', read, undefined, 'a b')).status).toBe(400);
    expect((await ask('GET', read, undefined, '../x')).status).toBe(400);
    expect(await ask('GET', read, undefined, 'nowhere')).toMatchObject({
      status: 404,
      body: {
        error_code: 'RESOURCE_DOES_NOT_EXIST',
        message: expect.stringContaining("Workspace 'nowhere' not found"),
      },
    });
    expect((await ask('GET', read, undefined, '')).status).toBe(200);
    // a client asks what the server can do before it knows whether its workspace is there
    const info = await ask('GET', '/api/3.0/mlflow/server-info', undefined, 'nowhere');
    expect(info).toMatchObject({ status: 200, body: { workspaces_enabled: true } });
  });

  test('permissions are asked for the project that the header names', async () => {
    state.principal = { id: 'token:one', can: (permission, project) => permission === 'read' || project === name };
    expect((await ask('POST', `${experiments}/create`, { name: 'e' }, name)).status).toBe(200);
    expect((await ask('POST', `${experiments}/create`, { name: 'e' })).status).toBe(403);
    expect(await ask('POST', workspaces, { name: 'mine' })).toMatchObject({
      status: 403,
      body: { error_code: 'PERMISSION_DENIED' },
    });
    state.principal = { id: 'token:two', can: (permission, project) => permission === 'read' && project === 'default' };
    expect((await ask('GET', `${workspaces}/${name}`)).status).toBe(404);
    expect((await ask('GET', workspaces)).body).toEqual({ workspaces: [{ name: 'default' }] });
    // clients name no project when they ask for those that there are: a role in any of them is enough
    state.principal = { id: 'token:three', can: (permission, project) => permission === 'read' && project === name };
    expect((await ask('GET', workspaces)).body.workspaces).toEqual([{ name, description: 'flights' }]);
    expect((await ask('GET', `${workspaces}/${name}`)).status).toBe(200);
    expect((await ask('GET', `${workspaces}/default`)).status).toBe(404);
    expect((await ask('PATCH', `${workspaces}/${name}`, { description: 'mine' })).status).toBe(403);
  });

  test('every call that the table of server calls supported has answered', () => {
    expect(state.server.unanswered('server')).toEqual([]);
  });
});
