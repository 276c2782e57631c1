import { defineErrors } from '../errors.ts';

export const databaseErrors = defineErrors({
  UNIT_FOREIGN_IO: {
    kind: 'internal',
    message: () =>
      'a unit of work waited for something other than its own handle (a file, a timer, the network, another unit) and was rolled back; do that work before or after the unit',
  },
  UNIT_CLOSED: {
    kind: 'internal',
    message: () =>
      'a unit of work was used after it had ended; await every query inside the unit and keep no reference to it',
  },
  UNIT_NESTED_TRANSACTION: {
    kind: 'internal',
    message: () => 'transactions are begun by database.write only; pass the unit down instead of opening another',
  },
  READER_WRITES: {
    kind: 'internal',
    message: () => 'database.read cannot write; take a unit from database.write',
  },
  DATABASE_CLOSED: {
    kind: 'unavailable',
    message: () => 'the database is closed because the process is stopping',
  },
  DATABASE_COMMIT_FAILED: {
    kind: 'unavailable',
    message: (reason: string) =>
      `the database could not commit: ${reason}; nothing of this unit was written. Check free disk space and the health of the disk or server`,
  },
  DATABASE_UNAVAILABLE: {
    kind: 'unavailable',
    message: (reason: string) =>
      `PostgreSQL does not answer: ${reason}. Check that the server is up and can be reached; whatever was being committed at that moment may or may not be written`,
  },
  DATABASE_UNUSABLE: {
    kind: 'internal',
    message: (file: string, reason: string) =>
      `the database ${file} cannot be opened: ${reason}; check that the path is right and may be written, or restore a backup`,
  },
  DATABASE_CONFLICT: {
    kind: 'unavailable',
    message: (attempts: number) =>
      `the unit of work met conflicting writes ${attempts} times in a row and was given up; nothing was written, try again`,
  },
  DATABASE_LOCKED: {
    kind: 'conflict',
    message: (where: string, holder: string) =>
      `the database ${where} is in use by another control plane (${holder}); stop that one first, with "tidemill down" where it runs, or give this one its own --home`,
  },
  DATABASE_LOCK_LOST: {
    kind: 'unavailable',
    message: () =>
      "the connection that holds this control plane's lock on PostgreSQL broke; writes go on as soon as it is back. Check that the server is up and that no other control plane uses its database",
  },
  DATABASE_NEWER: {
    kind: 'conflict',
    message: (migration: string) =>
      `the database has migration ${migration}, which this version of Tidemill does not know; run the newer version, or restore the backup that was made before it migrated`,
  },
  MIGRATION_EDITED: {
    kind: 'internal',
    message: (migration: string) =>
      `migration ${migration} was edited after it had been applied; restore its text and put the change into a new migration`,
  },
  MIGRATION_FAILED: {
    kind: 'internal',
    message: (migration: string, reason: string) => `migration ${migration} failed and was rolled back: ${reason}`,
  },
  MIGRATIONS_INVALID: {
    kind: 'internal',
    message: (reason: string) => `the migrations cannot be read: ${reason}`,
  },
  TEXT_HAS_NUL: {
    kind: 'invalid',
    message: () => 'a text has the character U+0000, which no text here may have; send it without',
  },
  TEXT_HAS_HALF_PAIR: {
    kind: 'invalid',
    message: () =>
      'a text has half of a surrogate pair (\\ud800 to \\udfff), which PostgreSQL cannot hold; send it without',
  },
  BACKUP_UNSUPPORTED: {
    kind: 'invalid',
    message: () => "this database lives in PostgreSQL; back it up with pg_dump or your provider's snapshots",
  },
  BACKUP_FAILED: {
    kind: 'unavailable',
    message: (path: string, reason: string) =>
      `the backup to ${path} failed: ${reason}; check that its folder exists, can be written and has room for a copy of the database`,
  },
  BACKUP_EXISTS: {
    kind: 'conflict',
    message: (path: string) => `there is already a file at ${path}; name a new one`,
  },
  INTEGER_UNSAFE: {
    kind: 'internal',
    message: (text: string) =>
      `the database answered the integer ${text}, which is beyond what JavaScript holds exactly`,
  },
  EVENT_INVALID: {
    kind: 'internal',
    message: (type: string, problem: string) => `an event ${type} does not fit its schema: ${problem}`,
  },
  CAUSE_CHAIN_TOO_LONG: {
    kind: 'internal',
    message: (type: string, limit: number) =>
      `an event ${type} would be number ${limit + 1} in a chain of causes; something reacts to itself, so the chain was stopped`,
  },
  CURSOR_INVALID: {
    kind: 'invalid',
    message: () => 'the cursor is not one that this server gave out; start again from the first page',
  },
});
