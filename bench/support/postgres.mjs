// Databases of their own on a PostgreSQL server that is given, for both sides of a comparison.
import pg from 'pg';

/** Makes empty databases; answers their URLs, and what removes them again. */
export async function createDatabases(server, names) {
  const run = async (...statements) => {
    const client = new pg.Client({ connectionString: `${server}/postgres` });
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  };
  const drops = names.map((name) => `drop database if exists ${name} with (force)`);
  await run(...drops, ...names.map((name) => `create database ${name}`));
  return { urls: names.map((name) => `${server}/${name}`), drop: () => run(...drops) };
}
