import {
  BIGINT,
  BLOB,
  BOOLEAN,
  blobValue,
  DOUBLE,
  DuckDBBlobValue,
  DuckDBDataChunk,
  DuckDBListValue,
  type DuckDBType,
  type DuckDBValue,
  FLOAT,
  LIST,
  listValue,
  UBIGINT,
  VARCHAR,
} from '@duckdb/node-api';
import type { RecordedTensor } from '#contracts/prediction-record';
import {
  type BytesElement,
  bfloatToNumber,
  type Datatype,
  elementsPerRow,
  halfToNumber,
  isHalf,
  type Tensor,
  toNumberFrom,
} from '#contracts/tensor';
import type { Session } from './session.ts';
import { quoteName, quoteText } from './sql-quote.ts';

/** A column of a table that is made row by row and written as Parquet. */
export interface ColumnBuilder {
  readonly name: string;
  readonly type: DuckDBType;
  readonly values: DuckDBValue[];
}

/** What one element of a tensor is in a table. */
function elementType(datatype: Datatype): DuckDBType {
  switch (datatype) {
    case 'BOOL':
      return BOOLEAN;
    case 'BF16':
    case 'FP32':
      return FLOAT;
    case 'FP16':
    case 'FP64':
      return DOUBLE;
    case 'BYTES':
      return VARCHAR;
    case 'UINT64':
      return UBIGINT;
    default:
      return BIGINT;
  }
}

/** Element `index` as a number or text; undefined where it is missing (NaN, the empty text). */
export function elementAt(tensor: Tensor, index: number): number | string | undefined {
  const value = tensor.data[index];
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  const number = isHalf(tensor.datatype) ? toNumberFrom(tensor.datatype)(Number(value)) : Number(value);
  return Number.isNaN(number) ? undefined : number;
}

/** Null for bytes that are no text: they have a column of their own. */
function toDuckDb(tensor: Tensor, index: number): DuckDBValue {
  const value = tensor.data[index];
  if (value === undefined || value instanceof Uint8Array) return null;
  switch (tensor.datatype) {
    case 'BOOL':
      return value !== 0;
    case 'BYTES':
      return value;
    case 'FP32':
    case 'FP64':
      return Number(value);
    case 'FP16':
      return halfToNumber(Number(value));
    case 'BF16':
      return bfloatToNumber(Number(value));
    default:
      return BigInt(value);
  }
}

/** Equal for tensors that can share a column. */
const formOf = (datatype: Datatype, size: number): string => `${datatype}${size === 1 ? '' : '[]'}`;

interface TensorColumn {
  readonly name: string;
  readonly form: string;
  type: DuckDBType;
  values: DuckDBValue[];
  /** Several forms came under one name: values are JSON text. */
  mixed: boolean;
}

/** Columns for tensors under names that are found while records come; rows of records without one are null. */
export interface TensorColumns {
  /** All rows of a record's tensors, behind `before` rows. */
  add(tensors: readonly RecordedTensor[], rows: number, before: number): void;
  /** All columns, each with `rows` values. */
  finish(rows: number): readonly ColumnBuilder[];
}

export function createTensorColumns(prefix: string): TensorColumns {
  const columns = new Map<string, TensorColumn>();

  function columnFor(name: string, datatype: Datatype, size: number, element = elementType(datatype)): TensorColumn {
    const form = formOf(datatype, size);
    let column = columns.get(name);
    if (column === undefined) {
      column = { name, form, type: size === 1 ? element : LIST(element), values: [], mixed: false };
      columns.set(name, column);
    } else if (column.form !== form && !column.mixed) {
      column.type = VARCHAR;
      column.values = column.values.map(toText);
      column.mixed = true;
    }
    return column;
  }

  function put(column: TensorColumn, rows: number, before: number, valueOf: (row: number) => DuckDBValue): void {
    const { values } = column;
    while (values.length < before) values.push(null);
    for (let row = 0; row < rows; row += 1) values.push(column.mixed ? toText(valueOf(row)) : valueOf(row));
  }

  return {
    add(tensors, rows, before) {
      for (const tensor of tensors) {
        const { name, datatype, data } = tensor;
        const size = elementsPerRow(tensor);
        put(columnFor(`${prefix}.${name}`, datatype, size), rows, before, (row) =>
          size === 1 ? toDuckDb(tensor, row) : toList(tensor, row * size, size),
        );
        if (datatype !== 'BYTES' || !data.some((element) => typeof element !== 'string')) continue;
        const elements = data as readonly BytesElement[];
        put(columnFor(`${prefix}_bytes.${name}`, datatype, size, BLOB), rows, before, (row) =>
          size === 1 ? toBlob(elements[row]) : toBlobs(elements.slice(row * size, (row + 1) * size)),
        );
      }
    },
    finish(rows) {
      for (const { values } of columns.values()) while (values.length < rows) values.push(null);
      return [...columns.values()];
    },
  };
}

/** Bytes that are no text; null for a text. */
const toBlob = (element: BytesElement | undefined): DuckDBValue =>
  element instanceof Uint8Array ? blobValue(element) : null;
const toBlobs = (elements: readonly BytesElement[]): DuckDBValue =>
  elements.every((element) => typeof element === 'string') ? null : listValue(elements.map(toBlob));

/** As `[1,2]`, one number in brackets too, and bytes in base64. */
function toText(value: DuckDBValue): DuckDBValue {
  if (value === null) return null;
  const items = value instanceof DuckDBListValue ? Array.from(value.items) : [value];
  return JSON.stringify(
    items.map((item) => {
      if (item instanceof DuckDBBlobValue) return Buffer.from(item.bytes).toString('base64');
      return typeof item === 'bigint' ? Number(item) : item;
    }),
  );
}

/** One row of a tensor, null where a value is kept out; where DuckDB takes the numbers as they are they stay where they lie. */
function toList(tensor: RecordedTensor, first: number, size: number): DuckDBValue {
  const { datatype, data, withheld } = tensor;
  const end = first + size;
  if (withheld !== undefined)
    return listValue(
      Array.from({ length: size }, (_, at) => (withheld.includes(at) ? null : toDuckDb(tensor, first + at))),
    );
  if ((datatype === 'FP32' || datatype === 'FP64' || datatype === 'INT64') && end <= data.length)
    // a list is read by length and index alone
    return listValue((data as Float64Array).subarray(first, end) as unknown as DuckDBValue[]);
  const items: DuckDBValue[] = [];
  for (let at = first; at < end; at += 1) items.push(toDuckDb(tensor, at));
  return listValue(items);
}

const chunkRows = 2048;

/** SQL text cannot hold U+0000. */
const isSayable = (value: DuckDBValue | undefined): boolean => typeof value !== 'string' || !value.includes('\0');
const isConstant = (values: readonly DuckDBValue[]): boolean => values.every((value) => value === values[0]);

/**
 * Makes a view of columns of equal length. A text that is the same in every row is said once, in the view: handing texts over
 * one by one is dear.
 */
export async function writeColumns(session: Session, name: string, all: readonly ColumnBuilder[]): Promise<void> {
  const table = `${name}_given`;
  const constant = all.filter(({ type, values }) => type === VARCHAR && isSayable(values[0]) && isConstant(values));
  const columns = all.filter((column) => !constant.includes(column));
  const definitions = columns.map((column) => `${quoteName(column.name)} ${column.type.toString()}`);
  await session.run(`create or replace table ${quoteName(table)} (${definitions.join(', ')})`);
  const appender = await session.appenderOf(table);
  const rows = columns[0]?.values.length ?? 0;
  for (let from = 0; from < rows; from += chunkRows) {
    const to = Math.min(rows, from + chunkRows);
    const chunk = DuckDBDataChunk.create(
      columns.map(({ type }) => type),
      to - from,
    );
    for (const [place, { values }] of columns.entries()) chunk.setColumnValues(place, values.slice(from, to));
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
  const said = constant.map(({ name: column, values: [value] }) => {
    const text = typeof value === 'string' ? quoteText(value) : 'null';
    return `, ${text}::varchar as ${quoteName(column)}`;
  });
  await session.run(`create or replace view ${quoteName(name)} as select *${said.join('')} from ${quoteName(table)}`);
}
