import { databaseErrors } from './database-errors.ts';

/** Escapes as a whole, so that an escaped backslash before `u0000` stays one. */
const escapes = /\\(?:u(0000)|[^])/g;

const escapesNul = (json: string): boolean =>
  json.includes('\\u0000') && [...json.matchAll(escapes)].some(([, nul]) => nul !== undefined);

/**
 * SQLite would keep a text with U+0000 and PostgreSQL cannot: neither does, in the same words, so that what is stored in one
 * can be moved to the other. It costs one look at each text.
 *
 * @param readsJson parameters that are JSON lists or objects are taken apart by the statement
 */
export function refuseNul(parameters: readonly unknown[], readsJson: boolean): void {
  for (const value of parameters) {
    if (typeof value !== 'string') continue;
    const isTaken = readsJson && (value.startsWith('[') || value.startsWith('{'));
    if (value.includes('\0') || (isTaken && escapesNul(value))) throw databaseErrors.TEXT_HAS_NUL();
  }
}
