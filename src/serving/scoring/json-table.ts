import type { JsonCursor } from '../rest/json-cursor.ts';
import { servingErrors } from '../serving-errors.ts';
import type { Header, TableReader } from './table-reader.ts';

const comma = 0x2c;
const openList = 0x5b;
const closeList = 0x5d;
const openObject = 0x7b;

/** `dataframe_split`: `{ "columns"?, "index"?, "data" }`, as Pandas writes a table by `orient="split"`. */
export function readSplit(cursor: JsonCursor, table: TableReader): void {
  let names: readonly string[] | undefined;
  let dataAt: number | undefined;
  if (!cursor.take(openObject))
    throw servingErrors.REQUEST_MALFORMED(`"dataframe_split" is ${cursor.describe()}; it takes an object`);
  let isRead = false;
  if (!cursor.take(0x7d)) {
    do {
      const field = cursor.string();
      cursor.expect(0x3a);
      if (field === 'columns') names = toNames(cursor.value());
      else if (field === 'index') cursor.skip();
      else if (field !== 'data')
        throw servingErrors.REQUEST_MALFORMED(
          '"dataframe_split" has "data", and may have "columns" and "index", no more',
        );
      else if (dataAt !== undefined) throw servingErrors.REQUEST_MALFORMED('"dataframe_split" has "data" twice');
      else {
        cursor.peek();
        dataAt = cursor.at;
        if (names === undefined) cursor.skip();
        else {
          readRows(cursor, table, table.readHeader(names));
          isRead = true;
        }
      }
    } while (cursor.take(comma));
    cursor.expect(0x7d);
  }
  if (dataAt === undefined) throw servingErrors.REQUEST_MALFORMED('"dataframe_split" has no "data"');
  if (isRead) return;
  const after = cursor.at; // the data came before their columns, or have no names
  cursor.at = dataAt;
  readRows(cursor, table, names === undefined ? undefined : table.readHeader(names));
  cursor.at = after;
}

/** Names of columns; undefined where Pandas counted them, because there were none. */
function toNames(value: unknown): readonly string[] | undefined {
  if (value === null) return undefined;
  if (!Array.isArray(value)) throw servingErrors.REQUEST_MALFORMED('"columns" must be a list');
  if (value.every((name): name is string => typeof name === 'string')) return value;
  if (value.every((name) => typeof name === 'number')) return undefined;
  throw servingErrors.REQUEST_MALFORMED('"columns" must be a list of texts');
}

function readRows(cursor: JsonCursor, table: TableReader, header: Header | undefined): void {
  if (!cursor.take(openList))
    throw servingErrors.REQUEST_MALFORMED(`"data" is ${cursor.describe()}; it takes a list of rows`);
  if (cursor.take(closeList)) return;
  const { matrix, positions, inputs } = table.plan;
  const byPosition =
    header ??
    (matrix === undefined || matrix.rowShape.length > 1 ? (positions ?? inputs.map(({ whole }) => whole)) : undefined);
  do {
    if (byPosition === undefined) table.readPositions(cursor);
    else if (cursor.take(openList)) table.readCells(cursor, byPosition);
    else throw servingErrors.REQUEST_MALFORMED(`row ${table.rows + 1} is ${cursor.describe()}; it takes a list`);
    table.rows += 1;
  } while (cursor.take(comma));
  cursor.expect(closeList);
}

/** `dataframe_records`: a list of objects. */
export function readRecords(cursor: JsonCursor, body: Buffer, table: TableReader): void {
  if (!cursor.take(openList))
    throw servingErrors.REQUEST_MALFORMED(`"dataframe_records" is ${cursor.describe()}; it takes a list of objects`);
  if (!cursor.take(closeList)) table.readRecords(cursor, body);
}

/**
 * `instances` and `inputs`: a list of rows, each an object by name, a list by position or the value of the only input; or
 * an object of columns, each a list with one entry a row; or one value.
 */
export function readValues(cursor: JsonCursor, body: Buffer, table: TableReader): void {
  if (cursor.take(openObject)) return readColumns(cursor, table);
  if (!cursor.take(openList)) {
    table.readPositions(cursor);
    table.rows = 1;
    return;
  }
  if (cursor.take(closeList)) return;
  if (cursor.peek() === openObject && !table.isValue(cursor)) return table.readRecords(cursor, body);
  do {
    table.readPositions(cursor);
    table.rows += 1;
  } while (cursor.take(comma));
  cursor.expect(closeList);
}

/** Columns by name, each a list with one entry a row or one value for the only row. Behind the opening brace. */
function readColumns(cursor: JsonCursor, table: TableReader): void {
  const names: string[] = [];
  let rows: number | undefined;
  if (!cursor.take(0x7d)) {
    do {
      const name = cursor.string();
      cursor.expect(0x3a);
      names.push(name);
      const target = table.plan.byName.get(name);
      if (target === undefined) {
        cursor.skip();
        continue;
      }
      table.rows = 0;
      if (!cursor.take(openList)) {
        table.readTarget(cursor, target);
        table.rows = 1;
      } else if (!cursor.take(closeList)) {
        do {
          table.readTarget(cursor, target);
          table.rows += 1;
        } while (cursor.take(comma));
        cursor.expect(closeList);
      }
      rows ??= table.rows;
      if (rows !== table.rows)
        throw servingErrors.REQUEST_MALFORMED(
          `column "${name}" has ${table.rows} rows, the ones before it have ${rows}`,
        );
    } while (cursor.take(comma));
    cursor.expect(0x7d);
  }
  table.requireColumns(names);
  table.rows = rows ?? 0;
}
