import { createHmac } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { TriggerSpec } from '#contracts/automation';
import type { RunState } from '#contracts/pipelines';
import { createAlertsModule } from '#modules/alerts';
import { createLineageModule } from '#modules/lineage';
import { createSecretsModule } from '#modules/secrets';
import type { Unit } from '#platform/database';
import { AppError } from '#platform/errors';
import { createConsumers, createEventLog } from '#platform/events';
import { createLogger } from '#platform/log';
import { describeDatabases } from '#platform/testing/database';
import { openTestServer } from '#platform/testing/http';
import { createAutomationModule } from './index.ts';
import { nameTrigger } from './trigger-name.ts';
import type { Resolve } from './webhook-address.ts';

const project = 'flights';
const someone = { actor: 'user:test' };
const dayMs = 86_400_000;
const retrain: TriggerSpec = { on: 'alert:late/performance', run: 'pipeline:train', cooldown: '21d' };
const addressOf = (path: string) => `/projects/${project}/api/v1${path}`;
const snapshot = { digest: '0'.repeat(64), files: [], readText: () => undefined };

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A receiver on loopback that answers what it is told, one status after another. */
async function openReceiver(statuses: readonly number[] = [204]) {
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const status = statuses[Math.min(received.length, statuses.length - 1)] ?? 204;
      received.push({ headers: request.headers, body });
      response.writeHead(status, { location: `http://127.0.0.1:${port}/elsewhere` }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { url: `http://127.0.0.1:${port}/hook`, port, received };
}

describeDatabases('automation', (open) => {
  async function setUp(options: { readonly webhookHosts?: readonly string[]; readonly resolve?: Resolve } = {}) {
    const database = await open();
    const lineage = createLineageModule({ database });
    const alerts = createAlertsModule({ database, lineage: lineage.api });
    const secrets = createSecretsModule({
      database,
      keyFile: join(mkdtempSync(join(tmpdir(), 'tidemill-automation-')), 'secret.key'),
    });
    const runs: { readonly trigger: string; readonly params: unknown; readonly cause: string | undefined }[] = [];
    let refuse = false;
    let runState: RunState = 'succeeded';
    const module = createAutomationModule({
      database,
      clock: database.clock,
      logger: createLogger({ level: 'silent' }),
      lineage: lineage.api,
      alerts: alerts.api,
      secrets: secrets.api,
      webhookHosts: options.webhookHosts ?? [],
      ...(options.resolve !== undefined && { resolve: options.resolve }),
      pipelines: {
        completeStep: () => Promise.reject(new Error('no step waits here')),
        async run(unit: Unit, { trigger, params }) {
          if (refuse) throw new AppError('PIPELINE_INPUT_MISSING', 'invalid', 'dataset:flights has no version yet');
          const { cause } = unit.context;
          unit.afterCommit(() => runs.push({ trigger, params, cause })); // a unit may be run again
          return unit.newId();
        },
        get: async () => ({ run: { state: runState } }),
      },
    });
    const app = await openTestServer();
    module.routes(app);
    const log = createEventLog(database);
    const consumers = createConsumers({
      database,
      log,
      clock: database.clock,
      logger: createLogger({ level: 'silent' }),
      retry: { attempts: 1, firstWaitMs: 1, longestWaitMs: 1 },
    });
    for (const consumer of module.consumers) consumers.add(consumer);
    await consumers.start();
    await module.start();
    onTestFinished(async () => {
      await consumers.stop();
      await module.stop();
    });
    return {
      database,
      module,
      lineage: lineage.api,
      alerts: alerts.api,
      consumers,
      log,
      runs,
      refuseRuns: (refused = true) => (refuse = refused),
      runsAre: (state: RunState) => (runState = state),
      get: async (path: string) => (await app.inject(addressOf(path))).json(),
      send: (method: 'POST' | 'PATCH' | 'DELETE', path: string, payload?: object, headers = {}) =>
        app.inject({ method, url: addressOf(path), headers, ...(payload !== undefined && { payload }) }),
      declare: (spec: TriggerSpec) =>
        database.write(someone, (unit) =>
          module.kind.apply(unit, project, { name: nameTrigger(spec), before: undefined, after: spec, snapshot }),
        ),
      openAlert: (atMs: number, fingerprint = `late:performance:${atMs}`) =>
        database.write(someone, (unit) =>
          alerts.api.open(unit, {
            project,
            fingerprint,
            kind: 'performance',
            severity: 'critical',
            title: 'AUC fell to 0.61',
            subject: 'monitor:late',
            evidence: { auc: 0.61 },
            atMs,
          }),
        ),
      emitVersion: (version: number) =>
        database.write(someone, (unit) =>
          unit.emit({
            type: 'dataset.version.created',
            project,
            subject: `dataset:flights@${version}`,
            data: { dataset: 'flights', version, rows: 10, parts: 1 },
          }),
        ),
    };
  }

  test('an alert starts its pipeline, and the run is downstream of the alert', async () => {
    const { declare, openAlert, consumers, runs, get, lineage, database, log } = await setUp();
    await declare(retrain);
    await openAlert(Date.UTC(2013, 3, 10));
    await consumers.idle();
    const name = nameTrigger(retrain);
    const [opened] = await log.list({ types: ['alert.opened'], limit: 1 });
    expect(runs).toEqual([{ trigger: `trigger:${name}`, params: undefined, cause: opened?.id }]);
    const { items } = await get('/firings');
    expect(items).toMatchObject([
      {
        trigger: name,
        state: 'fired',
        cause: opened?.id,
        causeSubject: 'alert:late/performance',
        clockAt: '2013-04-10T00:00:00.000Z',
      },
    ]);
    const { nodes } = await lineage.trace(database.read, project, items[0].run, { direction: 'up' });
    expect(nodes.map(({ ref }) => ref)).toContain('monitor:late');
    expect(await log.list({ types: ['trigger.fired'], limit: 9 })).toMatchObject([
      { subject: `trigger:${name}`, cause: opened?.id, data: { action: 'pipeline:train', result: items[0].run } },
    ]);
  });

  test('a cool-down runs on the clock of the alert, and says why it let a cause pass', async () => {
    const { declare, openAlert, consumers, runs, get, database } = await setUp();
    await declare(retrain);
    const april = Date.UTC(2013, 3, 10);
    await openAlert(april);
    await consumers.idle();
    database.clock.advance(100 * dayMs); // wall time does not count
    await openAlert(april + 21 * dayMs - 1);
    await consumers.idle();
    expect(runs).toHaveLength(1);
    const suppressed = await get('/firings');
    expect(suppressed.items[0]).toMatchObject({
      state: 'suppressed',
      reason: 'it fired at 2013-04-10T00:00:00.000Z and keeps still until 2013-05-01T00:00:00.000Z (cooldown 21d)',
    });
    await openAlert(april + 21 * dayMs);
    await consumers.idle();
    expect(runs).toHaveLength(2);
  });

  test('an incident that stays open fires again after the cool-down; what is let pass is told once', async () => {
    const { declare, openAlert, consumers, runs, get, log } = await setUp();
    await declare(retrain);
    const april = Date.UTC(2013, 3, 10);
    const seeOn = async (day: number) => {
      await openAlert(april + day * dayMs, 'monitor:late/performance');
      await consumers.idle();
    };
    for (let day = 0; day < 21; day += 1) await seeOn(day);
    expect(runs).toHaveLength(1);
    const states = async () => (await get('/firings')).items.map(({ state }: { readonly state: string }) => state);
    expect(await states()).toEqual(['suppressed', 'fired']);
    for (let day = 21; day < 45; day += 1) await seeOn(day);
    expect(runs).toHaveLength(3);
    expect(await states()).toEqual(['suppressed', 'fired', 'suppressed', 'fired', 'suppressed', 'fired']);
    expect((await log.list({ types: ['trigger.suppressed'], limit: 99 })).length).toBe(3);
    // each run is of the sighting that led to it
    const seen = await log.list({ types: ['alert.opened', 'alert.seen'], limit: 99, order: 'asc' });
    expect(runs.map(({ cause }) => seen.findIndex(({ id }) => id === cause))).toEqual([0, 21, 42]);
  });

  test('without a cool-down of its own an open incident fires once a day, and not beside the run before', async () => {
    const { declare, openAlert, consumers, runs, runsAre, get } = await setUp();
    await declare({ on: 'alert:late/performance', run: 'pipeline:train' });
    const april = Date.UTC(2013, 3, 10);
    const seeAfter = async (days: number) => {
      await openAlert(april + days * dayMs, 'monitor:late/performance');
      await consumers.idle();
      return runs.length;
    };
    expect(await seeAfter(0)).toBe(1);
    expect(await seeAfter(0.5)).toBe(1);
    expect(await seeAfter(1)).toBe(2);
    runsAre('running');
    expect(await seeAfter(2)).toBe(2);
    expect((await get('/firings')).items[0]).toMatchObject({
      state: 'suppressed',
      reason: expect.stringMatching(/^run:.*, which it started before, is not over$/),
    });
    runsAre('failed');
    expect(await seeAfter(3)).toBe(3);
  });

  test('a pipeline that could not start is tried again when the incident is seen again', async () => {
    const { declare, openAlert, consumers, runs, refuseRuns, get } = await setUp();
    await declare(retrain);
    refuseRuns();
    for (const day of [0, 1, 2]) await openAlert(Date.UTC(2013, 3, 10 + day), 'monitor:late/performance');
    await consumers.idle();
    expect((await get('/firings')).items).toMatchObject([{ state: 'failed' }]);
    refuseRuns(false);
    await openAlert(Date.UTC(2013, 3, 13), 'monitor:late/performance');
    await consumers.idle();
    expect(runs).toHaveLength(1);
  });

  test('a dataset version and a moved alias fire; a rollback and what happened before the trigger do not', async () => {
    const { declare, emitVersion, consumers, runs, database } = await setUp();
    await emitVersion(1);
    database.clock.advance(1);
    await declare({ on: 'dataset:flights', run: 'pipeline:profile', params: { deep: true } });
    await declare({ on: 'model:late@champion', run: 'pipeline:report' });
    const move = (to: number, reason: string) =>
      database.write(someone, (unit) =>
        unit.emit({
          type: 'registry.alias.moved',
          project,
          subject: 'model:late@champion',
          data: { model: 'late', alias: 'champion', to, reason },
        }),
      );
    await emitVersion(2);
    await move(2, 'promoted');
    await move(1, 'rolled-back');
    await consumers.idle();
    expect(runs.map(({ trigger, params }) => [trigger.split('-').slice(0, 3).join('-'), params])).toEqual([
      ['trigger:dataset-flights-profile', { deep: true }],
      ['trigger:model-late-champion', undefined],
    ]);
  });

  test('a pipeline that cannot start is a failed firing with its reason, not a stuck event', async () => {
    const { declare, emitVersion, consumers, refuseRuns, get } = await setUp();
    await declare({ name: 'fresh', on: 'dataset:flights', run: 'pipeline:train' });
    refuseRuns();
    await emitVersion(1);
    await consumers.idle();
    expect(await consumers.listParked()).toEqual([]);
    expect((await get('/triggers/fresh')).lastFiring).toMatchObject({
      state: 'failed',
      reason: 'dataset:flights has no version yet',
    });
  });

  test('one cause fires once; by hand it fires in spite of a cool-down, once a request', async () => {
    const { declare, module, database, send, runs } = await setUp();
    await declare({ ...retrain, name: 'retrain' });
    const cause = { id: 'event-1', subject: 'alert:late/performance', clockMs: 0 };
    const fire = () => database.write(someone, (unit) => module.api.fire(unit, project, 'retrain', cause));
    const [first, second] = await Promise.all([fire(), fire()]);
    expect(second).toEqual(first);
    const byHand = () => send('POST', '/triggers/retrain/fire', undefined, { 'x-request-id': 'mine' });
    const answers = [await byHand(), await byHand()];
    expect(answers.map((answer) => answer.json().state)).toEqual(['fired', 'fired']);
    expect(answers[0]?.json().id).toBe(answers[1]?.json().id);
    expect(runs).toHaveLength(2);
    const missing = await send('POST', '/triggers/retrian/fire');
    expect(missing.json().error).toMatchObject({
      code: 'TRIGGER_NOT_FOUND',
      message: 'there is no trigger "retrian" in this project; did you mean "retrain"?',
    });
  });

  test('a cron fires once for all the times that it missed, and its next time is kept', async () => {
    const { declare, module, database, get, runs } = await setUp();
    await declare({ name: 'nightly', cron: '0 3 * * *', zone: 'Europe/Berlin', run: 'pipeline:train' });
    expect((await get('/triggers/nightly')).nextAt).toBe('2026-01-01T02:00:00.000Z');
    await module.stop();
    database.clock.advance(5 * dayMs + 3 * 3_600_000);
    await module.runDueCrons();
    await module.runDueCrons();
    expect(runs).toHaveLength(1);
    const { nextAt, lastFiring } = await get('/triggers/nightly');
    expect(nextAt).toBe('2026-01-07T02:00:00.000Z');
    expect(lastFiring).toMatchObject({ state: 'fired', cause: 'cron:2026-01-06T02:00:00.000Z' });
  });

  test('a changed trigger keeps what it did; a pruned one is gone', async () => {
    const { declare, database, module, get } = await setUp();
    await declare(retrain);
    await declare({ ...retrain, cooldown: '7d' });
    const name = nameTrigger(retrain);
    expect((await get('/triggers')).items).toMatchObject([{ name, generation: 2, spec: { cooldown: '7d' } }]);
    expect(await module.kind.current(database.read, project)).toEqual(
      new Map([[name, { ...retrain, cooldown: '7d' }]]),
    );
    await database.write(someone, (unit) =>
      module.kind.apply(unit, project, { name, before: retrain, after: undefined, snapshot }),
    );
    expect((await get('/triggers')).items).toEqual([]);
  });

  test('a webhook gets its events, signed, and the log says so', async () => {
    const { send, get, emitVersion, consumers, module, database, log } = await setUp({ webhookHosts: ['127.0.0.1'] });
    const { url, received } = await openReceiver();
    const made = await send('POST', '/webhooks', { url, types: ['dataset.version.created'] });
    expect(made.statusCode).toBe(201);
    const { id, secret } = made.json();
    await emitVersion(7);
    await consumers.idle();
    await module.idle();
    const [event] = await log.list({ types: ['dataset.version.created'], limit: 1 });
    const [{ headers, body } = { headers: {}, body: '' }] = received;
    expect(JSON.parse(body)).toMatchObject({
      id: event?.id,
      type: 'dataset.version.created',
      project,
      data: { version: 7 },
    });
    expect(headers['idempotency-key']).toBe(event?.id);
    const seconds = Math.floor(database.clock.nowMs() / 1000);
    const expected = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
    expect(headers['tidemill-signature']).toBe(`t=${seconds},v1=${expected}`);
    const deliveries = await get(`/webhooks/${id}/deliveries?state=delivered`);
    expect(deliveries.items).toMatchObject([{ eventId: event?.id, status: 204, attempts: 1 }]);
    expect((await get('/webhooks')).items[0]).not.toHaveProperty('secret');
  });

  test('what is not taken is tried again later each time, with the same id; then an alert says so', async () => {
    const { send, get, emitVersion, consumers, module, database, alerts } = await setUp({
      webhookHosts: ['127.0.0.1'],
    });
    const { url, received } = await openReceiver([500, 302, 500, 500, 500, 500, 500, 503, 200]);
    const { id } = (await send('POST', '/webhooks', { url, types: ['dataset.version.created'] })).json();
    await emitVersion(1);
    await consumers.idle();
    await module.idle();
    const path = `/webhooks/${id}/deliveries`;
    expect((await get(path)).items[0]).toMatchObject({ state: 'pending', attempts: 1, error: 'it answered 500' });
    await module.idle();
    expect(received).toHaveLength(1); // not before its time
    const waitsMs: number[] = [];
    for (let item = (await get(path)).items[0]; item.state === 'pending'; item = (await get(path)).items[0]) {
      waitsMs.push(Date.parse(item.nextAt) - database.clock.nowMs());
      database.clock.advance(waitsMs.at(-1) ?? 0);
      await module.idle();
    }
    expect(waitsMs).toEqual([5_000, 15_000, 45_000, 135_000, 405_000, 1_215_000, 3_600_000]);
    expect(received).toHaveLength(8); // the redirect was not followed
    expect(new Set(received.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    const [failed] = (await get(path)).items;
    expect(failed).toMatchObject({ state: 'failed', status: 503, attempts: 8 });
    expect(await alerts.findOpen(database.read, project, `webhook:${id}`)).toMatchObject({ severity: 'warning' });

    await send('POST', `${path}/${failed.id}/retry`);
    await module.idle();
    expect((await get(path)).items).toMatchObject([{ state: 'delivered', status: 200 }]);
    expect(await alerts.findOpen(database.read, project, `webhook:${id}`)).toBeUndefined();
  });

  test('an address inside a private network is refused, as a number and as a name', async () => {
    const { send } = await setUp({ resolve: async () => [{ address: '10.0.0.8', family: 4 }] });
    const { url } = await openReceiver();
    const types = ['alert.opened'];
    const codes: string[] = [];
    for (const target of [url, 'http://[::ffff:7f00:1]/', 'http://2130706433/', 'https://inside.example/hook'])
      codes.push((await send('POST', '/webhooks', { url: target, types })).json().error?.code);
    expect(codes).toEqual(Array.from({ length: 4 }, () => 'WEBHOOK_ADDRESS_REFUSED'));
    const withPassword = await send('POST', '/webhooks', { url: 'https://a:b@hooks.example/', types });
    expect(withPassword.json().error.code).toBe('WEBHOOK_URL_INVALID');
    const unknownType = await send('POST', '/webhooks', { url: 'https://hooks.example/', types: ['job.finished'] });
    expect(unknownType.statusCode).toBe(400);
  });

  test('a name that turns private after it was checked reaches nobody', async () => {
    let address = '93.184.215.14';
    const { send, get, emitVersion, consumers, module } = await setUp({
      resolve: async () => [{ address, family: 4 }],
    });
    const { port, received } = await openReceiver();
    const target = `http://hooks.example:${port}/`;
    const made = await send('POST', '/webhooks', { url: target, types: ['dataset.version.created'] });
    expect(made.statusCode).toBe(201);
    address = '127.0.0.1';
    await emitVersion(1);
    await consumers.idle();
    await module.idle();
    expect(received).toEqual([]);
    const { items } = await get(`/webhooks/${made.json().id}/deliveries`);
    expect(items[0].error).toContain('hooks.example is at 127.0.0.1, inside a private network');
  });

  test("a name on the operator's list is connected to at the very address that was looked up", async () => {
    let lookups = 0;
    const { send, emitVersion, consumers, module } = await setUp({
      webhookHosts: ['hooks.internal'],
      resolve: async () => {
        lookups += 1;
        return [{ address: '127.0.0.1', family: 4 }];
      },
    });
    const { port, received } = await openReceiver();
    const types = ['dataset.version.created'];
    const { id } = (await send('POST', '/webhooks', { url: `http://hooks.internal:${port}/x`, types })).json();
    await emitVersion(1);
    await consumers.idle();
    await module.idle();
    expect(received.map(({ headers }) => headers.host)).toEqual([`hooks.internal:${port}`]);
    expect(lookups).toBe(2); // once when it was created, once for the delivery
    await send('PATCH', `/webhooks/${id}`, { enabled: false });
    await emitVersion(2);
    await consumers.idle();
    await module.idle();
    expect(received).toHaveLength(1);
    expect((await send('DELETE', `/webhooks/${id}`)).statusCode).toBe(200);
    expect((await send('DELETE', `/webhooks/${id}`)).json().error.code).toBe('WEBHOOK_NOT_FOUND');
  });
});
