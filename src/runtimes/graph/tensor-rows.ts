import {
  type BytesElement,
  elementsPerRow,
  emptyData,
  type NumberData,
  rowsOf,
  type Tensor,
  type TensorData,
} from '#contracts/tensor';

/** A tensor of these rows of another, in that order. */
export function takeRows(tensor: Tensor, rows: readonly number[]): Tensor {
  const { name, datatype, shape, data } = tensor;
  const width = elementsPerRow(tensor);
  const taken = { name, datatype, shape: [rows.length, ...shape.slice(1)] };
  if (datatype === 'BYTES') {
    const texts = data as readonly BytesElement[];
    return { ...taken, data: rows.flatMap((row) => texts.slice(row * width, (row + 1) * width)) };
  }
  const values = emptyData(datatype, rows.length * width);
  for (const [at, row] of rows.entries()) copyRow(values, at, data, row, width);
  return { ...taken, data: values };
}

/** Rows of one tensor, and where they lie in the whole. */
export interface RowPart {
  readonly rows: readonly number[];
  readonly tensor: Tensor;
}

/** Puts parts together that hold each row of the whole once. */
export function joinRows(parts: readonly RowPart[], total: number): Tensor {
  const [first] = parts;
  if (first === undefined) throw new Error('there are no parts to join');
  const { name, datatype, shape } = first.tensor;
  const width = elementsPerRow(first.tensor);
  const whole = { name, datatype, shape: [total, ...shape.slice(1)] };
  if (datatype === 'BYTES') {
    const texts: BytesElement[] = Array.from({ length: total * width }, () => '');
    for (const { rows, tensor } of parts)
      for (const [at, row] of rows.entries())
        for (let column = 0; column < width; column += 1)
          texts[row * width + column] = (tensor.data[at * width + column] as BytesElement | undefined) ?? '';
    return { ...whole, data: texts };
  }
  const values = emptyData(datatype, total * width);
  for (const { rows, tensor } of parts)
    for (const [at, row] of rows.entries()) copyRow(values, row, tensor.data, at, width);
  return { ...whole, data: values };
}

/** Whether rows of the two can lie in one tensor. */
export function haveLikeRows(a: Tensor, b: Tensor): boolean {
  return (
    a.datatype === b.datatype &&
    a.shape.length === b.shape.length &&
    a.shape.every((dimension, at) => at === 0 || dimension === b.shape[at])
  );
}

export const hasRows = (tensor: Tensor, rows: number): boolean => tensor.shape.length > 0 && rowsOf(tensor) === rows;

function copyRow(target: NumberData, to: number, source: TensorData, from: number, width: number): void {
  // one datatype throughout: the arrays are of one kind
  const [into, out] = [target as Float64Array, source as Float64Array];
  for (let column = 0; column < width; column += 1) into[to * width + column] = out[from * width + column] ?? 0;
}
