import { expect, test } from 'vitest';
import { createLineageModule } from '#modules/lineage';
import { createEventLog } from '#platform/events';
import type { Principal } from '#platform/http';
import { describeDatabases } from '#platform/testing/database';
import { aPrincipal, openTestServer } from '#platform/testing/http';
import { createApprovalsModule } from './index.ts';

const project = 'flights';
const subject = 'promotion:p1';
const base = '/projects/flights/api/v1';

describeDatabases('approvals', (open) => {
  async function setUp(first: Principal = aPrincipal('user:anna')) {
    const database = await open();
    const lineage = createLineageModule({ database });
    const module = createApprovalsModule({ database, lineage: lineage.api });
    let caller = first;
    const app = await openTestServer({ authenticate: async () => caller });
    module.routes(app);
    const { api } = module;
    return {
      database,
      api,
      app,
      lineage: lineage.api,
      become: (principal: Principal) => {
        caller = principal;
      },
      request: (requestedBy = 'user:anna', policy = 'risk') =>
        database.write({ actor: requestedBy }, (unit) => api.request(unit, { project, subject, policy, requestedBy })),
      decide: (id: string, granted = true) =>
        app.inject({
          method: 'POST',
          url: `${base}/approvals/${id}/decision`,
          payload: { granted, reason: 'read the card' },
        }),
      events: async () =>
        (await createEventLog(database).list({ project, limit: 50 })).map(({ type, data }) => ({ type, data })),
    };
  }

  test('a second person grants, with a reason, and the lineage names the approval', async () => {
    const { request, decide, become, events, lineage, database } = await setUp();
    const id = await request();
    become(aPrincipal('user:ben'));
    const granted = await decide(id);
    expect(granted.json()).toMatchObject({
      state: 'granted',
      requestedBy: 'user:anna',
      decidedBy: 'user:ben',
      reason: 'read the card',
    });
    expect(await events()).toMatchObject([
      { type: 'approval.requested', data: { approvalId: id, policy: 'risk' } },
      { type: 'approval.decided', data: { approvalId: id, policy: 'risk', granted: true, reason: 'read the card' } },
    ]);
    const { edges } = await lineage.trace(database.read, project, subject, { direction: 'up' });
    expect(edges).toMatchObject([{ from: `approval:${id}`, to: subject, kind: 'approved', actor: 'user:ben' }]);
  });

  test('whoever asked may not grant, unless the policy says so; on a server without authentication too', async () => {
    const { request, decide, app } = await setUp(aPrincipal('user:local'));
    const id = await request('user:local');
    const refused = await decide(id);
    expect([refused.statusCode, refused.json().error.code]).toEqual([403, 'SECOND_PERSON_REQUIRED']);
    const policy = { method: 'PUT', url: `${base}/approval-policies/risk`, payload: { selfApproval: true } } as const;
    expect((await app.inject(policy)).json()).toEqual({ name: 'risk', selfApproval: true });
    expect((await app.inject(`${base}/approval-policies`)).json().items).toEqual([
      { name: 'risk', selfApproval: true },
    ]);
    expect((await decide(id)).json().state).toBe('granted');
  });

  test('a request of the loop itself may be granted by anybody who may approve', async () => {
    const { request, decide } = await setUp(aPrincipal('user:local'));
    expect((await decide(await request('system:pipelines'))).json().state).toBe('granted');
  });

  test('whoever asked may refuse, and a decision is taken once', async () => {
    const { request, decide, events } = await setUp();
    const id = await request();
    expect((await decide(id, false)).json().state).toBe('refused');
    const again = await decide(id, true);
    expect([again.statusCode, again.json().error.code]).toEqual([409, 'APPROVAL_DECIDED']);
    expect((await events()).map(({ type }) => type)).toEqual(['approval.requested', 'approval.decided']);
  });

  test('of two who decide at once, one is told that it is decided', async () => {
    const { request, decide } = await setUp();
    const id = await request('user:carla');
    const answers = await Promise.all([decide(id, true), decide(id, false)]);
    expect(new Set(answers.map(({ statusCode }) => statusCode))).toEqual(new Set([200, 409]));
  });

  test('what it is about and the message of whoever asks are shown to whoever decides', async () => {
    const { app, api, database, request } = await setUp();
    const words = { about: 'pipeline train, step ask', message: 'AUC is 0.93' };
    const id = await database.write({ actor: 'user:anna' }, (unit) =>
      api.request(unit, {
        project,
        subject: 'pipeline-step:r/ask',
        policy: 'risk',
        requestedBy: 'user:anna',
        ...words,
      }),
    );
    expect((await app.inject(`${base}/approvals/${id}`)).json()).toMatchObject(words);
    expect((await app.inject(`${base}/approvals`)).json().items).toMatchObject([words]);
    const plain = (await app.inject(`${base}/approvals/${await request()}`)).json();
    expect([plain.about, plain.message]).toEqual([undefined, undefined]);
  });

  test('asking again while one is pending is the same request; after a decision it is a new one', async () => {
    const { request, decide, become } = await setUp();
    const id = await request();
    expect(await request()).toBe(id);
    expect(await request('user:anna', 'legal')).not.toBe(id);
    become(aPrincipal('user:ben'));
    await decide(id);
    expect(await request()).not.toBe(id);
  });

  test('what needs no decision any more is withdrawn', async () => {
    const { request, decide, api, database } = await setUp();
    const id = await request();
    await database.write({ actor: 'system:registry' }, (unit) =>
      api.withdraw(unit, { project, subject, reason: 'the gate refused it' }),
    );
    expect(await api.get(database.read, project, id)).toMatchObject({
      state: 'withdrawn',
      decidedBy: 'system:registry',
    });
    expect((await decide(id, false)).statusCode).toBe(409);
  });

  test('only an approver decides', async () => {
    const { request, decide, become, api, database } = await setUp();
    const id = await request();
    const editor: Principal = { id: 'user:ed', can: (permission) => permission === 'read' || permission === 'write' };
    become(editor);
    expect((await decide(id)).statusCode).toBe(403);
    const decision = { project, approvalId: id, granted: true, reason: 'x', principal: editor };
    await expect(database.write({ actor: editor.id }, (unit) => api.decide(unit, decision))).rejects.toMatchObject({
      code: 'APPROVAL_FORBIDDEN',
    });
  });

  test('requests are listed newest first, filtered and in pages', async () => {
    const { request, decide, become, app } = await setUp();
    const ids = [
      await request('user:anna', 'one'),
      await request('user:anna', 'two'),
      await request('user:anna', 'three'),
    ];
    const first = (await app.inject(`${base}/approvals?limit=2`)).json();
    expect(first.items.map((item: { id: string }) => item.id)).toEqual([ids[2], ids[1]]);
    const rest = (await app.inject(`${base}/approvals?limit=2&cursor=${first.next}`)).json();
    expect(rest.items).toMatchObject([{ id: ids[0], subject, state: 'pending' }]);
    become(aPrincipal('user:ben'));
    await decide(ids[1] ?? '');
    expect((await app.inject(`${base}/approvals?state=pending&subject=${subject}`)).json().items).toHaveLength(2);
    expect((await app.inject(`${base}/approvals/${ids[1]}`)).json().state).toBe('granted');
    expect((await app.inject('/api/v1/approvals')).json().items).toEqual([]);
  });
});
