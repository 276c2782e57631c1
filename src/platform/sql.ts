import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely';
import { databaseErrors } from './database/database-errors.ts';
import type { Reader } from './database/types.ts';

/** `column` is one of `values`, which go in as one parameter, so that the statement's text stays the same. */
export function inList(
  reader: Pick<Reader, 'dialect'>,
  column: string,
  values: readonly (string | number)[],
): Expression<SqlBool> {
  return reader.dialect === 'sqlite'
    ? sql<SqlBool>`${sql.ref(column)} in (select value from json_each(${JSON.stringify(values)}))`
    : sql<SqlBool>`${sql.ref(column)} = any(${values})`;
}

/** `values` as the rows of a table `list` with one column `value`, to select from; one parameter, as in `inList`. */
export function listRows(reader: Pick<Reader, 'dialect'>, values: readonly string[]): RawBuilder<unknown> {
  return reader.dialect === 'sqlite'
    ? sql`json_each(${JSON.stringify(values)}) as list`
    : sql`unnest(${values}::text[]) as list(value)`;
}

/** `column` holds `text` as written, case-sensitively, wherever it stands: no character of it is a wildcard. */
export function contains(reader: Pick<Reader, 'dialect'>, column: string, text: string): Expression<SqlBool> {
  // SQLite's like ignores the case of ASCII letters and PostgreSQL's does not; position search is the same on both.
  return reader.dialect === 'sqlite'
    ? sql<SqlBool>`instr(${sql.ref(column)}, ${text}) > 0`
    : sql<SqlBool>`strpos(${sql.ref(column)}, ${text}) > 0`;
}

/** `column like pattern` without regard to the case of ASCII letters; `%` and `_` are wildcards, `\` escapes them. */
export function like(reader: Pick<Reader, 'dialect'>, column: string, pattern: string): Expression<SqlBool> {
  return reader.dialect === 'sqlite'
    ? sql<SqlBool>`${sql.ref(column)} like ${pattern} escape '\\'`
    : sql<SqlBool>`${sql.ref(column)} ilike ${pattern} escape '\\'`;
}

/** Columns of integers compare with any number: PostgreSQL takes a bare parameter there for an integer. */
export const toNumberParameter = ({ dialect }: Pick<Reader, 'dialect'>, value: number) =>
  dialect === 'sqlite' || Number.isSafeInteger(value) ? sql`${value}` : sql`${value}::double precision`;

/** A text for use inside a `like` pattern, standing for itself. */
export function escapeLike(text: string): string {
  return text.replaceAll(/[\\%_]/g, (character) => `\\${character}`);
}

/** Booleans are stored as 0 and 1. */
export const toBit = (value: boolean): 0 | 1 => (value ? 1 : 0);
export const fromBit = (value: number): boolean => value === 1;

/** JSON columns hold what their own store wrote: the store names the type. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
export function parseJson<T>(text: string): T;
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
export function parseJson<T>(text: string | null): T | undefined;
export function parseJson<T>(text: string | null): T | undefined {
  return text === null ? undefined : (JSON.parse(text) as T);
}

/** The opaque text of a keyset cursor: the sort columns of the last row of a page. */
export function encodeCursor(parts: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** The parts of a cursor made by `encodeCursor`; throws CURSOR_INVALID for any other text. */
export function decodeCursor(text: string): readonly (string | number)[] {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    throw databaseErrors.CURSOR_INVALID();
  }
  const sound =
    Array.isArray(parts) &&
    parts.every((part) => typeof part === 'string' || (typeof part === 'number' && Number.isFinite(part)));
  if (!sound) throw databaseErrors.CURSOR_INVALID();
  return parts as readonly (string | number)[];
}

/**
 * One page of rows that were asked for with one more than the limit: that one is not shown, it says that more follow.
 * `keyOf` gives the sort columns of a row, for the cursor.
 */
export function toPage<Row>(
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => readonly (string | number)[],
): { readonly shown: readonly Row[]; readonly next?: string } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { shown, ...(rows.length > limit && last !== undefined && { next: encodeCursor(keyOf(last)) }) };
}
