import { CompiledQuery } from 'kysely';
import { Client } from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../testing/database.ts';
import { createPostgresConnection, createPostgresTypes } from './postgres-connection.ts';
import { createFlights } from './postgres-flight.ts';

let database: TestDatabase;
let client: Client;
beforeEach(async () => {
  database = await openTestDatabase({ dialect: 'postgres' });
  client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query('create table items (name text not null primary key)');
});
afterEach(() => client.end());

const names = async () =>
  (await client.query<{ name: string }>('select items.name from items order by 1')).rows.map(({ name }) => name);
const insert = (name: string) => CompiledQuery.raw('insert into items (name) values ($1)', [name]);
const look = CompiledQuery.raw('select items.name from items');

function connect() {
  const flights = createFlights(createPostgresTypes());
  flights.depart(client);
  return createPostgresConnection(flights.send);
}
const named = (name: string, sql: string, ...parameters: unknown[]) => ({
  ...CompiledQuery.raw(sql, parameters),
  name,
});

test('what leaves with a transaction that cannot begin changes nothing, and tells why', async () => {
  for (const queries of [
    [insert('a'), insert('b')],
    [look, insert('c')],
  ]) {
    const connection = connect();
    const begin = CompiledQuery.raw('begin isolation level none');
    const outcomes = await Promise.allSettled([begin, ...queries].map((query) => connection.executeQuery(query)));
    for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: '42601' } });
    expect(await names()).toEqual([]);
  }
});

test('queries that leave in one go are run in their order, and the first that fails is the one that is told', async () => {
  const connection = connect();
  const queries = [
    CompiledQuery.raw('begin'),
    look,
    insert('a'),
    insert('a'),
    insert('b'),
    CompiledQuery.raw('commit'),
  ];
  const outcomes = await Promise.allSettled(queries.map((query) => connection.executeQuery(query)));
  const told = outcomes.map((outcome) =>
    outcome.status === 'rejected' ? (outcome.reason as { code: string }).code : '',
  );
  expect(told).toEqual(['', '', '', '23505', '23505', '23505']);
  await expect(connection.executeQuery(look)).rejects.toMatchObject({ code: '23505' });
  await client.query('rollback');
  expect(await names()).toEqual([]);
});

test('a named query is parsed once for a client, also when it failed before or stands twice in one go', async () => {
  const put = (name: string) => named('put', 'insert into items (name) values ($1) returning name', name);
  const connection = connect();
  const answers = await Promise.all([put('a'), put('b')].map((query) => connection.executeQuery(query)));
  expect(answers).toEqual([
    { rows: [{ name: 'a' }], numAffectedRows: 1n },
    { rows: [{ name: 'b' }], numAffectedRows: 1n },
  ]);
  await expect(connection.executeQuery(put('a'))).rejects.toMatchObject({ code: '23505' });
  await expect(connect().executeQuery(named('bad', 'select nothing'))).rejects.toMatchObject({ code: '42703' });
  // the message that would close it is skipped with all that follows a failure
  const again = connect();
  const skipped = [insert('a'), put('d')].map((query) => again.executeQuery(query));
  for (const outcome of await Promise.allSettled(skipped)) expect(outcome.status).toBe('rejected');
  expect((await connect().executeQuery(put('d'))).rows).toEqual([{ name: 'd' }]);
  expect((await connect().executeQuery(named('bad', 'select 1 as one'))).rows).toEqual([{ one: 1 }]);
});

const ask = async (n: number) => (await connect().executeQuery(named(`q${n}`, `select ${n} as n`))).rows;

test('of very many named queries the server keeps those used last', async () => {
  for (let n = 0; n < 300; n += 1) {
    expect(await ask(n)).toEqual([{ n }]);
    expect(await ask(0)).toEqual([{ n: 0 }]);
  }
  const { rows } = await client.query<{ name: string }>('select name from pg_prepared_statements order by 1');
  const kept = rows.map(({ name }) => name);
  expect(kept.length).toBeGreaterThan(150);
  expect(kept.length).toBeLessThan(210);
  expect(kept).toContain('q0');
  expect(kept).not.toContain('q1');
  expect(await ask(1)).toEqual([{ n: 1 }]);
});

test('values come as they went, and one that would lose digits is refused', async () => {
  const connection = connect();
  const sql =
    'select $1::text as t, $2::bigint as i, $3::float8 as f, $4::boolean as b, $5::bytea as y, $6::text as n, $7::text[] as l';
  const values = ['é', 2 ** 53 - 1, 0.1, true, new Uint8Array([0, 255]), null, ['a"', 'b']];
  const { rows } = await connection.executeQuery(CompiledQuery.raw(sql, values));
  expect(rows).toEqual([
    { t: 'é', i: 2 ** 53 - 1, f: 0.1, b: true, y: Buffer.from([0, 255]), n: null, l: ['a"', 'b'] },
  ]);
  expect(await connection.executeQuery(CompiledQuery.raw('-- nothing'))).toEqual({ rows: [] });
  const copy = CompiledQuery.raw('copy items from stdin');
  await expect(connect().executeQuery(copy)).rejects.toMatchObject({ code: '57014' });
  const unsafe = CompiledQuery.raw('select 9007199254740993::bigint as i');
  await expect(connection.executeQuery(unsafe)).rejects.toMatchObject({ code: 'INTEGER_UNSAFE' });
});

test('a connection that is lost is told to every query on its way', async () => {
  const connection = connect();
  client.on('error', () => undefined);
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const outcomes = Promise.allSettled([
    connection.executeQuery(CompiledQuery.raw('select pg_sleep(20)')),
    connection.executeQuery(look),
  ]);
  await database.write({ actor: 'user:local' }, (unit) =>
    unit.query().executeQuery(CompiledQuery.raw('select pg_terminate_backend($1)', [rows[0]?.pid])),
  );
  for (const outcome of await outcomes)
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'DATABASE_UNAVAILABLE' } });
});
