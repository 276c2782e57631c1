import {
  DOUBLE,
  DuckDBDataChunk,
  DuckDBDoubleVector,
  DuckDBIntegerVector,
  type DuckDBVector,
  INTEGER,
} from '@duckdb/node-api';
import type { Session } from './session.ts';
import { quoteName } from './sql-quote.ts';

export type NumberColumn = Int32Array | Float64Array;

const rowsPerChunk = 2048;

/**
 * The chunks of a query whose columns are INTEGER or DOUBLE without nulls, as DuckDB holds them: a value at a time would
 * take longer than the query. The arrays are gone when the next chunk is asked for.
 */
export async function* readNumbers(
  session: Session,
  sql: string,
): AsyncGenerator<{ readonly count: number; readonly columns: readonly NumberColumn[] }> {
  for await (const chunk of session.chunks(sql)) {
    const columns = Array.from({ length: chunk.columnCount }, (_, index) => itemsOf(chunk.getColumnVector(index)));
    yield { count: chunk.rowCount, columns };
  }
}

/** A table of INTEGER and DOUBLE columns from arrays of one length. */
export async function createNumbersTable(
  session: Session,
  table: string,
  columns: Readonly<Record<string, NumberColumn>>,
): Promise<void> {
  const [names, arrays] = [Object.keys(columns), Object.values(columns)];
  const types = arrays.map((array) => (array instanceof Int32Array ? INTEGER : DOUBLE));
  const declared = names.map((name, index) => `${quoteName(name)} ${String(types[index])}`);
  await session.run(`create table ${quoteName(table)} (${declared.join(', ')})`);
  const appender = await session.appenderOf(table);
  const rows = arrays[0]?.length ?? 0;
  for (let from = 0; from < rows; from += rowsPerChunk) {
    const until = Math.min(rows, from + rowsPerChunk);
    const chunk = DuckDBDataChunk.create(types, until - from);
    for (const [index, array] of arrays.entries()) {
      const vector = chunk.getColumnVector(index);
      itemsOf(vector).set(array.subarray(from, until));
      vector.flush();
    }
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
}

/** Private in the library's types, which have only a check and a call for each value; a rename there fails to compile here. */
function itemsOf(vector: DuckDBVector): NumberColumn {
  if (vector instanceof DuckDBIntegerVector) return vector['items'];
  if (vector instanceof DuckDBDoubleVector) return vector['items'];
  throw new Error(`a column of type ${vector.type.toString()} where numbers were asked for`);
}
