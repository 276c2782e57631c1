import { type RawBuilder, sql } from 'kysely';
import type { Reader } from '#platform/database';

export type Cell = string | number | null;
export type ColumnType = 'text' | 'bigint' | 'double precision' | 'smallint';

/**
 * Many rows as one JSON parameter, so that a statement's text does not depend on their number and stays prepared. Numbers
 * come through exactly: both databases read JSON numbers to the nearest double, and integers up to 2^53 whole.
 */
export function jsonRows(
  reader: Pick<Reader, 'dialect'>,
  types: readonly ColumnType[],
  rows: readonly (readonly Cell[])[],
): JsonRows {
  return jsonTextRows(reader, types, JSON.stringify(rows));
}

export interface JsonRows {
  readonly columns: RawBuilder<unknown>;
  readonly from: RawBuilder<unknown>;
}

/** The same for rows that are a JSON text already: the parameter of a prepared query. */
export function jsonTextRows(reader: Pick<Reader, 'dialect'>, types: readonly ColumnType[], text: string): JsonRows {
  return reader.dialect === 'sqlite'
    ? {
        columns: sql.raw(types.map((_, index) => `list.value ->> ${index}`).join(', ')),
        from: sql`json_each(${text}) as list`,
      }
    : {
        columns: sql.raw(types.map((type, index) => `(list.value ->> ${index})::${type}`).join(', ')),
        from: sql`jsonb_array_elements(${text}::jsonb) as list(value)`,
      };
}

/** `column` is one of the texts of a JSON list, which is one parameter: for queries that are prepared. */
export function inJsonList(reader: Pick<Reader, 'dialect'>, column: string, textsJson: string): RawBuilder<unknown> {
  return reader.dialect === 'sqlite'
    ? sql`${sql.ref(column)} in (select value from json_each(${textsJson}))`
    : sql`${sql.ref(column)} = any(array(select jsonb_array_elements_text(${textsJson}::jsonb)))`;
}
