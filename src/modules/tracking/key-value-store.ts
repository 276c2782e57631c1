import { sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { prepareQuery } from '#platform/prepared-query';
import { inList } from '#platform/sql';
import { jsonTextRows } from './json-rows-store.ts';
import type { TrackingTables } from './tracking-tables.ts';
import type { Tag } from './tracking-types.ts';

/** The tables of keys and texts that belong to something, all of one shape. */
export const keyValueTables = {
  experimentTags: { table: 'tracking_experiment_tags', owner: 'experiment_key', key: 'tag_key', value: 'tag_value' },
  runParams: { table: 'tracking_params', owner: 'run_id', key: 'param_key', value: 'param_value' },
  runTags: { table: 'tracking_run_tags', owner: 'run_id', key: 'tag_key', value: 'tag_value' },
  modelParams: { table: 'tracking_logged_model_params', owner: 'model_id', key: 'param_key', value: 'param_value' },
  modelTags: { table: 'tracking_logged_model_tags', owner: 'model_id', key: 'tag_key', value: 'tag_value' },
} as const;
export type KeyValueTable = (typeof keyValueTables)[keyof typeof keyValueTables];

/** Writes texts under keys of one owner; what was there is replaced, or kept when `keep` is set. */
export async function putKeyValues(
  unit: Unit,
  table: KeyValueTable,
  ownerId: string | number,
  pairs: readonly Tag[],
  options: { readonly keep?: boolean } = {},
): Promise<void> {
  await putKeyValuesOf(unit, table, [{ id: ownerId, pairs }], options);
}

/** The same for several owners; of an owner's equal keys the last counts. */
export async function putKeyValuesOf(
  unit: Unit,
  table: KeyValueTable,
  owners: readonly { readonly id: string | number; readonly pairs: readonly Tag[] }[],
  options: { readonly keep?: boolean } = {},
): Promise<void> {
  const rows = owners.flatMap(({ id, pairs }) =>
    [...new Map(pairs.map((pair) => [pair.key, pair.value]))].map((pair) => [id, ...pair]),
  );
  await insertInto(table, options.keep === true)(unit, { rowsJson: JSON.stringify(rows) });
}

type Insert = ReturnType<typeof prepareQuery<never, { rowsJson: string }>>;
const inserts = new Map<string, Insert>();

/** The prepared statement of a table: each is compiled once, many clients write tags and params all the time. */
function insertInto({ table, owner, key, value }: KeyValueTable, keep: boolean): Insert {
  const name = `${table} ${keep}`;
  let insert = inserts.get(name);
  if (insert === undefined) {
    insert = prepareQuery((unit, { rowsJson }) => {
      const ownerType = owner === 'experiment_key' ? 'bigint' : 'text';
      const { columns, from } = jsonTextRows(unit, [ownerType, 'text', 'text'], rowsJson);
      const action = keep ? sql`do nothing` : sql`do update set ${sql.ref(value)} = excluded.${sql.ref(value)}`;
      return sql`insert into ${sql.table(table)} (${sql.ref(owner)}, ${sql.ref(key)}, ${sql.ref(value)})
        select ${columns} from ${from} where true
        on conflict (${sql.ref(owner)}, ${sql.ref(key)}) ${action}`;
    });
    inserts.set(name, insert);
  }
  return insert;
}

/** The pairs of several owners, by owner, each in order of key. */
export async function listKeyValues<Owner extends string | number>(
  reader: Reader,
  { table, owner, key, value }: KeyValueTable,
  ownerIds: readonly Owner[],
  keys: 'all' | readonly string[] = 'all',
): Promise<ReadonlyMap<Owner, readonly Tag[]>> {
  if (keys.length === 0) return new Map();
  const named = keys === 'all' ? sql`1 = 1` : inList(reader, `${table}.${key}`, keys);
  const { rows } = await sql<{ owner: Owner; key: string; value: string }>`
    select ${sql.ref(owner)} as owner, ${sql.ref(key)} as key, ${sql.ref(value)} as value
    from ${sql.table(table)} where ${inList(reader, `${table}.${owner}`, ownerIds)} and ${named}
    order by ${sql.ref(owner)}, ${sql.ref(key)}`.execute(reader.query<TrackingTables>());
  const pairs = new Map<Owner, Tag[]>();
  for (const row of rows) {
    const list = pairs.get(row.owner);
    if (list === undefined) pairs.set(row.owner, [{ key: row.key, value: row.value }]);
    else list.push({ key: row.key, value: row.value });
  }
  return pairs;
}

/** Removes one pair; false when there was none. */
export async function deleteKeyValue(
  unit: Unit,
  { table, owner, key }: KeyValueTable,
  ownerId: string | number,
  name: string,
): Promise<boolean> {
  const result = await sql`delete from ${sql.table(table)}
    where ${sql.ref(owner)} = ${ownerId} and ${sql.ref(key)} = ${name}`.execute(unit.query<TrackingTables>());
  return Number(result.numAffectedRows ?? 0n) > 0;
}
