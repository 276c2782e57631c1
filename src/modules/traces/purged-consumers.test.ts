import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TidemillEvent } from '#contracts/event-types';
import type { Experiment } from '#modules/tracking';
import { createSequentialIds } from '#platform/ids';
import { describeDatabases, type TestDatabase } from '#platform/testing/database';
import { createTracesModule } from './index.ts';

const actor = { actor: 'user:test' };
const project = 'default';

describeDatabases('traces of what is purged', (open) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  test('traces of an experiment go some at a time, each time in a unit of its own', async () => {
    const { api, consumers } = createTracesModule({
      database,
      ids: createSequentialIds(),
      tracking: {
        experiment: async (_reader, _project, experimentId) =>
          ({ experimentId, lifecycle: 'active', artifactLocation: `mlflow-artifacts:/${experimentId}` }) as Experiment,
        activeExperimentIds: async () => ['7', '8'],
        runInfo: async () => undefined,
        artifactsAt: async () => [],
        deleteArtifact: async () => false,
      },
      lineage: { registerResolver() {} },
    });
    await database.write(actor, async (unit) => {
      for (let n = 0; n < 450; n += 1) {
        const told = { project, traceId: `tr-${n}`, requestMs: n, state: 'OK' as const, tags: {}, metadata: {} };
        await api.putTrace(unit, { ...told, experimentId: n === 0 ? '8' : '7' });
      }
    });
    const units: number[] = [];
    const stop = database.onEvents((events) => {
      for (const { type, data } of events) if (type === 'traces.deleted') units.push(data.count);
    });
    const purged = { type: 'experiment.purged', id: 'e', project, data: { purgeId: 'p', experimentId: '7' } };
    for (const consumer of consumers) await consumer.deliver?.(purged as TidemillEvent);
    stop();
    expect(units).toEqual([200, 200, 49]);
    const { items } = await api.searchTraces(database.read, { project, experimentIds: ['7', '8'], limit: 10 });
    expect(items.map(({ traceId }) => traceId)).toEqual(['tr-0']);
  });
});
