/** Units of work, readers and their database: SQLite by default, PostgreSQL when one machine is not enough. */
export { databaseErrors } from './database/database-errors.ts';
export { type DatabaseOptions, openDatabase } from './database/open-database.ts';
export type { Database, Origin, Reader, Unit, WriteContext } from './database/types.ts';
