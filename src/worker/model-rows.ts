import type { DuckDBValue } from '@duckdb/node-api';
import { emptyData, isHalf, type ModelSignature, type Tensor, type TensorSignature } from '#contracts/tensor';
import { isAppError } from '#platform/errors';
import type { TableColumn } from './session.ts';
import { quoteName } from './sql-quote.ts';
import { requireColumn } from './table-columns.ts';
import { workerErrors } from './worker-errors.ts';

/** How rows of a table become a model's tensors: SQL for the columns of a batch, and what makes tensors of them. */
export interface ModelRows {
  /** The table's columns that are read, in the order of `select`. */
  readonly columns: readonly string[];
  readonly select: readonly string[];
  toTensors(batch: readonly (readonly DuckDBValue[])[], rows: number): readonly Tensor[];
}

const sqlTypes = {
  BOOL: 'utinyint',
  INT8: 'tinyint',
  INT16: 'smallint',
  INT32: 'integer',
  INT64: 'bigint',
  UINT8: 'utinyint',
  UINT16: 'usmallint',
  UINT32: 'uinteger',
  UINT64: 'ubigint',
  FP32: 'float',
  FP64: 'double',
  BYTES: 'varchar',
} as const;

/**
 * A model takes one input a column, found by name, or one matrix of the columns that `order` names. A null is NaN in
 * floating point and the empty text in BYTES, as in serving; in integers it is an error.
 * @throws MODEL_INPUTS_INVALID
 */
export function planModelRows(
  signature: ModelSignature,
  table: readonly TableColumn[],
  order: readonly string[] | undefined,
): ModelRows {
  const [matrix] = signature.inputs;
  if (matrix !== undefined && signature.inputs.length === 1 && (matrix.shape[1] ?? 1) !== 1)
    return planMatrix(matrix, table, order);
  if (order !== undefined)
    throw workerErrors.MODEL_INPUTS_INVALID('it takes one input a column, by name; leave `columns` out');
  const columns = signature.inputs.map((input) => columnOf(table, input.name, input.name));
  return {
    columns,
    select: signature.inputs.map((input) => cast(input.name, input)),
    toTensors: (batch, rows) =>
      signature.inputs.map((input, place) => toTensor(input, [batch[place] ?? []], columns, rows)),
  };
}

function planMatrix(
  input: TensorSignature,
  table: readonly TableColumn[],
  order: readonly string[] | undefined,
): ModelRows {
  const width = input.shape[1] ?? 1;
  if (input.shape.length !== 2 || order === undefined || (width > 0 && order.length !== width))
    throw workerErrors.MODEL_INPUTS_INVALID(
      `its input "${input.name}" has shape [${input.shape.join(', ')}]; name ${width > 0 ? width : 'its'} columns in order`,
    );
  const columns = order.map((name) => columnOf(table, name, input.name));
  return {
    columns,
    select: columns.map((name) => cast(name, input)),
    toTensors: (batch, rows) => [toTensor(input, batch, columns, rows)],
  };
}

function columnOf(table: readonly TableColumn[], name: string, input: string): string {
  try {
    return requireColumn(table, name, 'the rows').name;
  } catch (error) {
    if (!isAppError(error, 'COLUMN_MISSING')) throw error;
    throw workerErrors.MODEL_INPUTS_INVALID(`input "${input}": ${error.message}`);
  }
}

function cast(column: string, { name, datatype }: TensorSignature): string {
  if (isHalf(datatype))
    throw workerErrors.MODEL_INPUTS_INVALID(`input "${name}" is ${datatype}, which cannot be fed from a table`);
  return `${quoteName(column)}::${sqlTypes[datatype]}`;
}

function toTensor(
  { name, datatype, shape }: TensorSignature,
  columns: readonly (readonly DuckDBValue[])[],
  names: readonly string[],
  rows: number,
): Tensor {
  const width = columns.length;
  const made = { name, datatype, shape: shape.length === 1 ? [rows] : [rows, width] };
  if (datatype === 'BYTES') {
    const data: string[] = [];
    for (let row = 0; row < rows; row += 1) for (const column of columns) data.push(String(column[row] ?? ''));
    return { ...made, data };
  }
  const data = emptyData(datatype, rows * width);
  const missing = datatype === 'FP32' || datatype === 'FP64' ? Number.NaN : undefined;
  for (const [place, column] of columns.entries())
    for (let row = 0; row < rows; row += 1) {
      const value = column[row] ?? missing;
      if (value === undefined)
        throw workerErrors.MODEL_INPUTS_INVALID(
          `column "${width === 1 ? name : (names[place] ?? name)}" has a null, and ${datatype} has no way to say that`,
        );
      data[row * width + place] = value as never;
    }
  return { ...made, data };
}
