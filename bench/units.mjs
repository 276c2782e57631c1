// Units of work a second on SQLite, each with an insert, an update and an event, committed with synchronous=FULL.
// Usage: npm run build && node bench/units.mjs [seconds] [concurrency]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const seconds = Number(process.argv[2] ?? 5);
const concurrency = Number(process.argv[3] ?? 64);
const dist = new URL('../dist/platform/', import.meta.url);
const { openDatabase } = await import(new URL('database.js', dist));
const { systemClock } = await import(new URL('clock.js', dist));
const { systemIds } = await import(new URL('ids.js', dist));

const folder = mkdtempSync(join(tmpdir(), 'tidemill-bench-'));
const actor = 'user:bench';
const data = { alertId: 'a', fingerprint: 'f', kind: 'k', reason: 'r' };

const bare = async (unit, n) => {
  await unit.query().insertInto('items').values({ id: unit.newId(), amount: n }).execute();
};
const whole = async (unit, n) => {
  await bare(unit, n);
  await unit
    .query()
    .updateTable('totals')
    .set({ amount: n })
    .where('totals.id', '=', n % 100)
    .execute();
  await unit.emit({ type: 'alert.resolved', project: 'bench', subject: `alert:${n % 1000}`, data });
};

/** Keeps `concurrency` units in flight and measures each from hand-in to answer. */
async function measure(name, work, inFlight) {
  const database = await openDatabase({ url: join(folder, `${name}.db`), clock: systemClock, ids: systemIds });
  const { sql } = await import('kysely');
  await database.write({ actor }, async (unit) => {
    await sql`create table items (id text not null primary key, amount bigint not null)`.execute(unit.query());
    await sql`create table totals (id bigint not null primary key, amount bigint not null)`.execute(unit.query());
    for (let id = 0; id < 100; id++) await unit.query().insertInto('totals').values({ id, amount: 0 }).execute();
  });
  const times = [];
  const start = performance.now();
  const endAt = start + seconds * 1000;
  let n = 0;
  const client = async () => {
    while (performance.now() < endAt) {
      const own = n++;
      const begin = performance.now();
      await database.write({ actor }, (unit) => work(unit, own));
      times.push(performance.now() - begin);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, client));
  const took = (performance.now() - start) / 1000;
  await database.close();
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.floor((times.length - 1) * share)].toFixed(2);
  const rate = Math.round(times.length / took).toLocaleString('en');
  console.log(
    `${name.padEnd(28)} ${String(inFlight).padStart(4)} in flight  ${rate.padStart(7)} units/s  p50 ${at(0.5)} ms  p99 ${at(0.99)} ms  max ${at(1)} ms`,
  );
}

try {
  await measure('insert', bare, concurrency);
  await measure('insert-update-event', whole, concurrency);
  await measure('insert-update-event-alone', whole, 1);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
