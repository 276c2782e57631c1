// A database that rows are written to by SQL, while no server has it open: a SQLite file, or a PostgreSQL database by URL.
import Sqlite from 'better-sqlite3';
import pg from 'pg';

/** Rows that PostgreSQL is given at once. */
const atOnce = 5000;

const isPostgres = (place) => /^postgres(ql)?:/.test(place);

/** `insert` may keep rows back until `close`, which says that all are there. */
export async function openTarget(place) {
  return isPostgres(place) ? await openPostgres(place) : openSqlite(place);
}

function openSqlite(file) {
  const database = new Sqlite(file);
  database.pragma('journal_mode = wal');
  database.pragma('synchronous = off');
  database.pragma('foreign_keys = off');
  database.exec('begin');
  const statements = new Map();
  return {
    query: async (text) => database.prepare(text).all(),
    async insert(table, row) {
      const columns = Object.keys(row);
      const name = `${table} ${columns}`;
      if (!statements.has(name))
        statements.set(
          name,
          database.prepare(`insert into ${table} (${columns}) values (${columns.map((column) => `@${column}`)})`),
        );
      statements.get(name).run(row);
    },
    async close() {
      database.exec('commit');
      database.close();
    },
  };
}

async function openPostgres(url) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('set session_replication_role = replica'); // no checks of foreign keys
  const waiting = new Map();
  async function flush(table) {
    const rows = waiting.get(table) ?? [];
    waiting.delete(table);
    if (rows.length === 0) return;
    const columns = Object.keys(rows[0]);
    await client.query(
      `insert into ${table} (${columns}) select ${columns} from json_populate_recordset(null::${table}, $1)`,
      [JSON.stringify(rows)],
    );
  }
  return {
    query: async (text) => (await client.query(text)).rows,
    async insert(table, row) {
      const rows = waiting.get(table) ?? [];
      rows.push(row);
      waiting.set(table, rows);
      if (rows.length === atOnce) await flush(table);
    },
    async close() {
      for (const table of [...waiting.keys()]) await flush(table);
      await client.query('analyze');
      await client.end();
    },
  };
}
