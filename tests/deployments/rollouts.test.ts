import { beforeEach, expect, onTestFinished, test } from 'vitest';
import type { DeploymentSpecDocument } from '#contracts/deployments';
import { describeDatabases, type TestDatabase } from '#platform/testing/database';
import { createFakeReplica, type Doing, type FakeReplica } from './fake-replica.ts';
import { type Control, project, startControl } from './harness.ts';

const day = 86_400_000;
const canary: DeploymentSpecDocument = {
  model: 'model:late@champion',
  clock: 'event',
  rollout: { steps: [10, 50, 100], each: { requests: 50, for: '1d' }, abort_when: 'error_rate > 0.01' },
};

describeDatabases('rollouts', (open) => {
  let database: TestDatabase;
  let control: Control;
  let replica: FakeReplica;

  beforeEach(async () => {
    database = await open();
    control = await startControl({ database, clock: database.clock, ids: database.ids });
    onTestFinished(() => control.stop());
    replica = createFakeReplica('a');
  });

  const seen = async (...replicas: readonly FakeReplica[]) => {
    for (const one of replicas.length === 0 ? [replica] : replicas)
      await control.report(one.report(await control.spec()));
  };
  const revisionOf = async (version: number): Promise<string> => {
    const { body } = await control.call('GET', '/api/v1/deployments/late/revisions');
    return body.items.find((one: { readonly version: number }) => one.version === version).id;
  };
  const shares = async (name = 'late') => {
    const { status } = await control.deployment(name);
    return Object.fromEntries(status.traffic.map(({ version, basisPoints }) => [version, basisPoints]));
  };
  const warm = async () => (await control.deployment('late')).status.warm.map(({ version, as }) => `${version} ${as}`);
  const champion = async () => (await control.registry.alias(database.read, project, 'late', 'champion'))?.version;
  /** A day of answers, reported. */
  const answered = async (version: number, doing: Doing) => {
    replica.did(await revisionOf(version), doing);
    await seen();
  };
  /** Version 1 complete, version 2 proposed and loaded: its first step has begun. */
  const startCanary = async (document = canary) => {
    await control.apply('late', document);
    await control.promote('late', 'one');
    await seen();
    await answered(1, { answers: 100, maxEventTimeMs: day });
    await control.promote('late', 'two');
  };

  test('the first version takes all traffic once every live replica has loaded it', async () => {
    await control.apply('late', canary);
    const other = createFakeReplica('b');
    await seen(replica, other);
    await control.promote('late', 'one');
    expect(await control.deployment('late')).toMatchObject({
      status: { state: 'rolling-out', warm: [{ version: 1, as: 'next' }] },
    });
    await seen();
    expect(await shares()).toEqual({});
    expect((await control.latestRollout('late'))?.reason).toContain('1 of 2 replicas');
    await seen(other);
    expect(await shares()).toEqual({ 1: 10_000 });
    expect(await control.typesOf('deployment:late')).toEqual([
      'deployment.changed',
      'rollout.started',
      'rollout.advanced',
      'rollout.completed',
    ]);
  });

  test('a canary grows by evidence on the clock of the events, and the set before is let go one step later', async () => {
    await startCanary();
    expect(await shares()).toEqual({ 1: 10_000 });
    expect(await warm()).toEqual(['2 next']);
    await seen();
    expect(await shares()).toEqual({ 1: 9000, 2: 1000 });
    await answered(2, { answers: 49, maxEventTimeMs: 3 * day });
    expect(await control.latestRollout('late')).toMatchObject({
      state: 'stepping',
      percent: 10,
      waitsFor: 'traffic',
      reason: 'the step has 49 of 50 answers',
      evidence: { answers: 49, elapsedMs: 2 * day },
    });
    await answered(2, { answers: 1, maxEventTimeMs: 3 * day });
    expect(await shares()).toEqual({ 1: 5000, 2: 5000 });
    await answered(2, { answers: 500, maxEventTimeMs: 3 * day + 1000 });
    expect(await shares()).toEqual({ 1: 5000, 2: 5000 }); // a day has not passed
    await answered(2, { answers: 1, maxEventTimeMs: 4 * day });
    expect(await shares()).toEqual({ 2: 10_000 });
    expect(await warm()).toEqual(['1 previous']);
    expect(await control.latestRollout('late')).toMatchObject({ state: 'completed', previousWarm: true });
    await answered(2, { answers: 60, maxEventTimeMs: 5 * day });
    expect(await warm()).toEqual([]);
    expect(await champion()).toBe(2);
  });

  test('what it waits for is told as of now: the time that a step still has to last, or a data plane', async () => {
    await startCanary({ ...canary, clock: 'wall', rollout: { steps: [10, 100], each: { for: '10m' } } });
    await seen();
    database.clock.advance(180_000);
    expect(await control.latestRollout('late')).toMatchObject({
      waitsFor: 'data-plane',
      reason: 'no data plane has reported yet',
    });
    await seen();
    database.clock.advance(6000);
    expect(await control.latestRollout('late')).toMatchObject({
      waitsFor: 'time',
      reason: 'the step has 3.1 of 10 minutes',
      evidence: { elapsedMs: 186_000 },
    });
    database.clock.advance(420_000);
    await seen();
    expect(await control.latestRollout('late')).not.toHaveProperty('waitsFor');
  });

  test('in a replay with flushes a step ends only where a flush does', async () => {
    await startCanary();
    await seen();
    const before = await control.spec();
    const asked = control.call('POST', '/api/v1/deployments/late/flush', {});
    const spec = await control.specAfter(before);
    replica.did(await revisionOf(2), { answers: 60, maxEventTimeMs: 3 * day });
    await control.report(replica.report(spec, { flushed: 0 }));
    expect(await shares()).toEqual({ 1: 9000, 2: 1000 });
    expect(await control.latestRollout('late')).toMatchObject({
      waitsFor: 'flush',
      reason: expect.stringContaining('waiting for the flush'),
    });
    await control.report(replica.report(spec));
    expect((await asked).body.done).toBe(true);
    expect(await shares()).toEqual({ 1: 5000, 2: 5000 });
  });

  test('errors abort it: weights, alias and promotion return, an alert opens, and it does not come again', async () => {
    await startCanary();
    await seen();
    await answered(2, { answers: 40, failures: 9 });
    expect(await shares()).toEqual({ 1: 9000, 2: 1000 }); // 49 requests condemn nobody
    await answered(2, { answers: 1 });
    expect(await shares()).toEqual({ 1: 10_000 });
    expect(await warm()).toEqual([]);
    expect(await champion()).toBe(1);
    const rollout = await control.latestRollout('late');
    expect(rollout).toMatchObject({ state: 'aborted', reason: expect.stringContaining('error_rate > 0.01') });
    const promotion = await control.registry.promotion(database.read, project, rollout?.promotionId ?? '');
    expect(promotion).toMatchObject({ state: 'rolled-back' });
    expect(await control.alerts.findOpen(database.read, project, 'rollout:late')).toMatchObject({
      kind: 'rollout',
      severity: 'critical',
      version: 2,
    });
    await control.apply('late', { ...canary, limits: { max_rows: 5 } });
    await seen();
    expect((await control.latestRollout('late'))?.id).toBe(rollout?.id);

    await control.promote('late', 'three');
    await seen();
    await answered(3, { answers: 60, maxEventTimeMs: 3 * day });
    await answered(3, { answers: 60, maxEventTimeMs: 5 * day });
    expect(await shares()).toEqual({ 3: 10_000 });
    expect(await control.alerts.findOpen(database.read, project, 'rollout:late')).toBeUndefined();
  });

  test('endpoints that follow the same alias return with it, at once when they know where to', async () => {
    await control.apply('quick', { model: 'model:late@champion' });
    await startCanary();
    await control.apply('patient', { ...canary, clock: 'wall' });
    await seen(); // patient has no revision yet and begins with version 2
    await seen();
    expect([await shares(), await shares('quick'), await shares('patient')]).toEqual([
      { 1: 9000, 2: 1000 },
      { 2: 10_000 },
      { 2: 10_000 },
    ]);
    await answered(2, { answers: 10, failures: 40 });
    expect(await champion()).toBe(1);
    expect([await shares(), await shares('quick')]).toEqual([{ 1: 10_000 }, { 1: 10_000 }]);
    expect(await control.latestRollout('late')).toMatchObject({ state: 'aborted', version: 2 });
    expect(await control.latestRollout('quick')).toMatchObject({
      state: 'rolled-back',
      version: 2,
      reason: 'version 2 of late was taken back',
    });
    expect(await control.latestRollout('patient')).toMatchObject({ state: 'warming', version: 1 });
    await seen();
    expect(await shares('patient')).toEqual({ 1: 1000, 2: 9000 });
  });

  test('a canary that cannot be loaded any more is given up, whether it has a share or everything', async () => {
    for (const version of [2, 3]) {
      if (version === 2) await startCanary();
      else await control.promote('late', 'three');
      await seen();
      if (version === 3) {
        await answered(3, { answers: 60, maxEventTimeMs: 20 * day });
        await answered(3, { answers: 60, maxEventTimeMs: 30 * day });
      }
      const held = version === 2 ? { 1: 9000, 2: 1000 } : { 3: 10_000 };
      expect(await shares()).toEqual(held);
      replica.broken.add(await revisionOf(version));
      await answered(version, { answers: 60, maxEventTimeMs: (version === 2 ? 9 : 40) * day });
      expect(await shares()).toEqual(held); // enough evidence, and yet no step with a model that fails
      database.clock.advance(11_000);
      await seen();
      expect(await shares()).toEqual({ 1: 10_000 });
      expect(await control.latestRollout('late')).toMatchObject({
        version,
        state: version === 2 ? 'aborted' : 'rolled-back',
        reason: expect.stringContaining('it cannot be loaded: not a model'),
      });
      expect(await champion()).toBe(1);
    }
  });

  test('errors after completion return to the set that is still warm', async () => {
    await startCanary();
    await seen();
    await answered(2, { answers: 60, maxEventTimeMs: 3 * day });
    await answered(2, { answers: 60, maxEventTimeMs: 5 * day });
    expect(await shares()).toEqual({ 2: 10_000 });
    await answered(2, { answers: 10, failures: 40 });
    expect(await shares()).toEqual({ 1: 10_000 });
    expect(await control.latestRollout('late')).toMatchObject({ state: 'rolled-back' });
    expect(await champion()).toBe(1);
  });

  test('a revision that cannot be loaded is given up, and what was served is served on', async () => {
    await startCanary();
    replica.broken.add(await revisionOf(2));
    await seen();
    expect((await control.deployment('late')).status.state).toBe('degraded');
    expect(await control.latestRollout('late')).toMatchObject({
      state: 'warming',
      reason: expect.stringContaining('tried again'),
    });
    database.clock.advance(11_000);
    await seen();
    expect(await control.latestRollout('late')).toMatchObject({
      state: 'aborted',
      reason: expect.stringContaining('cannot be loaded'),
    });
    await seen();
    expect((await control.deployment('late')).status.state).toBe('ready');
    expect(await champion()).toBe(1);
    expect(await control.typesOf(`revision:${await revisionOf(2)}`)).toContain('deployment.revision.failed');
  });

  test('another version during a rollout supersedes it and begins from the complete set', async () => {
    await startCanary();
    await seen();
    await control.promote('late', 'three');
    expect(await shares()).toEqual({ 1: 10_000 });
    expect(await warm()).toEqual(['3 next']);
    const { body } = await control.call('GET', '/api/v1/rollouts?deployment=late&state=superseded');
    expect(body.items).toMatchObject([{ version: 2, reason: expect.stringContaining('version 3') }]);
    await seen();
    expect(await shares()).toEqual({ 1: 9000, 3: 1000 });
    // When it is aborted, the alias returns to the version that never had its turn: now it has.
    await answered(3, { answers: 10, failures: 40 });
    expect(await champion()).toBe(2);
    expect(await control.latestRollout('late')).toMatchObject({ version: 2, state: 'warming' });
  });

  test('by hand: promote takes everything, rollback returns to the complete set before', async () => {
    await startCanary();
    const id = (await control.latestRollout('late'))?.id;
    const early = await control.call('POST', `/api/v1/rollouts/${id}/promote`, {});
    expect([early.status, early.body.error.code]).toEqual([409, 'ROLLOUT_NOT_READY']);
    await seen();
    const promoted = await control.call('POST', `/api/v1/rollouts/${id}/promote`, { reason: 'sure' });
    expect(promoted.body).toMatchObject({ state: 'completed', percent: 100, reason: 'sure' });
    expect(await shares()).toEqual({ 2: 10_000 });
    const late = await control.call('POST', `/api/v1/rollouts/${id}/abort`, {});
    expect([late.status, late.body.error.code]).toEqual([409, 'ROLLOUT_STATE_CONFLICT']);
    const back = await control.call('POST', '/api/v1/deployments/late/rollback', { reason: 'complaints' });
    expect(back.body).toMatchObject({ state: 'rolled-back', reason: 'complaints' });
    expect(await shares()).toEqual({ 1: 10_000 });
    expect(await champion()).toBe(1);
    const further = await control.call('POST', '/api/v1/deployments/late/rollback', {});
    expect([further.status, further.body.error.code]).toEqual([409, 'ROLLBACK_IMPOSSIBLE']);
  });

  test('abort by hand returns the alias and opens no alert', async () => {
    await startCanary();
    await seen();
    const id = (await control.latestRollout('late'))?.id;
    const held = control.call('GET', `/api/v1/rollouts/${id}?wait=30`);
    const aborted = await control.call('POST', `/api/v1/rollouts/${id}/abort`, {});
    expect(aborted.body).toMatchObject({ state: 'aborted', reason: 'by hand, user:local' });
    expect((await held).body.state).toBe('aborted');
    expect([await shares(), await champion()]).toEqual([{ 1: 10_000 }, 1]);
    expect(await control.alerts.findOpen(database.read, project, 'rollout:late')).toBeUndefined();
  });

  test('a pinned version is served when it comes to be, without steps when none are declared', async () => {
    await control.apply('late', { model: 'model:late@2' });
    await control.promote('late', 'one');
    expect((await control.deployment('late')).status.reason).toBe(
      'model late has no version 2 that can be served yet: a pipeline registers such versions',
    );
    await control.promote('late', 'two');
    await seen();
    expect(await shares()).toEqual({ 2: 10_000 });
    await control.apply('late', { model: 'model:late@1' });
    await seen();
    expect(await shares()).toEqual({ 1: 10_000 });
  });

  test('taken away and declared again it is served again', async () => {
    await startCanary();
    await control.apply('late', undefined);
    expect((await control.latestRollout('late'))?.state).toBe('superseded');
    await control.apply('late', canary);
    await seen();
    expect(await shares()).toEqual({ 2: 10_000 });
  });

  test('a report that comes again after the transition moves nothing twice', async () => {
    await startCanary();
    await seen();
    replica.did(await revisionOf(2), { answers: 60, maxEventTimeMs: 3 * day });
    const report = replica.report(await control.spec());
    await control.report(report);
    await control.report(report);
    expect(await shares()).toEqual({ 1: 5000, 2: 5000 });
    const { edges } = await control.lineage.trace(database.read, project, 'deployment:late', { direction: 'up' });
    expect(edges.map(({ from, kind }) => `${from.split(':')[0]} ${kind}`)).toEqual(
      expect.arrayContaining(['model deployed', 'revision served', 'promotion caused', 'rollout changed']),
    );
  });
});
