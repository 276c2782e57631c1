import { sql } from 'kysely';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../src/platform/database.ts';
import { openTestDatabase } from '../src/platform/testing/database.ts';

/**
 * The schema that all migrations together make. `tests/schema.sql` is its golden dump: run this file with `-u` after a
 * new migration, and read the change in the diff.
 */
interface Column {
  readonly table: string;
  readonly column: string;
  readonly type: string;
}
const allowedTypes = ['text', 'bigint', 'double precision', 'smallint'];

const namesOf = (columns: readonly Column[]) =>
  columns
    .map(({ table, column }) => `${table}.${column}`)
    .filter((name) => !['events.position', 'events.xid', 'events.sequence'].includes(name))
    .toSorted();

async function rowsOf<Row>(database: Database, text: ReturnType<typeof sql<Row>>): Promise<readonly Row[]> {
  return (await text.execute(database.read.query())).rows;
}

const sqliteColumns = sql<Column>`select t.name as "table", c.name as "column", lower(c.type) as type
  from sqlite_master t join pragma_table_info(t.name) c
  where t.type = 'table' and t.name not like 'sqlite_%' order by t.name, c.cid`;
const postgresColumns = sql<Column>`select table_name as "table", column_name as "column", data_type as type
  from information_schema.columns where table_schema = 'public' order by table_name, ordinal_position`;

describe('the schema', () => {
  let sqlite: readonly Column[] = [];
  let postgres: readonly Column[] = [];
  let dump = '';
  let unindexed: readonly { table: string; column: string }[] = [];

  beforeAll(async () => {
    const one = await openTestDatabase();
    sqlite = await rowsOf(one, sqliteColumns);
    const statements = await rowsOf(
      one,
      sql<{ sql: string }>`select sql from sqlite_master where sql is not null and name not like 'sqlite_%'
        order by tbl_name, type desc, name`,
    );
    dump = `-- Printed from the migrations by tests/schema.test.ts.\n${statements.map((row) => `${row.sql};\n`).join('\n')}`;
    unindexed = await rowsOf(
      one,
      sql<{ table: string; column: string }>`select t.name as "table", k."from" as "column"
        from sqlite_master t join pragma_foreign_key_list(t.name) k
        where t.type = 'table' and k.seq = 0 and not exists (
          select 1 from pragma_index_list(t.name) i join pragma_index_info(i.name) c
          where c.seqno = 0 and c.name = k."from")
        order by 1, 2`,
    );
    await one.close();
    const other = await openTestDatabase({ dialect: 'postgres' });
    postgres = await rowsOf(other, postgresColumns);
    await other.close();
  }, 60_000);

  test('is the one that was reviewed', async () => {
    await expect(dump).toMatchFileSnapshot('./schema.sql');
  });

  test('has the same tables and columns on both databases, except for the position of an event', () => {
    expect(namesOf(postgres)).toEqual(namesOf(sqlite));
  });

  test('uses only types that mean the same on both databases', () => {
    const odd = [...sqlite, ...postgres].filter(
      ({ table, column, type }) => !allowedTypes.includes(type) && `${table}.${column}` !== 'events.position',
    );
    expect(odd).toEqual([]);
  });

  test('has an index for each foreign key', () => {
    expect(unindexed).toEqual([]);
  });
});
