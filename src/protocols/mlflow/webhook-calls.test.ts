import { expect, test } from 'vitest';
import { describeDatabases } from '#platform/testing/database';
import { useMlflow } from './testing/mlflow-test-client.ts';

/** The calls alone; what is sent is in `tests/mlflow-webhooks.test.ts`, with a real receiver. */
describeDatabases('webhooks over the MLflow protocol', (open) => {
  const { state, post, get, call } = useMlflow(open);

  test('a webhook is made, listed, changed, tried and removed; only an admin may, and nobody reads its secret', async () => {
    const events = [{ entity: 'PROMPT', action: 'CREATED' }];
    const made = await post('webhooks', { name: 'one', url: 'https://nowhere.invalid/', events, secret: 'only-mine' });
    expect(made).toMatchObject({ status: 200, body: { webhook: { name: 'one', events, status: 'ACTIVE' } } });
    const id = (made.body as never as { webhook: { webhook_id: string } }).webhook.webhook_id;
    const changed = await call('PATCH', `webhooks/${id}`, {
      description: 'why',
      status: 'DISABLED',
      secret: 'another',
    });
    expect(changed.body).toMatchObject({ webhook: { description: 'why', status: 'DISABLED', events } });
    const one = await get(`webhooks/${id}`);
    const all = await get('webhooks');
    expect(all.body).toEqual({ webhooks: [one.body['webhook']] });
    for (const { body } of [made, changed, one, all]) expect(JSON.stringify(body)).not.toMatch(/only-mine|another/);
    expect((await post(`webhooks/${id}/test`, {})).body).toMatchObject({
      result: { success: false, error_message: expect.stringContaining('nowhere.invalid') },
    });

    state.principal = { id: 'user:ann', can: (permission) => permission === 'read' || permission === 'write' };
    for (const refused of [
      await post('webhooks', { name: 'two', url: 'https://nowhere.invalid/', events }),
      await call('PATCH', `webhooks/${id}`, { name: 'mine' }),
      await call('DELETE', `webhooks/${id}`, {}),
      await post(`webhooks/${id}/test`, {}),
    ])
      expect(refused).toMatchObject({ status: 403, body: { error_code: 'PERMISSION_DENIED' } });
    state.principal = { id: 'user:root', can: () => true };
    expect(await call('DELETE', `webhooks/${id}`, {})).toEqual({ status: 200, body: {} });
    expect((await get('webhooks')).body).toEqual({});
  });

  test('everything that is called supported was answered', () => {
    expect(state.server.unanswered('webhooks')).toEqual([]);
  });
});
