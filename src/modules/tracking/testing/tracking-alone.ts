import { createLogger } from '#platform/log';
import type { TestDatabase } from '#platform/testing/database';
import { createTrackingModule, type TrackingModule } from '../index.ts';

/** The module on a database without its neighbours, for tests that ask nothing of them; `projects` are there. */
export function createTrackingAlone(database: TestDatabase, projects: readonly string[] = []): TrackingModule {
  return createTrackingModule({
    database,
    ids: database.ids,
    clock: database.clock,
    logger: createLogger({ level: 'silent' }),
    projects: { list: async () => projects.map((name) => ({ name })) },
    artifacts: {
      retain: async () => undefined,
      missing: async () => [],
      release: async () => undefined,
      releaseAll: async () => undefined,
    },
    lineage: { record: async () => undefined },
  });
}
