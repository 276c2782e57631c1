import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { databaseErrors } from './database-errors.ts';
import type { Database } from './types.ts';

/**
 * Migrations are files `NNNN-name.sql`, run in order of number, each in one transaction. Where the databases must differ,
 * `NNNN-name.sqlite.sql` and `NNNN-name.postgres.sql` are run after (or without) the common file of the same name.
 * What was applied is recorded with a checksum of its text: forward only, never edited.
 */
export interface Migration {
  /** `0001-platform`. */
  readonly id: string;
  readonly text: string;
  readonly checksum: string;
}

export interface AppliedMigration {
  readonly id: string;
  readonly checksum: string;
}

/** The same text on both databases. */
export const createMigrationsTable = `create table if not exists applied_migrations (
  id text not null primary key,
  checksum text not null,
  applied_at_ms bigint not null
)`;

const fileName = /^(\d{4}-[a-z0-9-]+)(?:\.(sqlite|postgres))?\.sql$/;

/** The migrations of one database, in order. */
export function loadMigrations(folder: string, dialect: Database['dialect']): readonly Migration[] {
  const texts = new Map<string, string>();
  const numbers = new Map<string, string>();
  for (const file of readdirSync(folder).toSorted()) {
    if (!file.endsWith('.sql')) continue;
    const [, id, only] = fileName.exec(file) ?? [];
    if (id === undefined)
      throw databaseErrors.MIGRATIONS_INVALID(`${file} in ${folder} is not named NNNN-name[.sqlite|.postgres].sql`);
    const number = id.slice(0, 4);
    const other = numbers.get(number);
    if (other !== undefined && other !== id)
      throw databaseErrors.MIGRATIONS_INVALID(`${other} and ${id} in ${folder} have the same number`);
    numbers.set(number, id);
    if (only !== undefined && only !== dialect) continue;
    const text = readFileSync(join(folder, file), 'utf8');
    // '.sql' sorts after '.sqlite.sql' and '.postgres.sql', and the common file comes first.
    const before = texts.get(id) ?? '';
    texts.set(id, only === undefined ? `${text}\n${before}` : `${before}\n${text}`);
  }
  return [...texts]
    .map(([id, text]) => ({ id, text, checksum: createHash('sha256').update(text).digest('hex') }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** Those still to run; refuses a database that is newer than this program, or whose past was edited. */
export function pendingMigrations(
  known: readonly Migration[],
  applied: readonly AppliedMigration[],
): readonly Migration[] {
  const byId = new Map(known.map((migration) => [migration.id, migration]));
  for (const { id, checksum } of applied) {
    const migration = byId.get(id);
    if (migration === undefined) throw databaseErrors.DATABASE_NEWER(id);
    if (migration.checksum !== checksum) throw databaseErrors.MIGRATION_EDITED(id);
  }
  const done = new Set(applied.map(({ id }) => id));
  return known.filter(({ id }) => !done.has(id));
}
