import type Sqlite from 'better-sqlite3';
import { withCause } from '../errors.ts';
import { packagePath } from '../package-path.ts';
import { databaseErrors } from './database-errors.ts';
import { type AppliedMigration, createMigrationsTable, loadMigrations, pendingMigrations } from './migrations.ts';

/** Brings a SQLite file up to date. A file that holds anything is first copied beside itself. */
export function migrateSqlite(
  raw: Sqlite.Database,
  options: { readonly file: string; readonly folder: string | undefined; readonly nowMs: number },
): void {
  const known = loadMigrations(options.folder ?? packagePath('migrations'), 'sqlite');
  raw.exec(createMigrationsTable);
  const applied = raw
    .prepare('select applied_migrations.id, applied_migrations.checksum from applied_migrations')
    .all() as AppliedMigration[];
  const pending = pendingMigrations(known, applied);
  const first = pending[0];
  if (first === undefined) return;
  if (applied.length > 0) raw.prepare('vacuum into ?').run(`${options.file}.before-${first.id}.${options.nowMs}`);

  const record = raw.prepare('insert into applied_migrations (id, checksum, applied_at_ms) values (?, ?, ?)');
  for (const { id, text, checksum } of pending) {
    try {
      raw.transaction(() => {
        raw.exec(text);
        record.run(id, checksum, options.nowMs);
      })();
    } catch (error) {
      throw withCause(
        databaseErrors.MIGRATION_FAILED(id, error instanceof Error ? error.message : String(error)),
        error,
      );
    }
  }
}
