import { runQuery } from '#contracts/datasets';
import type { Client } from '../../sdk/index.ts';

/** What the timetable says of one flight. */
export type Fact = Readonly<Record<string, string | number | null>>;

/** The flights of a day as one knows them before they leave. */
export interface Timetable {
  of(day: string): Promise<readonly Fact[]>;
}

const flightsAMonth = 100_000;

/** Reads a month of daily files at once, when its first day is asked for. */
export function createTimetable(client: Client, files: ReadonlyMap<string, string>, signal: AbortSignal): Timetable {
  const months = new Map<string, Promise<ReadonlyMap<string, readonly Fact[]>>>();

  async function read(month: string): Promise<ReadonlyMap<string, readonly Fact[]>> {
    const inputs = [...files].filter(([day]) => day.startsWith(month)).map(([name, sha256]) => ({ name, sha256 }));
    const days = inputs.map(({ name }) => `select '${name}' as day, row_number() over () as place, * from "${name}"`);
    const body = {
      sql: `select day, carrier, flight, origin, dest, strftime(time_hour at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as time_hour,
        sched_dep_time, sched_arr_time, distance from (${days.join(' union all ')}) order by day, place`,
      inputs,
      rows: flightsAMonth,
    };
    const { rows = [] } = await client.call(runQuery, { body }, { signal });
    const byDay = new Map<string, Fact[]>();
    for (const { day, ...fact } of rows as readonly Fact[]) {
      const known = byDay.get(String(day));
      if (known === undefined) byDay.set(String(day), [fact]);
      else known.push(fact);
    }
    return byDay;
  }

  return {
    async of(day) {
      if (!files.has(day)) return [];
      const month = day.slice(0, 7);
      const known = months.get(month) ?? read(month);
      months.set(month, known);
      return (await known).get(day) ?? [];
    },
  };
}
