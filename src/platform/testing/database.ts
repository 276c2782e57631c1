import { randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { beforeAll, describe, inject, onTestFinished } from 'vitest';
import { createManualClock } from '../clock.ts';
import { type Database, openDatabase } from '../database.ts';
import { createSequentialIds, type Ids } from '../ids.ts';
import { findOrStartPostgres } from './postgres-server.ts';

/** 2026-01-01T00:00:00Z, where a test's clock begins. */
const startMs = Date.UTC(2026, 0, 1);
/** Starting a PostgreSQL server takes a second; on a busy machine, several. */
const serverTimeoutMs = 60_000;

/** A migrated database of its own, which the test may close and open again. */
export interface TestDatabase extends Database {
  readonly url: string;
  readonly clock: ReturnType<typeof createManualClock>;
  readonly ids: Ids;
  /** Opens the same database again, after `close`, as a restarted process would. */
  reopen(): Promise<TestDatabase>;
}

export interface TestDatabaseOptions {
  /** Default `sqlite`. */
  readonly dialect?: Database['dialect'];
  /** Default: one that stands at 2026-01-01T00:00:00Z. */
  readonly clock?: ReturnType<typeof createManualClock>;
  /** Default: counted from 1. */
  readonly ids?: Ids;
}

/** A new database with the real schema; closed when the test ends. */
export async function openTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const clock = options.clock ?? createManualClock(startMs);
  const ids = options.ids ?? createSequentialIds();
  const url = options.dialect === 'postgres' ? await clonePostgresTemplate() : await cloneSqliteTemplate();
  return await open(url, clock, ids);
}

async function open(url: string, clock: TestDatabase['clock'], ids: Ids): Promise<TestDatabase> {
  const database = await openDatabase({ url, clock, ids, durability: 'off' });
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= database.close());
  atEndOfTest(close);
  return { ...database, url, clock, ids, close, reopen: () => open(url, clock, ids) };
}

/** Runs a suite on each database. `open` gives a new one, closed when the test ends. */
export function describeDatabases(name: string, suite: (open: () => Promise<TestDatabase>) => void): void {
  describe.each(['sqlite', 'postgres'] as const)(`${name}, on %s`, (dialect) => {
    if (dialect === 'postgres') beforeAll(async () => void (await postgresTemplate()), serverTimeoutMs);
    suite(() => openTestDatabase({ dialect }));
  });
}

/** A path for a new SQLite file, removed after the run. */
export function newSqlitePath(): string {
  return join(mkdtempSync(join(inject('databaseFolder'), 'sqlite-')), 'tidemill.db');
}

/** The address of a new, empty PostgreSQL database, removed when the test ends. */
export async function newPostgresUrl(template = 'template0'): Promise<string> {
  const server = await findOrStartPostgres(inject('databaseFolder'));
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await asAdministrator(server.url, `create database ${name} template ${template} strategy file_copy`);
  // Registered before the database is opened, so that it runs after it has been closed.
  atEndOfTest(() => asAdministrator(server.url, `drop database ${name} with (force)`));
  return `${server.url}/${name}`;
}

async function cloneSqliteTemplate(): Promise<string> {
  const template = join(inject('databaseFolder'), 'template.db');
  if (!existsSync(template)) {
    // Several test processes may do this at once: each its own, the last rename wins, and all are the same.
    const draft = newSqlitePath();
    await migrateOnly(draft);
    renameSync(draft, template);
  }
  const file = newSqlitePath();
  copyFileSync(template, file);
  return file;
}

const clonePostgresTemplate = async (): Promise<string> => await newPostgresUrl(await postgresTemplate());

/** Each test process has its own server with a migrated template: no process waits for another. */
let templateOfProcess: Promise<string> | undefined;
function postgresTemplate(): Promise<string> {
  templateOfProcess ??= (async () => {
    const server = await findOrStartPostgres(inject('databaseFolder'));
    const name = `template_${process.pid}`;
    await asAdministrator(server.url, `create database ${name} template template0 strategy file_copy`);
    await migrateOnly(`${server.url}/${name}`);
    return name;
  })();
  return templateOfProcess;
}

async function migrateOnly(url: string): Promise<void> {
  const clock = createManualClock(startMs);
  await (await openDatabase({ url, clock, ids: createSequentialIds(), durability: 'off' })).close();
}

async function asAdministrator(server: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: `${server}/postgres` });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Outside a test (a suite's beforeAll) the caller closes what it opened. */
function atEndOfTest(action: () => Promise<void>): void {
  try {
    onTestFinished(action);
  } catch {
    // Vitest knows of no running test.
  }
}
