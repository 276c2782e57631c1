import { beforeEach, expect, onTestFinished, test } from 'vitest';
import type { DeploymentSpecDocument } from '#contracts/deployments';
import { describeDatabases, type TestDatabase } from '#platform/testing/database';
import { createFakeReplica } from './fake-replica.ts';
import { type Control, digestOf, project, startControl } from './harness.ts';

const follows = (over: Partial<DeploymentSpecDocument> = {}): DeploymentSpecDocument => ({
  model: 'model:late@champion',
  ...over,
});

const bearer = ({ token }: { readonly token: string }) => ({ authorization: `Bearer ${token}` });

describeDatabases('deployments', (open) => {
  let database: TestDatabase;
  let control: Control;

  beforeEach(async () => {
    database = await open();
    control = await startControl({ database, clock: database.clock, ids: database.ids });
    onTestFinished(() => control.stop());
  });

  test('a deployment waits for its model and says for what', async () => {
    await control.apply('late', follows());
    expect(await control.deployment('late')).toMatchObject({
      generation: 1,
      status: {
        state: 'waiting',
        reason: 'no version that can be served has the alias champion yet: a pipeline registers such versions',
        traffic: [],
        settled: false,
      },
    });
    expect(await control.endpoint('late')).toMatchObject({ traffic: [], revisions: [], capture: { enabled: true } });
    expect((await control.call('GET', '/api/v1/deployments/lat')).body.error).toMatchObject({
      code: 'DEPLOYMENT_NOT_FOUND',
      message: expect.stringContaining('did you mean "late"?'),
    });
  });

  test('a data plane that comes before any deployment gets an empty spec and hears of the first', async () => {
    const early = await control.call('GET', '/data-plane/pools/default/spec');
    expect(early.body).toMatchObject({ version: 1, pool: 'default', generation: 1, endpoints: [] });
    const etag = String(early.headers['etag']);
    expect(etag).toBe(`"${early.body.epoch}.1"`);
    const held = control.call('GET', '/data-plane/pools/default/spec?wait=30', undefined, { 'if-none-match': etag });
    await control.apply('late', follows());
    const heard = await held;
    expect(heard.status).toBe(200);
    expect(heard.body.endpoints).toHaveLength(1);
    const again = await control.call('GET', '/data-plane/pools/default/spec', undefined, {
      'if-none-match': String(heard.headers['etag']),
    });
    expect(again).toMatchObject({ status: 304, body: undefined });
  });

  test('the whole document reaches the spec', async () => {
    await control.promote('late', 'bytes of 1', {
      signature: {
        inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 1], nullable: true }],
        outputs: [{ name: 'probabilities', datatype: 'FP32', shape: [-1, 2] }],
        train: { rows: 10, columns: [] },
      },
      example: { inputs: [[1]] },
    });
    await control.apply(
      'late',
      follows({
        clock: 'event',
        sticky: { by: 'header', header: 'x-customer' },
        capture: { sample_rate: 0.5, durability: 'fsync', on_full: 'refuse', redact: ['x'] },
        limits: { max_rows: 10, timeout: '2s', max_concurrent: 2, rate: { per_second: 10, burst: 20 } },
        batching: { max_rows: 32, max_delay: '5ms' },
        cache: { max_bytes: 1_000 },
        keep_loaded: true,
        idle: '10m',
        subject: 'person',
      }),
    );
    const replica = createFakeReplica('a');
    await control.report(replica.report(await control.spec()));
    expect(await control.endpoint('late')).toMatchObject({
      project,
      replay: true,
      access: { tokens: [] },
      sticky: { by: 'header', header: 'x-customer', salt: expect.any(String) },
      capture: { enabled: true, sampleRate: 0.5, durability: 'fsync', onFull: 'refuse', redact: ['x'] },
      limits: { maxRows: 10, timeoutMs: 2000, maxConcurrent: 2, rate: { perSecond: 10, burst: 20 } },
      cache: { maxBytes: 1_000 },
      keepLoaded: true,
      idleMs: 600_000,
      subject: 'person',
      revisions: [
        {
          modelRef: 'model:late@1',
          runtime: 'onnx',
          files: [
            { path: 'model.onnx', digest: digestOf('bytes of 1'), sizeBytes: 10 },
            { path: 'serving_input_example.json', digest: digestOf('{"inputs":[[1]]}'), sizeBytes: 16 },
          ],
          inputExample: 'serving_input_example.json',
          signature: { inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 1], nullable: true }] },
          score: 'probabilities[1]',
          maxBatchRows: 32,
          maxBatchDelayMs: 5,
        },
      ],
    });
  });

  test('a rule that names nothing of a known model is refused, and one that may name something is not', async () => {
    const columns = ['age', 'income', 'postcode'];
    const signature = {
      inputs: [
        { name: 'x', datatype: 'FP32', shape: [-1, 3], columns },
        { name: 'y', datatype: 'FP32', shape: [-1, 4] },
      ],
      outputs: [{ name: 'score', datatype: 'FP32', shape: [-1] }],
    };
    const redact = (...rules: string[]) => control.apply('late', follows({ capture: { redact: rules } }));
    await redact('anything'); // there is no version yet
    await control.promote('late', 'bytes of 1', { signature });
    await redact('income', 'y[3]', 'score');
    for (const rule of ['incme', 'y[4]'])
      await expect(redact('income', rule)).rejects.toMatchObject({
        code: 'DEPLOYMENT_REDACTS_NOTHING',
        message: expect.stringMatching(
          /deployment "late" names ".*model:late@1 has the inputs "x" \[-1, 3\] \(age, income, postcode\), "y" \[-1, 4\].*"y\[0\]" is the first/,
        ),
      });
    await expect(redact('incme')).rejects.toThrow('did you mean "income"?');
    expect((await control.endpoint('late')).capture.redact).toEqual(['income', 'y[3]', 'score']);
    await control.promote('late', 'bytes of 2', { signature: { inputs: [], outputs: [] } });
    await redact('anything');
  });

  test('shadows join when their version exists, and stay when the alias moves on', async () => {
    await control.apply(
      'late',
      follows({ shadows: ['model:late@1', { model: 'model:other@best', sample_rate: 0.2 }] }),
    );
    expect((await control.endpoint('late')).shadows).toEqual([]);
    await control.promote('late', 'bytes of 1');
    const [first] = (await control.endpoint('late')).shadows;
    expect(first?.revision).toEqual(expect.any(String));
    await control.promote('other', 'bytes of other', { alias: 'best' });
    expect((await control.endpoint('late')).shadows).toEqual([
      first,
      { revision: expect.any(String), sampleRate: 0.2 },
    ]);
    await control.promote('late', 'bytes of 2');
    expect((await control.endpoint('late')).shadows[0]).toEqual(first);
    expect(await control.predictions.revisions(database.read, project, 'late')).toHaveLength(3);
  });

  test('lineage leads from the model version by the revision to the deployment', async () => {
    await control.apply('late', follows());
    await control.promote('late', 'bytes of 1');
    const { edges } = await control.lineage.trace(database.read, project, 'model:late@1', { direction: 'down' });
    const found = edges.map(({ from, to, kind }) => `${from.split(':')[0]} ${kind} ${to.split(':')[0]}`);
    expect(found).toContain('model deployed revision');
    expect(found).toContain('revision served deployment');
  });

  test('files are given to a pool only while its spec names them', async () => {
    await control.apply('late', follows());
    await control.promote('late', 'bytes of 1');
    const url = `/data-plane/files/${digestOf('bytes of 1')}`;
    const served = await control.app.inject({ method: 'GET', url });
    expect([served.statusCode, served.body, served.headers['content-length']]).toEqual([200, 'bytes of 1', '10']);
    await control.promote('unserved', 'bytes of nobody');
    const secret = await control.call('GET', `/data-plane/files/${digestOf('bytes of nobody')}`);
    expect([secret.status, secret.body.error.code]).toEqual([404, 'POOL_FILE_NOT_FOUND']);
    await control.apply('late', undefined);
    expect((await control.call('GET', url)).status).toBe(404);
  });

  test('counters add up over replicas and their starts, late reports change nothing', async () => {
    await control.apply('late', follows());
    await control.promote('late', 'bytes of 1');
    const [a, b] = [createFakeReplica('a'), createFakeReplica('b')];
    const spec = await control.spec();
    const revision = spec.endpoints[0]?.revisions[0]?.id ?? '';
    const early = a.report(spec);
    a.did(revision, { answers: 10, failures: 2, maxEventTimeMs: 500 });
    await control.report(a.report(spec));
    expect(await control.report(early)).toBe(204);
    b.did(revision, { answers: 5, maxEventTimeMs: 300 });
    await control.report(b.report(spec));
    a.reboot('boot-2');
    a.did(revision, { answers: 1, maxEventTimeMs: 700 });
    await control.report(a.report(spec));
    const counters = await control.deployments.revisionCounters(database.read, revision);
    expect(counters).toMatchObject({ requests: 18, errors: { internal: 2 }, maxEventTimeMs: 700 });
    const { body } = await control.call('GET', '/api/v1/deployments/late/revisions');
    expect(body.items).toMatchObject([{ id: revision, version: 1, requests: 18, errors: 2 }]);
  });

  test('records that a data plane could not keep open an incident of their endpoint, once for each report', async () => {
    await control.apply('late', follows());
    await control.apply('early', follows());
    const spec = await control.spec();
    const replica = createFakeReplica('a');
    const reportLoss = async (dropped: number) => {
      const report = replica.report(spec);
      const endpoints = report.endpoints.map((one) => ({ ...one, ...(one.name === 'late' && { dropped }) }));
      await control.report({ ...report, endpoints });
    };
    const incident = (name: string) => control.alerts.findOpen(database.read, project, `predictions:dropped:${name}`);
    await reportLoss(0);
    expect(await incident('late')).toBeUndefined();
    for (const dropped of [3, 3, 5]) await reportLoss(dropped);
    expect(await incident('late')).toMatchObject({
      kind: 'lost-predictions',
      subject: 'deployment:late',
      title: expect.stringContaining('2 prediction records of late are lost'),
      count: 2,
    });
    replica.reboot('boot-2');
    await reportLoss(4);
    expect((await incident('late'))?.count).toBe(3);
    expect(await incident('early')).toBeUndefined();
  });

  test('a report that is none is refused with the place', async () => {
    await control.spec();
    const report = createFakeReplica('a').report(await control.spec());
    const { observed: _observed, ...rest } = report;
    const wrong = await control.call('POST', '/data-plane/replicas/a/report', { ...rest, flushed: 'x' });
    expect([wrong.status, wrong.body.error.code]).toEqual([400, 'REPLICA_REPORT_INVALID']);
    const other = await control.call('POST', '/data-plane/replicas/b/report', report);
    expect([other.status, other.body.error.code]).toEqual([400, 'REPLICA_REPORT_INVALID']);
  });

  test('flush answers when every live replica has delivered', async () => {
    await control.apply('late', follows());
    const [a, b] = [createFakeReplica('a'), createFakeReplica('b')];
    for (const replica of [a, b]) await control.report(replica.report(await control.spec()));
    const before = await control.spec();
    const asked = control.call('POST', '/api/v1/deployments/late/flush', { timeout: 30 });
    const spec = await control.specAfter(before);
    await control.report(a.report(spec));
    await control.report(b.report(spec, { flushed: 0 }));
    await control.report(b.report(spec));
    expect((await asked).body).toEqual({
      flush: 1,
      done: true,
      replicas: [
        { replica: 'a', flushed: 1 },
        { replica: 'b', flushed: 1 },
      ],
    });
    database.clock.advance(60_000); // b falls silent: nobody waits for it
    await control.report(a.report(spec));
    const second = control.call('POST', '/api/v1/deployments/late/flush', { timeout: 30 });
    await control.report(a.report(await control.specAfter(spec)));
    expect((await second).body).toMatchObject({ flush: 2, done: true, replicas: [{ replica: 'a' }] });
  });

  test('a deployment settles when what every live replica serves is what was asked', async () => {
    await control.apply('late', follows());
    await control.promote('late', 'bytes of 1');
    const replica = createFakeReplica('a');
    await control.report(replica.report(await control.spec())); // ready: traffic moves
    expect((await control.deployment('late')).status).toMatchObject({ settled: false, state: 'ready' });
    const held = control.call('GET', '/api/v1/deployments/late?wait=30');
    await control.report(replica.report(await control.spec()));
    expect((await held).body.status).toMatchObject({
      settled: true,
      state: 'ready',
      traffic: [{ model: 'late', version: 1, basisPoints: 10_000 }],
      replicas: [{ replica: 'a', live: true, endpoint: 'ready', current: true }],
    });
    database.clock.advance(30_000);
    expect((await control.deployment('late')).status).toMatchObject({
      state: 'degraded',
      reason: 'no data plane has reported lately',
      replicas: [{ live: false }],
    });
  });

  test('a replica that has seen more than was published makes a new epoch', async () => {
    await control.apply('late', follows());
    const spec = await control.spec();
    const replica = createFakeReplica('a');
    await control.report(
      replica.report(spec, { observed: { epoch: spec.epoch, generation: spec.generation + 5 }, flushed: 9 }),
    );
    const after = await control.spec();
    expect(after.epoch).not.toBe(spec.epoch);
    expect(after).toMatchObject({ generation: 1, flush: 9 });
  });

  test('a second apply of the same document is no change, a pruned deployment leaves the spec', async () => {
    await control.apply('late', follows());
    expect((await control.kind.current(database.read, project)).get('late')).toEqual(follows());
    await control.apply('late', undefined);
    expect((await control.spec()).endpoints).toEqual([]);
    expect((await control.call('GET', '/api/v1/deployments')).body.items).toEqual([]);
  });

  test('documents that cannot be meant are refused with their place', () => {
    const { kind } = control;
    const problems = (spec: DeploymentSpecDocument) =>
      (kind.check?.('late', spec, { project, sections: {}, files: [] }) ?? []).map(({ path }) => path.join('.'));
    expect(problems(follows({ rollout: { steps: [10, 5, 100] } }))).toEqual(['rollout.steps.1']);
    expect(problems(follows({ rollout: { steps: [10, 50] } }))).toEqual(['rollout.steps.1']);
    expect(problems(follows({ rollout: { steps: [100], abort_when: 'errors > 1' } }))).toEqual(['rollout.abort_when']);
    expect(problems(follows({ sticky: { by: 'header' } }))).toEqual(['sticky']);
    expect(problems(follows({ sticky: { by: 'cookie' } }))).toEqual(['sticky']);
    expect(problems(follows({ sticky: { by: 'column', cookie: 'c' } }))).toEqual(['sticky', 'sticky']);
    expect(problems(follows({ sticky: { by: 'column', column: 'customer' } }))).toEqual([]);
    expect(problems(follows({ shadows: ['model:late@1', 'model:late@1'] }))).toEqual(['shadows.1']);
    expect(problems(follows({ subject: 'person', capture: { redact: ['person'] } }))).toEqual(['subject']);
    expect(problems(follows({ rollout: { steps: [10, 100], each: { requests: 1, for: '1d' } } }))).toEqual([]);
  });
});

describeDatabases('deployments of a server that asks for tokens', (open) => {
  test('a data plane acts for its own pool alone, and is told who may call', async () => {
    const database = await open();
    const control = await startControl({ database, clock: database.clock, ids: database.ids, auth: 'required' });
    onTestFinished(() => control.stop());
    await control.apply('late', follows());
    const issue = (pool: string) =>
      control.write((unit) => control.identity.issueToken(unit, { kind: 'replica', name: 'a', scope: { pool } }));
    const [own, other] = [await issue('default'), await issue('elsewhere')];
    const url = '/data-plane/pools/default/spec';
    expect((await control.call('GET', url)).status).toBe(401);
    expect((await control.call('GET', url, undefined, bearer(other))).body.error.code).toBe('POOL_FORBIDDEN');
    const closed = await control.call('GET', url, undefined, bearer(own));
    expect(closed.body.endpoints[0].access.tokens).toEqual([{ digest: '0'.repeat(64), principal: 'nobody' }]);

    const specNow = async () => {
      await control.consumers.idle();
      return control.call('GET', url, undefined, bearer(own));
    };
    const viewer = await control.write((unit) =>
      control.identity.issueToken(unit, { kind: 'user', name: 'ci', role: 'viewer' }),
    );
    await control.consumers.idle();
    const told = await control.call('GET', url, undefined, {
      ...bearer(own),
      'if-none-match': String(closed.headers['etag']),
    });
    expect(told.body.endpoints[0].access.tokens).toEqual([{ digest: viewer.digest, principal: `token:${viewer.id}` }]);

    const expiresAtMs = database.clock.nowMs() + 60_000;
    const brief = await control.write((unit) =>
      control.identity.issueToken(unit, { kind: 'user', name: 'visitor', role: 'viewer', expiresAtMs }),
    );
    // A data plane that waits hears of a token that was taken back.
    const waited = control.call('GET', `${url}?wait=30`, undefined, {
      ...bearer(own),
      'if-none-match': String((await specNow()).headers['etag']),
    });
    await control.write((unit) => control.identity.revokeToken(unit, viewer.id));
    expect((await waited).body.endpoints[0].access.tokens).toEqual([
      { digest: brief.digest, principal: `token:${brief.id}`, expiresAtMs },
    ]);

    expect((await control.call('GET', '/api/v1/deployments', undefined, bearer(own))).status).toBe(403);
    const report = createFakeReplica('a').report(told.body);
    const forged = await control.call('POST', '/data-plane/replicas/a/report', report, bearer(other));
    expect(forged.body.error.code).toBe('POOL_FORBIDDEN');
  });

  test.each([
    ['required', 'open'],
    ['open', 'required'],
  ] as const)('a server that asks anew tells its data planes once: %s, then %s', async (first, second) => {
    const database = await open();
    const url = '/data-plane/pools/default/spec';
    const start = async (auth: 'open' | 'required') => {
      const control = await startControl({ database, clock: database.clock, ids: database.ids, auth });
      onTestFinished(() => control.stop());
      return control;
    };
    const before = await start(first);
    await before.apply('late', follows());
    const issued = await before.write((unit) =>
      before.identity.issueToken(unit, { kind: 'replica', name: 'a', scope: { pool: 'default' } }),
    );
    const tokensOf = { open: [], required: [{ digest: '0'.repeat(64), principal: 'nobody' }] };
    const told = await before.call('GET', url, undefined, bearer(issued));
    expect(told.body.endpoints[0].access.tokens).toEqual(tokensOf[first]);
    await before.stop();

    const askAgain = async (auth: 'open' | 'required', etag: unknown) => {
      const control = await start(auth);
      const answer = await control.call('GET', url, undefined, { ...bearer(issued), 'if-none-match': String(etag) });
      await control.stop();
      return answer;
    };
    expect((await askAgain(first, told.headers['etag'])).status).toBe(304);
    const anew = await askAgain(second, told.headers['etag']);
    expect(anew.body).toMatchObject({
      epoch: told.body.epoch,
      generation: told.body.generation + 1,
      endpoints: [{ access: { tokens: tokensOf[second] } }],
    });
    expect((await askAgain(second, anew.headers['etag'])).status).toBe(304);
  });
});
