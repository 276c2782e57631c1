import type { Clock } from '../clock.ts';
import type { Ids } from '../ids.ts';
import type { Database } from './types.ts';

export interface DatabaseOptions {
  /** Path of the SQLite file, or `postgres://…`. */
  readonly url: string;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Folder of the numbered migrations; default: `migrations` of this package. */
  readonly migrations?: string;
  /** `off` gives up surviving a power cut, for tests. Default `full`. */
  readonly durability?: 'full' | 'off';
}

/** Opens the database, taking it for this process alone, and brings its schema up to date. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  if (/^postgres(ql)?:\/\//.test(options.url)) {
    const { openPostgresDatabase } = await import('./postgres-database.ts');
    return openPostgresDatabase(options);
  }
  const { openSqliteDatabase } = await import('./sqlite-database.ts');
  return openSqliteDatabase(options);
}
