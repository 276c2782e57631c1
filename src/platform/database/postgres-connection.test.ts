import { CompiledQuery } from 'kysely';
import { Client } from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../testing/database.ts';
import { createPostgresConnection } from './postgres-connection.ts';

let database: TestDatabase;
let client: Client;
beforeEach(async () => {
  database = await openTestDatabase({ dialect: 'postgres' });
  client = new Client({ connectionString: database.url, pipeline: true });
  await client.connect();
  await client.query('create table items (name text not null primary key)');
});
afterEach(() => client.end());

const names = async () =>
  (await client.query<{ name: string }>('select items.name from items order by 1')).rows.map(({ name }) => name);
const insert = (name: string) => CompiledQuery.raw('insert into items (name) values ($1)', [name]);
const isOpen = () => true;
const look = CompiledQuery.raw('select items.name from items');

test('what follows a transaction that did not begin changes nothing, and tells why', async () => {
  for (const queries of [
    [insert('a'), insert('b')],
    [look, insert('c')],
  ]) {
    const connection = createPostgresConnection(client, client.query('begin isolation level none'), isOpen);
    const outcomes = await Promise.allSettled(queries.map((query) => connection.executeQuery(query)));
    for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: '42601' } });
    expect(await names()).toEqual([]);
  }
});

test('queries that leave in one go are run in their order, and the first that fails is the one that is told', async () => {
  const connection = createPostgresConnection(client, client.query('begin'), isOpen);
  const queries = [look, insert('a'), insert('a'), insert('b')];
  const outcomes = await Promise.allSettled(queries.map((query) => connection.executeQuery(query)));
  const told = outcomes.map((outcome) =>
    outcome.status === 'rejected' ? (outcome.reason as { code: string }).code : '',
  );
  expect(told).toEqual(['', '', '23505', '23505']);
  await client.query('rollback');
  expect(await names()).toEqual([]);
});
