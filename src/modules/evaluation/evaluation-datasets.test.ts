import { expect, onTestFinished, test } from 'vitest';
import { createLineageModule } from '#modules/lineage';
import { createConsumers, createEventLog } from '#platform/events';
import { createLogger } from '#platform/log';
import { describeDatabases } from '#platform/testing/database';
import { createEvaluationModule } from './index.ts';

const someone = { actor: 'user:test' };
const never = () => Promise.reject(new Error('it is not asked here'));

describeDatabases('data sets and scorers', (open) => {
  async function setUp() {
    const database = await open();
    const logger = createLogger({ level: 'silent' });
    const module = createEvaluationModule({
      database,
      jobs: { submit: never, get: never },
      registry: { version: never, alias: never, decideCheck: never, deferCheck: never },
      lineage: createLineageModule({ database }).api,
      tracking: {
        lifecycles: async (_reader, _project, ids) => new Map(ids.map((id) => [id, 'active'])),
      },
    });
    const log = createEventLog(database);
    const retry = { attempts: 1, firstWaitMs: 1, longestWaitMs: 1 };
    const consumers = createConsumers({ database, log, clock: database.clock, logger, retry });
    for (const consumer of module.consumers) consumers.add(consumer);
    await consumers.start();
    onTestFinished(() => consumers.stop());
    return { ...module, database, consumers };
  }

  test('a purged experiment takes its scorers with it, and is no longer one of its data sets', async () => {
    const { database, consumers, datasets, scorers } = await setUp();
    const make = (project: string) =>
      database.write(someone, async (unit) => {
        const place = { project, experimentId: '7', name: 'fair' };
        await scorers.register(unit, { ...place, serialized: '{}' });
        await scorers.setSampling(unit, { ...place, sampleRate: 0, filter: undefined });
        return (await datasets.create(unit, { project, name: 'q', tags: [], experimentIds: ['7', '8'] })).datasetId;
      });
    const [gone, kept] = [await make('one'), await make('other')];
    await database.write(someone, (unit) =>
      unit.emit({
        type: 'experiment.purged',
        project: 'one',
        subject: 'experiment:7',
        data: { purgeId: 'p', experimentId: '7' },
      }),
    );
    await consumers.idle();
    expect((await datasets.get(database.read, 'one', gone)).experimentIds).toEqual(['8']);
    expect((await datasets.get(database.read, 'other', kept)).experimentIds).toEqual(['7', '8']);
    expect(await scorers.ofExperiments(database.read, 'one', undefined)).toEqual([]);
    expect(await scorers.ofExperiments(database.read, 'other', undefined)).toHaveLength(1);
  });
});
