import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { useMlflow } from './testing/mlflow-test-client.ts';

describeDatabases("MLflow's artifacts", (open) => {
  const { createRun, get, inject, send, state } = useMlflow(open);

  test('artifacts are put, listed from both roots, read and removed', async () => {
    const run_id = await createRun();
    const proxy = '/api/2.0/mlflow-artifacts/artifacts';
    const url = `${proxy}/0/${run_id}/artifacts/plots/a%20b.txt`;
    const put = await send({ method: 'PUT', url, payload: Buffer.from('hello') });
    expect(put.status).toBe(200);
    expect((await get('artifacts/list', { run_id })).body).toEqual({
      root_uri: `mlflow-artifacts:/0/${run_id}/artifacts`,
      files: [{ path: 'plots', is_dir: true }],
    });
    expect((await get('artifacts/list', { run_id, path: 'plots' })).body).toMatchObject({
      files: [{ path: 'plots/a b.txt', is_dir: false, file_size: 5 }],
    });
    const listed = await send({ method: 'GET', url: proxy, query: { path: `0/${run_id}/artifacts/plots` } });
    expect(listed.body).toEqual({ files: [{ path: 'a b.txt', is_dir: false, file_size: 5 }] });
    const whole = await inject({ method: 'GET', url });
    expect([whole.statusCode, whole.body, whole.headers['content-length']]).toEqual([200, 'hello', '5']);
    const page = `/get-artifact?run_id=${run_id}&path=plots/a%20b.txt`;
    const shown = await inject({ method: 'GET', url: page });
    expect(shown.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-disposition': expect.stringContaining('attachment'),
      'x-content-type-options': 'nosniff',
    });
    const viewed = await inject({ method: 'GET', url: `${page}&view=yes` });
    expect(viewed.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'content-disposition': expect.stringContaining('inline'),
      'content-security-policy': expect.stringContaining('sandbox'),
      'x-content-type-options': 'nosniff',
    });
    for (const name of ['page.html', 'drawing.svg', 'no-extension']) {
      await send({ method: 'PUT', url: `${proxy}/0/${run_id}/artifacts/plots/${name}`, payload: Buffer.from('x') });
      const kept = await inject({ method: 'GET', url: `/get-artifact?run_id=${run_id}&path=plots/${name}&view=yes` });
      expect([kept.statusCode, kept.headers['content-disposition']]).toEqual([
        200,
        expect.stringContaining('attachment'),
      ]);
    }
    for (const path of ['../x', '%2e%2e/x', '%252e%252e/x', '/etc/passwd', 'a%00b', 'a/%2e%2e/%2e%2e/x', '..%5cx'])
      expect(
        (await send({ method: 'PUT', url: `${proxy}/${path}`, payload: Buffer.from('x') })).status,
      ).toBeGreaterThanOrEqual(400);
    expect((await get('artifacts/list', { run_id, path: '../..' })).status).toBe(400);
    const noName = 'registry-files/%25/1'; // a bare % once decoded
    expect((await send({ method: 'GET', url: `${proxy}/${noName}/x` })).status).toBe(404);
    expect((await send({ method: 'GET', url: `${proxy}?path=${noName}` })).body).toEqual({});
    expect((await send({ method: 'DELETE', url: `${proxy}/0/${run_id}/artifacts/plots`, payload: {} })).status).toBe(
      200,
    );
    expect((await send({ method: 'GET', url })).status).toBe(404);
  });

  test('the files of a version and of a logged model are shown to pages', async () => {
    const { body } = await send({
      method: 'POST',
      url: '/api/2.0/mlflow/logged-models',
      payload: { experiment_id: '0', name: 'm' },
    });
    const { model_id } = (body as never as { model: { info: { model_id: string } } }).model.info;
    const file = `/api/2.0/mlflow-artifacts/artifacts/0/models/${model_id}/artifacts/MLmodel`;
    await send({ method: 'PUT', url: file, payload: Buffer.from('flavors: {}') });
    const files = [{ path: 'MLmodel', is_dir: false, file_size: 11 }];
    expect((await get(`logged-models/${model_id}/artifacts/directories`)).body).toMatchObject({ files });
    const post = (path: string, payload: object) => send({ method: 'POST', url: `/api/2.0/mlflow/${path}`, payload });
    await post('registered-models/create', { name: 'm' });
    await post('model-versions/create', { name: 'm', source: `models:/${model_id}` });
    const page = await inject({ method: 'GET', url: '/model-versions/get-artifact?name=m&version=1&path=MLmodel' });
    expect(page.body).toBe('flavors: {}');
  });

  test('every call that the table of artifactPages calls supported has answered', () => {
    expect(state.server.unanswered('artifactPages')).toEqual([]);
  });
});
