import { existsSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { TransferError } from './transfer-error.ts';

export type Cell = string | number | boolean | null;
export type Row = Readonly<Record<string, Cell>>;

/** A database of MLflow, read in one snapshot and never written to. Statements have `?` for each value. */
export interface SqlConnection {
  readonly label: string;
  /** Where a SQLite file lies. */
  readonly file?: string;
  all(sql: string, values?: readonly (string | number)[]): Promise<Row[]>;
  /** Rows of a long answer, some thousands at a time. */
  stream(sql: string, values?: readonly (string | number)[]): AsyncIterable<readonly Row[]>;
  /** `column in (values)` with one value to give for all of them. */
  inList(column: string, values: readonly string[]): { readonly sql: string; readonly value: string };
  /** The columns of each table. */
  tables(): Promise<ReadonlyMap<string, ReadonlySet<string>>>;
  close(): Promise<void>;
}

const rowsAtOnce = 5000;

function toTables(rows: readonly Row[]): ReadonlyMap<string, ReadonlySet<string>> {
  const tables = new Map<string, Set<string>>();
  for (const { table_name, column_name } of rows) {
    const columns = tables.get(String(table_name)) ?? new Set();
    tables.set(String(table_name), columns.add(String(column_name)));
  }
  return tables;
}

/** `sqlite:///relative.db`, `sqlite:////absolute.db`, or a path. */
export async function openSqlite(address: string, cwd: string): Promise<SqlConnection> {
  const path = address.replace(/^sqlite:\/{2,3}/, '').replace(/\?.*$/, '');
  const file = isAbsolute(path) ? path : resolve(cwd, path);
  if (!existsSync(file)) throw new TransferError('SOURCE_NOT_FOUND', 'not_found', `there is no database ${file}`);
  const { default: Sqlite } = await import('better-sqlite3');
  const database = new Sqlite(file, { readonly: true, fileMustExist: true });
  try {
    database.exec('begin'); // one snapshot, whatever a server does meanwhile
    database.prepare('select count(*) from sqlite_master').get();
  } catch (error) {
    database.close();
    throw new TransferError('SOURCE_UNREADABLE', 'invalid', `${file} is no database of SQLite`, { cause: error });
  }
  return {
    label: `sqlite:///${file}`,
    file,
    all: async (sql, values = []) => database.prepare(sql).all(...values) as Row[],
    async *stream(sql, values = []) {
      let rows: Row[] = [];
      for (const row of database.prepare(sql).iterate(...values)) {
        rows.push(row as Row);
        if (rows.length < rowsAtOnce) continue;
        yield rows;
        rows = [];
      }
      if (rows.length > 0) yield rows;
    },
    inList: (column, values) => ({
      sql: `${column} in (select value from json_each(?))`,
      value: JSON.stringify(values),
    }),
    tables: async () =>
      toTables(
        database
          .prepare(
            `select m.name as table_name, c.name as column_name
             from sqlite_master as m cross join pragma_table_info(m.name) as c where m.type = 'table'`,
          )
          .all() as Row[],
      ),
    async close() {
      database.close();
    },
  };
}

const int8 = 20;
const numeric = 1700;

function toNumbered(sql: string): string {
  let at = 0;
  return sql.replaceAll('?', () => `$${(at += 1)}`);
}

/** `postgresql://user:password@host/database`, also with a driver of Python's behind a plus. */
export async function openPostgres(address: string): Promise<SqlConnection> {
  const connectionString = address.replace(/^postgres(?:ql)?(?:\+\w+)?:/, 'postgresql:');
  const { default: pg } = await import('pg');
  const types = new pg.TypeOverrides();
  for (const type of [int8, numeric]) types.setTypeParser(type, Number);
  const client = new pg.Client({ connectionString, types, application_name: 'tidemill import' });
  const shown = new URL(connectionString);
  shown.password = '';
  try {
    await client.connect();
    await client.query('begin transaction isolation level repeatable read read only');
  } catch (error) {
    await client.end().catch(() => undefined);
    const why = error instanceof Error ? error.message : String(error);
    throw new TransferError('SOURCE_UNREACHABLE', 'unavailable', `${shown.href} cannot be read: ${why}`, {
      cause: error,
    });
  }
  let cursors = 0;
  return {
    label: shown.href,
    all: async (sql, values = []) => (await client.query<Row>(toNumbered(sql), [...values])).rows,
    async *stream(sql, values = []) {
      cursors += 1;
      const cursor = `tidemill_${cursors}`;
      await client.query(`declare ${cursor} no scroll cursor for ${toNumbered(sql)}`, [...values]);
      for (;;) {
        const { rows } = await client.query<Row>(`fetch ${rowsAtOnce} from ${cursor}`);
        if (rows.length === 0) break;
        yield rows;
      }
      await client.query(`close ${cursor}`);
    },
    inList: (column, values) => ({
      sql: `${column} in (select value from json_array_elements_text(?::json) as list(value))`,
      value: JSON.stringify(values),
    }),
    tables: async () =>
      toTables(
        (
          await client.query<Row>(
            'select table_name, column_name from information_schema.columns where table_schema = any(current_schemas(false))',
          )
        ).rows,
      ),
    close: () => client.end(),
  };
}
