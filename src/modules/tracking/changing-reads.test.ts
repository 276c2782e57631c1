import { expect, test } from 'vitest';
import type { Reader } from '#platform/database';
import { openTestDatabase, type TestDatabase } from '#platform/testing/database';
import { createTrackingAlone } from './testing/tracking-alone.ts';

const someone = { actor: 'user:local' };
const project = 'demo';
const valueOf = (step: number) => [0, 1, 2, Infinity, 4, 5, Number.NaN, 7][step] ?? -Infinity;

/** A reader that does something once, right after its first query that matches. */
function readerWith(database: TestDatabase, matching: RegExp, change: () => Promise<unknown>): Reader {
  let changed = false;
  const wrap = (target: object, names: readonly string[]): object =>
    new Proxy(target, {
      get(one, name) {
        const value: unknown = Reflect.get(one, name, one);
        if (typeof value !== 'function') return value;
        if (name === 'getExecutor') return () => wrap(value.call(one) as object, ['executeQuery']);
        if (!names.includes(String(name))) return value.bind(one) as unknown;
        return async (query: { readonly sql: string }, ...rest: unknown[]) => {
          const answer: unknown = await value.call(one, query, ...rest);
          if (!changed && matching.test(query.sql)) {
            changed = true;
            await change();
          }
          return answer;
        };
      },
    });
  return {
    dialect: database.dialect,
    query: () => wrap(database.longRead.query(), ['executeQuery']) as never,
  };
}

async function openTracking(dialect: TestDatabase['dialect']) {
  const database = await openTestDatabase({ dialect });
  const { api } = createTrackingAlone(database, [project]);
  const run = await database.write(someone, (unit) => api.createRun(unit, { project, experimentName: 'e', name: 'a' }));
  return { database, api, runId: run.info.runId };
}

test.each(['sqlite', 'postgres'] as const)(
  'a run is found once while it is deleted or restored, on %s',
  async (dialect) => {
    const { database, api, runId } = await openTracking(dialect);
    for (const way of ['deleteRun', 'restoreRun'] as const) {
      let changes = 0;
      const reader = readerWith(database, /as v0/, async () => {
        changes += 1;
        await database.write(someone, (unit) => api[way](unit, { project, runId }));
      });
      const { items } = await api.searchRunDocuments(reader, { project, experimentIds: undefined, limit: 10 });
      expect({ way, changes, names: items.map(({ info }) => info.name) }).toEqual({ way, changes: 1, names: ['a'] });
    }
  },
);

test.each(['sqlite', 'postgres'] as const)(
  'pages of a history that grows meanwhile have each point once, on %s',
  async (dialect) => {
    const { database, api, runId } = await openTracking(dialect);
    const log = (step: number) =>
      database.write(someone, (unit) =>
        api.log(unit, {
          project,
          runId,
          metrics: [{ key: 'k', value: valueOf(step), timestampMs: 1000 + step, step }],
        }),
      );
    for (const step of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) await log(step);
    const reader = readerWith(database, /group_concat|string_agg/, () => log(0));
    const steps: number[] = [];
    for (let after: Awaited<ReturnType<typeof api.metricHistoryText>>['next']; ; ) {
      const page = await api.metricHistoryText(reader, { project, runId, key: 'k', limit: 3, after });
      const points = JSON.parse(`[${Buffer.concat(page.pieces).toString()}]`) as { step: number }[];
      steps.push(...points.map(({ step }) => step));
      after = page.next;
      if (after === undefined) break;
    }
    expect(steps).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await api.metricHistory(database.read, { project, runId, key: 'k' })).toHaveLength(11);
  },
);
