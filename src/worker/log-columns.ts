import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  DuckDBDataChunk,
  type DuckDBType,
  type DuckDBValue,
  FLOAT,
  LIST,
  listValue,
  UBIGINT,
  VARCHAR,
} from '@duckdb/node-api';
import type { Datatype, Tensor } from '#contracts/tensor';
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

export const elementsPerRow = (tensor: Tensor): number => tensor.shape.slice(1).reduce((size, one) => size * one, 1);

/** Element `index` as a number or text; undefined where it is missing (NaN, the empty text). */
export function elementAt(tensor: Tensor, index: number): number | string | undefined {
  const value = tensor.data[index];
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string') return value;
  const number = tensor.datatype === 'FP16' ? fromHalf(Number(value)) : Number(value);
  return Number.isNaN(number) ? undefined : number;
}

function toDuckDb(tensor: Tensor, index: number): DuckDBValue {
  const value = tensor.data[index];
  if (value === undefined) return null;
  switch (tensor.datatype) {
    case 'BOOL':
      return value !== 0;
    case 'BYTES':
      return value;
    case 'FP32':
    case 'FP64':
      return Number(value);
    case 'FP16':
      return fromHalf(Number(value));
    default:
      return BigInt(value);
  }
}

/** IEEE 754 half precision from its bits. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

interface TensorColumn extends ColumnBuilder {
  readonly form: string;
  readonly list: boolean;
  /** Several forms came under one name: values are JSON text. */
  readonly mixed: boolean;
}

/** Columns for tensors under names that are found while rows come; rows of records without one are null. */
export interface TensorColumns {
  add(prefix: string, tensors: readonly Tensor[], row: number, place: number): void;
  /** All columns, each with `rows` values. */
  finish(rows: number): readonly ColumnBuilder[];
}

/** `forms` is the first pass: which forms each column has, so that one that has several is text. */
export function createTensorColumns(forms: ReadonlyMap<string, ReadonlySet<string>>): TensorColumns {
  const columns = new Map<string, TensorColumn>();
  return {
    add(prefix, tensors, row, place) {
      for (const tensor of tensors) {
        const name = `${prefix}${tensor.name}`;
        const size = elementsPerRow(tensor);
        let column = columns.get(name);
        if (column === undefined) {
          const mixed = (forms.get(name)?.size ?? 0) > 1;
          const element = elementType(tensor.datatype);
          const list = size !== 1;
          const type = mixed ? VARCHAR : list ? LIST(element) : element;
          column = { name, type, values: [], form: formOf(tensor), list, mixed };
          columns.set(name, column);
        }
        while (column.values.length < place) column.values.push(null);
        const first = row * size;
        if (!column.mixed && !column.list) {
          column.values[place] = toDuckDb(tensor, first);
          continue;
        }
        const items: DuckDBValue[] = [];
        for (let at = first; at < first + size; at += 1) items.push(toDuckDb(tensor, at));
        if (column.mixed)
          column.values[place] = JSON.stringify(items.map((item) => (typeof item === 'bigint' ? Number(item) : item)));
        else column.values[place] = listValue(items);
      }
    },
    finish(rows) {
      for (const { values } of columns.values()) while (values.length < rows) values.push(null);
      return [...columns.values()];
    },
  };
}

/** Equal for tensors that can share a column. */
export function formOf(tensor: Tensor): string {
  return `${tensor.datatype}${elementsPerRow(tensor) === 1 ? '' : '[]'}`;
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
