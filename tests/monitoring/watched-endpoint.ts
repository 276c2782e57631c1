import { onTestFinished } from 'vitest';
import type { MonitorSpec } from '#contracts/monitoring';
import { type AlertsApi, createAlertsModule } from '#modules/alerts';
import { createMonitoringModule, type MonitoringDeps } from '#modules/monitoring';
import { type Consumer, createEventLog } from '#platform/events';
import { createHttpServer } from '#platform/http';
import { createLogger } from '#platform/log';
import type { TestDatabase } from '#platform/testing/database';
import {
  day,
  endpoint,
  type Given,
  idOf,
  type LogBench,
  openBench,
  project,
  start,
} from '../../src/modules/predictions/testing/log-bench.ts';

export { day, endpoint, idOf, project, start };

const actor = { actor: 'user:test' };
const hour = 3_600_000;
const rowsOfDay = 40;

type LightResponse = Awaited<ReturnType<Awaited<ReturnType<typeof createHttpServer>>['inject']>>;

export interface Watched extends LogBench {
  readonly monitoring: ReturnType<typeof createMonitoringModule>;
  readonly alerts: ReturnType<typeof createAlertsModule> & LogBench['alerts'];
  apply(spec: unknown): Promise<void>;
  /**
   * One day of a replay: forty predictions with a shadow of version 1 beside the second one, a report, then the truth
   * of the day before. Every other flight is late; good scores tell them apart, bad ones do not.
   */
  playDay(
    at: number,
    options: {
      readonly good: boolean;
      /** NaN: the column has gone missing. */
      readonly distance?: number;
      readonly revision?: string;
      readonly version?: number;
      readonly shadowIsBad?: boolean;
    },
  ): Promise<void>;
  promote(version: number): Promise<void>;
  /** Without a promotion, as by hand. */
  setChampion(version: number): void;
  eventTypes(): Promise<readonly string[]>;
  request(url: string): Promise<LightResponse>;
}

/** `more` makes the consumers of modules above, which follow the same log. */
export async function openWatched(
  database: TestDatabase,
  live?: 'live',
  more: (alerts: AlertsApi) => readonly Consumer[] = () => [],
): Promise<Watched> {
  let champion = 1;
  const events = createEventLog(database);
  const alerts = createAlertsModule({ database, lineage: { record: async () => undefined } });
  let made: ReturnType<typeof createMonitoringModule> | undefined;
  const bench = await openBench(database, ({ module, deps }) => {
    made = createMonitoringModule({
      database,
      events,
      predictions: module.api,
      jobs: deps.jobs,
      alerts: alerts.api,
      // The neighbours that say what is deployed and which version is champion.
      deployments: { find: async () => ({ spec: { model: 'model:late-arrival@champion' } }) },
      registry: { alias: async () => ({ version: champion, movedMs: 0, promotionId: undefined }) },
    } as unknown as MonitoringDeps);
    return [...made.consumers, ...more(alerts.api)];
  });
  if (made === undefined) throw new Error('monitoring was not made');
  const monitoring = made;
  await bench.register('r1', 1, live);
  await bench.register('r2', 2, live);

  const app = await createHttpServer({
    logger: createLogger({ level: 'silent' }),
    authenticate: async () => ({ id: 'user:test', can: () => true }),
    allowedHosts: [],
    bodyLimitBytes: 1_000_000,
    checkAnswers: true,
  });
  monitoring.routes(app);
  bench.module.routes(app);
  await app.ready();
  onTestFinished(() => app.close());

  let id = 1;
  const truthOf = new Map<number, string>();
  return {
    ...bench,
    monitoring,
    alerts: alerts as Watched['alerts'],
    async apply(spec) {
      const change = { name: endpoint, before: undefined, after: spec as MonitorSpec, snapshot: {} as never };
      await database.write(actor, (unit) => monitoring.kind.apply(unit, project, change));
      await bench.consumers.idle();
    },
    async playDay(at, { good, distance, revision = 'r1', version = 1, shadowIsBad = false }) {
      const records: Given[] = [];
      const truths: string[] = [];
      for (let row = 0; row < rowsOfDay; row += 1) {
        const atMs = start + at * day + (row % 20) * hour;
        const late = row % 2 === 1;
        // two hundredths of spread, so that scores tie little
        const told = (late === good ? 0.7 : 0.3) + (row % 7) / 100;
        const blind = 0.4 + ((row * 13) % 20) / 100;
        const name = `F${at}-${row}`;
        const key = `["${name}","${new Date(atMs).toISOString().replace('.000Z', 'Z')}"]`;
        const common = { atMs, key, distance: distance ?? 50 + (row % 4) * 100, origin: row % 5 < 3 ? 'EWR' : 'JFK' };
        records.push({ id, ...common, score: told, revision, model: `model:late-arrival@${version}` });
        if (version !== 1)
          records.push({
            id: id + 1,
            ...common,
            score: shadowIsBad ? blind : told,
            revision: 'r1',
            model: 'model:late-arrival@1',
            shadowOf: id,
          });
        id += 2;
        truths.push(
          `select '${name}' as flight, make_timestamptz(${atMs * 1000}) as time_hour, ${late ? 40 : 0}::double as arr_delay`,
        );
      }
      truthOf.set(at, truths.join(' union all '));
      await bench.deliver(records);
      await bench.report(start + at * day + 20 * hour);
      const before = truthOf.get(at - 1);
      if (before !== undefined) await bench.land(before);
    },
    setChampion(version) {
      champion = version;
    },
    async promote(version) {
      champion = version;
      await database.write(actor, (unit) =>
        unit.emit({
          type: 'promotion.completed',
          project,
          subject: 'promotion:p1',
          data: { promotionId: 'p1', model: 'late-arrival', version, alias: 'champion' },
        }),
      );
      await bench.consumers.idle();
    },
    async eventTypes() {
      return (await events.list({ project, limit: 1000 })).map(({ type }) => type);
    },
    request: (url) => app.inject({ method: 'GET', url, headers: { host: 'localhost' } }),
  };
}
