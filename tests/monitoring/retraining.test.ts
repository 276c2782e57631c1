import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { TriggerSpec } from '#contracts/automation';
import { createAutomationModule } from '#modules/automation';
import { createSecretsModule } from '#modules/secrets';
import { createLogger } from '#platform/log';
import { builtModule } from '#platform/testing/built-program';
import { describeDatabases, type TestDatabase } from '#platform/testing/database';
import { day, endpoint, openWatched, project, start } from './watched-endpoint.ts';

beforeAll(() => builtModule('worker/tasks.js').then(() => undefined), 120_000);

const monitor = {
  truth: { dataset: 'flights', key: ['flight', 'time_hour'], time: 'time_hour', value: 'arr_delay > 15', delay: '1d' },
  performance: { auc: '>= 0.70', window: '2d', min_labelled: 30, confidence: 0.9 },
} as const;
const trigger: TriggerSpec = {
  name: 'retrain',
  on: `alert:${endpoint}/performance`,
  run: 'pipeline:train',
  cooldown: '3d',
};

/** Real monitoring, alerts and automation; only the pipeline is no more than that it was started. */
async function openLoop(database: TestDatabase) {
  let automation: ReturnType<typeof createAutomationModule> | undefined;
  const bench = await openWatched(database, undefined, (alerts) => {
    automation = createAutomationModule({
      database,
      clock: database.clock,
      logger: createLogger({ level: 'silent' }),
      lineage: { record: async () => undefined },
      alerts,
      secrets: createSecretsModule({
        database,
        keyFile: join(mkdtempSync(join(tmpdir(), 'tidemill-retraining-')), 'secret.key'),
      }).api,
      webhookHosts: [],
      pipelines: {
        completeStep: () => Promise.reject(new Error('no step waits here')),
        run: async (unit) => unit.newId(),
        get: async () => ({ run: { state: 'succeeded' as const } }),
      },
    });
    return automation.consumers;
  });
  if (automation === undefined) throw new Error('automation was not made');
  const { api, kind } = automation;
  const snapshot = { digest: '', files: [], readText: () => undefined };
  await bench.apply(monitor);
  await database.write({ actor: 'user:test' }, (unit) =>
    kind.apply(unit, project, { name: 'retrain', before: undefined, after: trigger, snapshot }),
  );
  return {
    ...bench,
    /** What the trigger did, oldest first, on which day of the endpoint's clock. */
    async firings() {
      const found = await api.listFirings(database.read, { project, limit: 100 });
      return found.map(({ state, clockMs }) => `${state} ${(clockMs - start) / day}`).toReversed();
    },
    async incidents() {
      return (await bench.alerts.api.list(database.read, { project, kind: 'performance', limit: 100 })).length;
    },
  };
}

describeDatabases('retraining', (open) => {
  test('goes on while an incident stays open, whatever became of the candidate, and begins anew with the next one', async () => {
    const bench = await openLoop(await open());
    for (let at = 0; at < 5; at += 1) await bench.playDay(at, { good: at < 2 });
    await bench.consumers.idle();
    expect(await bench.firings()).toEqual(['fired 3']);

    // The candidate fails its gate: no promotion, the incident stays. The trigger tries again after its cool-down.
    for (let at = 5; at < 8; at += 1) await bench.playDay(at, { good: false });
    await bench.consumers.idle();
    expect(await bench.firings()).toEqual(['fired 3', 'suppressed 4', 'fired 6']);
    expect(await bench.incidents()).toBe(1);

    // The second one passes; later it decays too.
    await bench.promote(2);
    for (let at = 8; at < 14; at += 1) await bench.playDay(at, { good: at < 11, revision: 'r2', version: 2 });
    await bench.consumers.idle();
    expect(await bench.firings()).toEqual(['fired 3', 'suppressed 4', 'fired 6', 'fired 12']);
    expect(await bench.incidents()).toBe(2);
  }, 60_000);
});
