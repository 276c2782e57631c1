import { copyFileSync, existsSync, mkdtempSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, inject, onTestFinished } from 'vitest';
import { type Clock, createManualClock } from '../clock.ts';
import { type Database, openDatabase } from '../database.ts';
import { createSequentialIds, type Ids } from '../ids.ts';

/** 2026-01-01T00:00:00Z, where a test's clock begins. */
const startMs = Date.UTC(2026, 0, 1);

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
  readonly clock?: ReturnType<typeof createManualClock>;
  readonly ids?: Ids;
}

/** A new database with the real schema; closed when the test ends. */
export async function openTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const clock = options.clock ?? createManualClock(startMs);
  const ids = options.ids ?? createSequentialIds();
  return await open(await cloneSqliteTemplate(clock), clock, ids);
}

async function open(url: string, clock: TestDatabase['clock'], ids: Ids): Promise<TestDatabase> {
  const database = await openDatabase({ url, clock, ids, durability: 'off' });
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= database.close());
  onTestFinished(close);
  return { ...database, url, clock, ids, close, reopen: () => open(url, clock, ids) };
}

/** A copy of a file that was migrated once in this run. */
async function cloneSqliteTemplate(clock: Clock): Promise<string> {
  const root = inject('databaseFolder');
  const template = join(root, 'template.db');
  if (!existsSync(template)) {
    // Several test processes may do this at once: each its own, the last rename wins, and all are the same.
    const draft = join(mkdtempSync(join(root, 'template-')), 'template.db');
    await (await openDatabase({ url: draft, clock, ids: createSequentialIds(), durability: 'off' })).close();
    renameSync(draft, template);
  }
  const file = join(mkdtempSync(join(root, 'sqlite-')), 'tidemill.db');
  copyFileSync(template, file);
  return file;
}

/** Runs a suite on each database. `open` gives the test a new one, closed when the test ends. */
export function describeDatabases(name: string, suite: (open: () => Promise<TestDatabase>) => void): void {
  describe.each(['sqlite'] as const)(`${name} on %s`, (dialect) => {
    suite(() => openTestDatabase({ dialect }));
  });
}
