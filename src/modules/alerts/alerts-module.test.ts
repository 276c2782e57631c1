import { expect, test } from 'vitest';
import { createLineageModule } from '#modules/lineage';
import { createConsumers, createEventLog } from '#platform/events';
import { createLogger } from '#platform/log';
import { describeDatabases } from '#platform/testing/database';
import { openTestServer } from '#platform/testing/http';
import { createAlertsModule, type Sighting } from './index.ts';

const someone = { actor: 'system:monitoring' };
const project = 'flights';
const hourMs = 3_600_000;
const decay: Sighting = {
  project,
  fingerprint: 'late:performance:auc',
  kind: 'performance',
  severity: 'critical',
  title: 'AUC fell to 0.61',
  subject: 'monitor:late',
  evidence: { auc: 0.61, n: 900 },
  upstream: ['model:late@1', 'revision:a'],
  model: 'late',
  version: 1,
};

describeDatabases('alerts', (open) => {
  async function setUp() {
    const database = await open();
    const lineage = createLineageModule({ database });
    const module = createAlertsModule({ database, lineage: lineage.api });
    const { api } = module;
    const app = await openTestServer();
    module.routes(app);
    const log = createEventLog(database);
    return {
      database,
      lineage: lineage.api,
      module,
      api,
      app,
      log,
      see: (change: Partial<Sighting> = {}) =>
        database.write(someone, (unit) => api.open(unit, { ...decay, ...change })),
      resolve: (reason = 'a new version was promoted') =>
        database.write(someone, (unit) => api.resolve(unit, { project, fingerprint: decay.fingerprint, reason })),
      events: async () => (await log.list({ project, limit: 100 })).map(({ type }) => type),
    };
  }

  test('a first sighting opens an incident, tells it once and says where it came from', async () => {
    const { see, api, log, lineage, database } = await setUp();
    const first = await see();
    expect(first.opened).toBe(true);
    database.clock.advance(hourMs);
    const second = await see({ title: 'AUC fell to 0.58', evidence: { auc: 0.58, n: 950 } });
    expect(second).toEqual({ alertId: first.alertId, opened: false });
    expect(await api.get(database.read, project, first.alertId)).toMatchObject({
      count: 2,
      title: 'AUC fell to 0.58',
      evidence: { auc: 0.58 },
      lastSeenMs: database.clock.nowMs(),
    });
    const events = await log.list({ types: ['alert.opened'], limit: 10 });
    expect(events).toMatchObject([
      {
        subject: 'alert:late/performance',
        data: { monitor: 'late', model: 'late', version: 1, severity: 'critical', evidence: { auc: 0.61 } },
      },
    ]);
    expect(await log.list({ types: ['alert.seen'], limit: 10 })).toMatchObject([
      {
        subject: 'alert:late/performance',
        data: { alertId: first.alertId, count: 2, clockMs: database.clock.nowMs() },
      },
    ]);
    const { nodes } = await lineage.trace(database.read, project, 'alert:late/performance', { direction: 'up' });
    expect(nodes.map(({ ref }) => ref)).toEqual([
      'alert:late/performance',
      'model:late@1',
      'monitor:late',
      'revision:a',
    ]);
  });

  test('a resolved incident is over; the next sighting is a new one', async () => {
    const { see, resolve, events, api, database } = await setUp();
    const first = await see();
    expect(await resolve()).toBe(true);
    expect(await resolve()).toBe(false);
    expect(await api.findOpen(database.read, project, decay.fingerprint)).toBeUndefined();
    const second = await see();
    expect([second.opened, second.alertId === first.alertId]).toEqual([true, false]);
    expect(await events()).toEqual(['alert.opened', 'alert.resolved', 'alert.opened']);
  });

  test("a cool-down runs on the subject's own clock", async () => {
    const { see, resolve, database } = await setUp();
    const march = Date.UTC(2013, 2, 1);
    const cooldownMs = 24 * hourMs;
    await see({ atMs: march, cooldownMs });
    await resolve();
    database.clock.advance(100 * 24 * hourMs); // wall time does not count
    expect((await see({ atMs: march + cooldownMs - 1, cooldownMs })).opened).toBe(false);
    expect((await see({ atMs: march + cooldownMs, cooldownMs })).opened).toBe(true);
  });

  test('a silenced incident is kept and told when the silence ends and it is seen again', async () => {
    const { see, resolve, events, app, database, api } = await setUp();
    const { alertId } = await see();
    const silenced = await app.inject({
      method: 'POST',
      url: `/projects/flights/api/v1/alerts/${alertId}/silence`,
      payload: { for: '2h', reason: 'maintenance' },
    });
    expect(silenced.json().silencedUntil).toBe('2026-01-01T02:00:00.000Z');
    await resolve();
    const quiet = await see();
    expect(quiet.opened).toBe(true);
    expect(await events()).toEqual(['alert.opened', 'alert.silenced', 'alert.resolved']);
    database.clock.advance(2 * hourMs);
    expect((await see()).alertId).toBe(quiet.alertId);
    await see();
    expect(await events()).toEqual(['alert.opened', 'alert.silenced', 'alert.resolved', 'alert.opened', 'alert.seen']);
    expect(await api.get(database.read, project, quiet.alertId)).toMatchObject({ count: 3, announced: true });
  });

  test('what was never told needs no all-clear', async () => {
    const { see, resolve, events, api, database } = await setUp();
    await database.write(someone, (unit) =>
      api.silence(unit, { project, fingerprint: decay.fingerprint, untilMs: unit.nowMs + hourMs, reason: 'known' }),
    );
    await see();
    await resolve();
    expect(await events()).toEqual(['alert.silenced']);
  });

  test('two sightings at once make one incident', async () => {
    const { see, api, database } = await setUp();
    const opened = await Promise.all([see(), see(), see()]);
    expect(opened.filter((one) => one.opened)).toHaveLength(1);
    expect(await api.list(database.read, { project, limit: 10 })).toMatchObject([{ count: 3 }]);
  });

  test('incidents are listed newest first, filtered, in pages, and resolved by hand', async () => {
    const { see, app } = await setUp();
    for (const kind of ['performance', 'drift', 'quality']) await see({ kind, fingerprint: `late:${kind}` });
    const url = '/projects/flights/api/v1/alerts';
    const first = (await app.inject(`${url}?limit=2`)).json();
    expect(first.items.map((item: { kind: string }) => item.kind)).toEqual(['quality', 'drift']);
    const rest = (await app.inject(`${url}?limit=2&cursor=${first.next}`)).json();
    expect(rest).toMatchObject({ items: [{ kind: 'performance', reference: 'alert:late/performance' }] });
    expect(rest.next).toBeUndefined();

    const { id } = rest.items[0];
    const resolved = await app.inject({ method: 'POST', url: `${url}/${id}/resolve`, payload: { reason: 'fixed' } });
    expect(resolved.json()).toMatchObject({ state: 'resolved', resolvedReason: 'fixed' });
    expect((await app.inject(`${url}/${id}`)).json().state).toBe('resolved');
    for (const reference of ['late/performance', 'alert:late/performance'])
      expect((await app.inject(`${url}/${encodeURIComponent(reference)}`)).json()).toMatchObject({ id });
    expect((await app.inject(`${url}?state=open&kind=drift&subject=monitor:late`)).json().items).toHaveLength(1);
    expect((await app.inject('/api/v1/alerts')).json().items).toEqual([]);
    expect((await app.inject(`/api/v1/alerts/${id}`)).json().error.code).toBe('ALERT_NOT_FOUND');
  });

  test('resolving an old incident by hand leaves the newer one open', async () => {
    const { see, resolve, app, api, database } = await setUp();
    const old = await see();
    await resolve();
    const current = await see();
    const url = `/projects/flights/api/v1/alerts/${old.alertId}/resolve`;
    expect((await app.inject({ method: 'POST', url, payload: { reason: 'x' } })).statusCode).toBe(200);
    expect(await api.findOpen(database.read, project, decay.fingerprint)).toMatchObject({ id: current.alertId });
    const ofKind = '/projects/flights/api/v1/alerts/late%2Fperformance';
    expect((await app.inject(ofKind)).json()).toMatchObject({ id: current.alertId });
    const over = { project, fingerprint: 'late:performance:other', reason: 'x' };
    await see({ fingerprint: over.fingerprint });
    await database.write(someone, (unit) => api.resolve(unit, over));
    expect((await app.inject(ofKind)).json(), 'an open one before a later one').toMatchObject({ id: current.alertId });
    const ended = await app.inject({ method: 'POST', url: `${ofKind}/resolve`, payload: { reason: 'x' } });
    expect(ended.json()).toMatchObject({ id: current.alertId, state: 'resolved' });
    expect((await app.inject('/projects/flights/api/v1/alerts/late%2Fdrift')).statusCode).toBe(404);
  });

  test('a parked event opens a critical incident, which says what to do, until all of its subject are handled', async () => {
    const { module, database, log, app } = await setUp();
    let isBroken = true;
    const logger = createLogger({ level: 'silent' });
    const retry = { attempts: 1, firstWaitMs: 1, longestWaitMs: 1 };
    const consumers = createConsumers({ database, log, clock: database.clock, logger, retry });
    for (const consumer of module.consumers) consumers.add(consumer);
    consumers.add({
      name: 'broken',
      types: ['project.created'],
      async handle() {
        if (isBroken) throw new Error('cannot do it');
      },
    });
    await consumers.start();
    const happen = () =>
      database.write(someone, (unit) =>
        unit.emit({ type: 'project.created', project, subject: 'project:flights', data: {} }),
      );
    await happen();
    const list = async () => (await app.inject('/projects/flights/api/v1/alerts')).json().items;
    await expect.poll(list).toMatchObject([
      {
        kind: 'consumer',
        severity: 'critical',
        subject: 'consumer:broken',
        reference: 'alert:broken/consumer',
        state: 'open',
        evidence: { remedy: expect.stringContaining('tidemill events retry --consumer broken') },
      },
    ]);

    await happen(); // waits behind the first
    await consumers.idle();
    expect(await consumers.listParked()).toHaveLength(2);
    expect(await consumers.retryParked()).toBe(0);
    await consumers.idle();
    expect(await list()).toMatchObject([{ state: 'open' }]);
    isBroken = false;
    expect(await consumers.retryParked()).toBe(2);
    await consumers.idle();
    expect(await list()).toMatchObject([{ state: 'resolved', resolvedReason: expect.stringContaining('handled') }]);
    await consumers.stop();
  });
});
