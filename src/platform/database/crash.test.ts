import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { sql } from 'kysely';
import { pino } from 'pino';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Consumer, createConsumers, createEventLog } from '../events.ts';
import { builtModule } from '../testing/built-program.ts';
import { openTestDatabase } from '../testing/database.ts';
import type { Unit } from './types.ts';

/**
 * Another process writes units as fast as it can and says so after each answer, while a consumer follows its events; it
 * is killed in the middle, several times. Nothing acknowledged may be missing, nothing handled twice or never.
 */
const writes = 40;
const program = (
  modules: { database: string; events: string; clock: string; ids: string },
  url: string,
  round: number,
) => `
  import { openDatabase } from '${modules.database}';
  import { createConsumers, createEventLog } from '${modules.events}';
  import { systemClock as clock } from '${modules.clock}';
  import { systemIds as ids } from '${modules.ids}';
  const database = await openDatabase({ url: '${url}', clock, ids });
  const logger = { warn() {}, error() {} };
  const consumers = createConsumers({ database, log: createEventLog(database), clock, logger });
  consumers.add({
    name: 'counter',
    types: ['alert.resolved'],
    handle: (unit, event) => unit.query().insertInto('handled').values({ event: event.subject }).execute(),
  });
  await consumers.start();
  const data = { alertId: 'a', fingerprint: 'f', kind: 'k', reason: 'r' };
  let n = 0;
  async function writer() {
    for (;;) {
      const name = 'alert:${round}.' + n++;
      await database.write({ actor: 'user:local' }, async (unit) => {
        await unit.query().insertInto('written').values({ name }).execute();
        await unit.emit({ type: 'alert.resolved', project: 'flights', subject: name, data });
      });
      process.stdout.write(name + '\\n');
    }
  }
  await Promise.all([writer(), writer(), writer(), writer()]);
`;

const createTables = async (unit: Unit) => {
  await sql`create table written (name text not null primary key)`.execute(unit.query());
  await sql`create table handled (event text not null)`.execute(unit.query());
};
const counter: Consumer = {
  name: 'counter',
  types: ['alert.resolved'],
  async handle(unit, event) {
    await unit.query<{ handled: { event: string } }>().insertInto('handled').values({ event: event.subject }).execute();
  },
};

/** Runs until a number of writes were acknowledged, then kills; answers all that were acknowledged. */
async function runAndKill(child: ChildProcess): Promise<readonly string[]> {
  const acknowledged: string[] = [];
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  lines.on('line', (line) => {
    acknowledged.push(line);
    if (acknowledged.length === writes) child.kill('SIGKILL');
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect({ code, signal }).toEqual({ code: null, signal: 'SIGKILL' });
  return acknowledged;
}

describe.each(['sqlite', 'postgres'] as const)('kill -9 on %s', (dialect) => {
  let modules: Parameters<typeof program>[0];
  beforeAll(async () => {
    const [database, events, clock, ids] = await Promise.all(
      ['database', 'events', 'clock', 'ids'].map((name) => builtModule(`platform/${name}.js`)),
    );
    modules = { database, events, clock, ids } as typeof modules;
  }, 180_000);

  test('loses nothing that was acknowledged and handles each event exactly once', { timeout: 60_000 }, async () => {
    const prepared = await openTestDatabase({ dialect });
    await prepared.write({ actor: 'user:local' }, createTables);
    await prepared.close();

    const acknowledged: string[] = [];
    for (const round of [1, 2, 3]) {
      const args = ['--input-type=module', '-e', program(modules, prepared.url, round)];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      acknowledged.push(...(await runAndKill(child)));
    }

    const database = await prepared.reopen();
    const log = createEventLog(database);
    const logger = pino({ level: 'silent' });
    const consumers = createConsumers({ database, log, clock: database.clock, logger });
    consumers.add(counter);
    await consumers.start();
    await consumers.idle();
    await consumers.stop();
    const list = async (text: ReturnType<typeof sql<{ name: string }>>) =>
      (await text.execute(database.read.query())).rows.map(({ name }) => name).toSorted();
    const written = await list(sql`select name from written`);
    expect(new Set(written)).toEqual(new Set([...written, ...acknowledged]));
    expect(written.length).toBeGreaterThanOrEqual(3 * writes);
    expect(await list(sql`select subject as name from events`)).toEqual(written);
    expect(await list(sql`select event as name from handled`)).toEqual(written);
  });
});
