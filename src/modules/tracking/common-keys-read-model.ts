import { sql } from 'kysely';
import type { Reader } from '#platform/database';
import { inList } from '#platform/sql';
import { byBytes } from './search-store.ts';
import type { TrackingTables } from './tracking-tables.ts';

interface CommonKeys {
  readonly metrics: readonly string[];
  readonly params: readonly string[];
}

/**
 * The keys that most of these runs have, by name: so many metrics, those of the machine (`system/…`) only for want of
 * others, and so many params. Counted by the database: a run may have thousands.
 */
export async function commonKeys(
  reader: Reader,
  runIds: readonly string[],
  most: { readonly metrics: number; readonly params: number },
): Promise<CommonKeys> {
  if (runIds.length === 0) return { metrics: [], params: [] };
  const keysIn = async (table: string, column: string, limit: number): Promise<string[]> => {
    const key = sql.ref(`${table}.${column}`);
    const { rows } = await sql<{ name: string }>`select ${key} as name from ${sql.table(table)}
      where ${inList(reader, `${table}.run_id`, runIds)}
      group by ${key}
      order by case when ${key} like 'system/%' then 1 else 0 end, count(*) desc, ${byBytes(reader, `${table}.${column}`)}
      limit ${limit}`.execute(reader.query<TrackingTables>());
    return rows.map(({ name }) => name).toSorted(byMachineThenName);
  };
  return {
    metrics: await keysIn('tracking_latest_metrics', 'metric_key', most.metrics),
    params: await keysIn('tracking_params', 'param_key', most.params),
  };
}

function byMachineThenName(one: string, other: string): number {
  const [isMachine, isOther] = [one, other].map((key) => Number(key.startsWith('system/')));
  return (isMachine ?? 0) - (isOther ?? 0) || (one < other ? -1 : 1);
}
