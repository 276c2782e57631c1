import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '#platform/database';
import { createSequentialIds } from '#platform/ids';
import { describeDatabases } from '#platform/testing/database';
import { createRegistryModule } from './index.ts';
import type { Proposal } from './registry-types.ts';

const actor = { actor: 'user:test' };
const project = 'default';

const proposal = (model: string, digest: string, checks: readonly string[] = ['gate:auc']): Proposal => ({
  project,
  model,
  digest,
  files: [{ path: 'model.onnx', sha256: digest, sizeBytes: 10 }],
  runtime: 'onnx',
  signature: { inputs: [] },
  trainRef: 'dataset:train@1',
  alias: 'champion',
  checks,
});

describeDatabases('registry', (open) => {
  let database: Database;
  const ids = createSequentialIds();
  const requested: { policy: string; subject: string }[] = [];
  const withdrawn: string[] = [];
  const retained: string[] = [];
  const edges: string[] = [];
  const registry = () =>
    createRegistryModule({
      database,
      ids,
      approvals: {
        async request(_unit, { policy, subject }) {
          requested.push({ policy, subject });
          return `approval-${requested.length}`;
        },
        async withdraw(_unit, { subject, reason }) {
          withdrawn.push(`${subject}: ${reason}`);
        },
      },
      artifacts: {
        async retain(_unit, { sha256, owner }) {
          retained.push(`${owner} ${sha256}`);
        },
        async release() {},
        missing: async () => [],
      },
      lineage: {
        async record(_unit, _project, recorded) {
          edges.push(...recorded.map(({ from, to, kind }) => `${from} ${kind} ${to}`));
        },
        registerAlias() {},
      },
    });

  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  const propose = (input: Proposal) => database.write(actor, (unit) => registry().api.proposeVersion(unit, input));
  const decide = (promotionId: string, check: string, satisfied: boolean) =>
    database.write(actor, (unit) =>
      registry().api.decideCheck(unit, {
        project,
        promotionId,
        check,
        satisfied,
        verdict: satisfied ? 'pass' : 'fail',
        evidence: { n: 10 },
      }),
    );
  const champion = async (model: string) =>
    (await registry().api.alias(database.read, project, model, 'champion'))?.version;

  test('the last satisfied check moves the alias in its own unit', async () => {
    const proposed = await propose(proposal('two-gates', 'a1', ['gate:auc', 'gate:loss']));
    expect(proposed).toMatchObject({ version: 1, existed: false });
    await decide(proposed.promotionId ?? '', 'gate:auc', true);
    expect(await champion('two-gates')).toBeUndefined();
    const promotion = await decide(proposed.promotionId ?? '', 'gate:loss', true);
    expect(promotion).toMatchObject({ state: 'completed', checks: [{ evidence: { n: 10 } }, { verdict: 'pass' }] });
    expect(await champion('two-gates')).toBe(1);
    expect(edges).toContain('dataset:train@1 trained-on model:two-gates@1');
    expect(edges).toContain(`model:two-gates@1 promoted promotion:${proposed.promotionId}`);
    expect(retained).toContain('model:two-gates@1 a1');
  });

  test('an equal digest is the version that exists, and is not promoted a second time', async () => {
    const first = await propose(proposal('same', 'b1'));
    expect(await propose(proposal('same', 'b1'))).toEqual({
      version: 1,
      existed: true,
      promotionId: first.promotionId ?? '',
    });
    await decide(first.promotionId ?? '', 'gate:auc', false);
    expect(await propose(proposal('same', 'b1'))).toEqual({ version: 1, existed: true });
    expect(await champion('same')).toBeUndefined();
    expect(await propose(proposal('same', 'b2'))).toMatchObject({ version: 2, existed: false });
  });

  test('a reverted promotion returns the alias and its version is not proposed again by itself', async () => {
    for (const digest of ['c1', 'c2']) {
      const { promotionId } = await propose(proposal('revert', digest));
      await decide(promotionId ?? '', 'gate:auc', true);
    }
    expect(await champion('revert')).toBe(2);
    const page = await registry().api.promotions(database.read, project, { limit: 10, model: 'revert' });
    const promotionId = page.items[0]?.promotionId ?? '';
    const reverted = await database.write(actor, (unit) =>
      registry().api.revertPromotion(unit, { project, promotionId, reason: 'error rate' }),
    );
    expect(reverted).toMatchObject({ state: 'rolled-back', reason: 'error rate', previousVersion: 1 });
    expect(await champion('revert')).toBe(1);
    expect(await propose(proposal('revert', 'c2'))).toEqual({ version: 2, existed: true });
  });

  test('an older proposal that is decided late does not take the alias back', async () => {
    const older = await propose(proposal('late', 'd1'));
    const newer = await propose(proposal('late', 'd2'));
    await decide(newer.promotionId ?? '', 'gate:auc', true);
    const promotion = await decide(older.promotionId ?? '', 'gate:auc', true);
    expect(promotion.state).toBe('rejected');
    expect(await champion('late')).toBe(2);
  });

  test('an approval is asked for once the gates are satisfied, and decides the promotion', async () => {
    const proposed = await propose(proposal('approved', 'e1', ['gate:auc', 'approval:risk']));
    const before = requested.length;
    await decide(proposed.promotionId ?? '', 'gate:auc', true);
    expect(requested.slice(before)).toEqual([{ policy: 'risk', subject: `promotion:${proposed.promotionId}` }]);
    const [consumer] = registry().consumers;
    await database.write({ actor: 'system:registry.approvals' }, async (unit) => {
      await consumer?.handle?.(unit, {
        position: '1',
        id: 'event',
        project,
        subject: `promotion:${proposed.promotionId}`,
        type: 'approval.decided',
        actor: 'user:ann',
        cause: undefined,
        atMs: 0,
        data: { approvalId: `approval-${requested.length}`, policy: 'risk', granted: true, reason: 'fine' },
      });
    });
    expect(await champion('approved')).toBe(1);
  });

  test('an approval that is asked for in vain is withdrawn', async () => {
    const waiting = await propose(proposal('vain', 'v1', ['approval:risk']));
    const newer = await propose(proposal('vain', 'v2', ['gate:auc']));
    await decide(newer.promotionId ?? '', 'gate:auc', true);
    expect(withdrawn).toEqual([`promotion:${waiting.promotionId}: version 2 was promoted first`]);
  });

  test('without checks the alias moves at once', async () => {
    await propose(proposal('free', 'f1', []));
    expect(await champion('free')).toBe(1);
    const found = await registry().api.version(database.read, project, 'free', 'champion');
    expect(found).toMatchObject({ version: 1, digest: 'f1', aliases: ['champion'], files: [{ path: 'model.onnx' }] });
  });

  test('deleting a version takes its aliases, ends its promotions and never frees its number', async () => {
    const { promotionId } = await propose(proposal('gone', 'g1'));
    await database.write(actor, async (unit) => {
      await registry().api.setAlias(unit, { project, model: 'gone', alias: 'try', version: 1 });
      await registry().api.deleteVersion(unit, { project, model: 'gone', version: 1 });
    });
    expect(await registry().api.version(database.read, project, 'gone', 1)).toBeUndefined();
    expect(await registry().api.alias(database.read, project, 'gone', 'try')).toBeUndefined();
    expect(await registry().api.promotion(database.read, project, promotionId ?? '')).toMatchObject({
      state: 'rejected',
    });
    expect(await propose(proposal('gone', 'g1'))).toMatchObject({ version: 2, existed: false });
  });

  test('a deleted model can be made again and its version numbers go on', async () => {
    await propose(proposal('again', 'h1', []));
    await database.write(actor, (unit) => registry().api.deleteModel(unit, { project, model: 'again' }));
    expect(await registry().api.model(database.read, project, 'again')).toBeUndefined();
    expect(await propose(proposal('again', 'h1', []))).toMatchObject({ version: 2, existed: false });
  });

  test('models and versions are listed in pages', async () => {
    const first = await registry().api.models(database.read, project, { limit: 2 });
    expect(first.items).toHaveLength(2);
    const second = await registry().api.models(database.read, project, { limit: 2, cursor: first.next });
    expect(second.items.map(({ name }) => name)).not.toContain(first.items[0]?.name);
    const versions = await registry().api.versions(database.read, project, 'late', { limit: 1 });
    expect(versions).toMatchObject({ items: [{ version: 2 }] });
    const rest = await registry().api.versions(database.read, project, 'late', { limit: 1, cursor: versions?.next });
    expect(rest).toMatchObject({ items: [{ version: 1 }] });
  });

  test('models and versions are searched by tags and attributes', async () => {
    await database.write(actor, async (unit) => {
      await registry().api.createModel(unit, { project, model: 'found', tags: [{ key: 'team', value: 'ops' }] });
      const made = { project, model: 'found', source: 's3://x', storageLocation: 's3://x', trackingRunId: 'abc' };
      await registry().api.createVersion(unit, made);
      await registry().api.createVersion(unit, { ...made, tags: [{ key: 'k', value: 'v' }] });
      await registry().api.createModel(unit, { project, model: 'of no run' });
      await registry().api.createVersion(unit, {
        project,
        model: 'of no run',
        source: 's3://x',
        storageLocation: 's3://x',
      });
    });
    const models = (filter: string) => registry().api.searchModels(database.read, { project, filter, limit: 9 });
    expect((await models("tags.team = 'ops'")).items.map(({ name }) => name)).toEqual(['found']);
    expect((await models("name LIKE 'fou%'")).items).toHaveLength(1);
    const versions = async (filter: string) =>
      (await registry().api.searchVersions(database.read, { project, filter, limit: 9 })).items.map(
        ({ version }) => version,
      );
    expect(await versions("name = 'found'")).toEqual([2, 1]);
    expect(await versions("run_id IN ('abc') AND version_number < 2")).toEqual([1]);
    expect(await versions("tags.k = 'v'")).toEqual([2]);
    expect(await versions("name IN ('found', 'x') AND version_number = '2'")).toEqual([2]);
    await expect(versions("version_number > 'x'")).rejects.toMatchObject({ kind: 'invalid' });
    expect((await models("name IN ('found', 'x')")).items.map(({ name }) => name)).toEqual(['found']);
    expect((await models("name NOT IN ('found')")).items.map(({ name }) => name)).not.toContain('found');
    const ofNoRun = async (condition: string) =>
      (await versions(`name = 'of no run' AND run_id ${condition}`)).length === 1;
    for (const condition of ["= ''", "!= 'abc'", "NOT IN ('abc')", "IN ('')", "LIKE '%'"])
      expect([condition, await ofNoRun(condition)]).toEqual([condition, true]);
    for (const condition of ["= 'abc'", "!= ''", "NOT IN ('')", "IN ('abc')", "LIKE 'a%'"])
      expect([condition, await ofNoRun(condition)]).toEqual([condition, false]);
    const exceptTag = { key: 'team', value: 'ops' };
    const rest = await registry().api.searchModels(database.read, { project, limit: 99, exceptTag });
    expect(rest.items.map(({ name }) => name)).not.toContain('found');
  });

  test('what is wrong is said with a code', async () => {
    const name = 'a/b';
    await expect(
      database.write(actor, (unit) => registry().api.createModel(unit, { project, model: name })),
    ).rejects.toMatchObject({ code: 'MODEL_NAME_INVALID' });
    await expect(
      database.write(actor, (unit) =>
        registry().api.setAlias(unit, { project, model: 'late', alias: 'latest', version: 1 }),
      ),
    ).rejects.toMatchObject({ code: 'MODEL_ALIAS_INVALID' });
    await expect(decide('none', 'gate:auc', true)).rejects.toMatchObject({ code: 'PROMOTION_NOT_FOUND' });
  });
});
