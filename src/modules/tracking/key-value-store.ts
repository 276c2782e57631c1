import { sql } from 'kysely';
import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import { jsonRows } from './json-rows-store.ts';
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
  { table, owner, key, value }: KeyValueTable,
  ownerId: string | number,
  pairs: readonly Tag[],
  options: { readonly keep?: boolean } = {},
): Promise<void> {
  const last = new Map(pairs.map((pair) => [pair.key, pair.value]));
  const { columns, from } = jsonRows(unit, ['text', 'text'], [...last]);
  const action = options.keep ? sql`do nothing` : sql`do update set ${sql.ref(value)} = excluded.${sql.ref(value)}`;
  await sql`insert into ${sql.table(table)} (${sql.ref(owner)}, ${sql.ref(key)}, ${sql.ref(value)})
    select ${ownerCast(unit, ownerId)}, ${columns} from ${from} where true
    on conflict (${sql.ref(owner)}, ${sql.ref(key)}) ${action}`.execute(unit.query<TrackingTables>());
}

/** The same for several owners whose ids are texts; of an owner's equal keys the last counts. */
export async function putKeyValuesOf(
  unit: Unit,
  { table, owner, key, value }: KeyValueTable,
  owners: readonly { readonly id: string; readonly pairs: readonly Tag[] }[],
): Promise<void> {
  const rows = owners.flatMap(({ id, pairs }) =>
    [...new Map(pairs.map((pair) => [pair.key, pair.value]))].map((pair) => [id, ...pair]),
  );
  const { columns, from } = jsonRows(unit, ['text', 'text', 'text'], rows);
  await sql`insert into ${sql.table(table)} (${sql.ref(owner)}, ${sql.ref(key)}, ${sql.ref(value)})
    select ${columns} from ${from} where true
    on conflict (${sql.ref(owner)}, ${sql.ref(key)}) do update set ${sql.ref(value)} = excluded.${sql.ref(value)}`.execute(
    unit.query<TrackingTables>(),
  );
}

// PostgreSQL takes a bare parameter of a select list for a text
const ownerCast = (unit: Unit, ownerId: string | number) =>
  unit.dialect === 'postgres' && typeof ownerId === 'number' ? sql`${ownerId}::bigint` : sql`${ownerId}`;

/** The pairs of several owners, by owner, each in order of key. */
export async function listKeyValues<Owner extends string | number>(
  reader: Reader,
  { table, owner, key, value }: KeyValueTable,
  ownerIds: readonly Owner[],
): Promise<ReadonlyMap<Owner, readonly Tag[]>> {
  const { rows } = await sql<{ owner: Owner; key: string; value: string }>`
    select ${sql.ref(owner)} as owner, ${sql.ref(key)} as key, ${sql.ref(value)} as value
    from ${sql.table(table)} where ${inList(reader, `${table}.${owner}`, ownerIds)}
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
