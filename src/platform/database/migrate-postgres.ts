import type { Pool } from 'pg';
import { withCause } from '../errors.ts';
import { packagePath } from '../package-path.ts';
import { databaseErrors } from './database-errors.ts';
import { type AppliedMigration, createMigrationsTable, loadMigrations, pendingMigrations } from './migrations.ts';

/** Brings a PostgreSQL database up to date; the caller holds the lock that keeps other control planes away. */
export async function migratePostgres(
  pool: Pool,
  options: { readonly folder: string | undefined; readonly nowMs: number },
): Promise<void> {
  const known = loadMigrations(options.folder ?? packagePath('migrations'), 'postgres');
  await pool.query(createMigrationsTable);
  const { rows: applied } = await pool.query<AppliedMigration>(
    'select applied_migrations.id, applied_migrations.checksum from applied_migrations',
  );
  const client = await pool.connect();
  try {
    for (const { id, text, checksum } of pendingMigrations(known, applied)) {
      try {
        await client.query('begin');
        await client.query(text);
        await client.query('insert into applied_migrations (id, checksum, applied_at_ms) values ($1, $2, $3)', [
          id,
          checksum,
          options.nowMs,
        ]);
        await client.query('commit');
      } catch (error) {
        await client.query('rollback');
        const reason = error instanceof Error ? error.message : String(error);
        throw withCause(databaseErrors.MIGRATION_FAILED(id, reason), error);
      }
    }
  } finally {
    client.release();
  }
}
