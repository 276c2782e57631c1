import type { UseNode } from '#contracts/graph-document';
import { datatypeOf } from '#contracts/graph-operations';
import {
  type BytesElement,
  type Datatype,
  elementsPerRow,
  emptyData,
  type Tensor,
  type TensorData,
} from '#contracts/tensor';
import { runtimeErrors } from '../runtime-errors.ts';
import { joinNumbers, mean, vote } from './joining-operations.ts';
import { castValues, numbersOf, toData, valuesOf } from './tensor-values.ts';

/** What is done between models, on the tensors of one request: pure, in this thread. Its tensor is called as is wanted. */
export type Operation = (of: readonly Tensor[]) => Omit<Tensor, 'name'>;

/** Throws MODEL_RUN_FAILED with the row for a value with which it cannot be done. */
export function createOperation(node: UseNode): Operation {
  if (node.use === 'mean') return (of) => mean(of, node.weights);
  if (node.use === 'vote') return (of) => vote(of, node.weights);
  if (node.use === 'concat') return (of) => joinNumbers(of, node.to);
  const operate = createUnary(node);
  return ([tensor]) => {
    if (tensor === undefined) throw runtimeErrors.MODEL_RUN_FAILED('it was given nothing');
    return operate(tensor);
  };
}

function createUnary(node: UseNode): (tensor: Tensor) => Omit<Tensor, 'name'> {
  switch (node.use) {
    case 'argmax':
      return argmax;
    case 'cast':
      return (tensor) => {
        const datatype = node.to ?? tensor.datatype;
        return { datatype, shape: tensor.shape, data: castValues(tensor, datatype) };
      };
    case 'clip': {
      const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = node;
      return onEach((value) => Math.min(max, Math.max(min, value)));
    }
    case 'columns':
      return (tensor) => takeColumns(tensor, node.take ?? []);
    case 'constant':
      return createConstant(node);
    case 'impute':
      return createImpute([node.with].flat());
    case 'map':
      return createMap(node);
    case 'one_hot':
      return createOneHot(node);
    case 'reshape':
      return ({ datatype, shape, data }) => reshape(datatype, shape, data, node.shape ?? []);
    case 'scale': {
      const [means, deviations] = [[node.mean ?? 0].flat(), [node.std ?? 1].flat()];
      return onEach((value, column) => (value - at(means, column)) / at(deviations, column));
    }
    case 'sigmoid':
      return onEach((value) => 1 / (1 + Math.exp(-value)));
    case 'softmax':
      return softmax;
    default: {
      const from = node.at ?? 0;
      return (tensor) => {
        const data = BigInt64Array.from(numbersOf(tensor), (value) => (value >= from ? 1n : 0n));
        return { datatype: 'INT64', shape: tensor.shape, data };
      };
    }
  }
}

/** One value for all columns, or one a column. */
const at = (values: readonly number[], column: number): number => values[values.length === 1 ? 0 : column] ?? 0;

function onEach(change: (value: number, column: number) => number) {
  return (tensor: Tensor): Omit<Tensor, 'name'> => {
    const datatype = tensor.datatype === 'FP32' ? 'FP32' : 'FP64';
    const width = Math.max(1, elementsPerRow(tensor));
    const data = datatype === 'FP32' ? new Float32Array(tensor.data.length) : new Float64Array(tensor.data.length);
    const numbers = numbersOf(tensor);
    for (let index = 0; index < data.length; index += 1) data[index] = change(numbers[index] ?? 0, index % width);
    return { datatype, shape: tensor.shape, data };
  };
}

function argmax(tensor: Tensor): Omit<Tensor, 'name'> {
  const numbers = numbersOf(tensor);
  const rows = tensor.shape[0] ?? 1;
  const width = elementsPerRow(tensor);
  const data = new BigInt64Array(rows);
  for (let row = 0; row < rows; row += 1) {
    let best = 0;
    for (let column = 1; column < width; column += 1)
      if ((numbers[row * width + column] ?? 0) > (numbers[row * width + best] ?? 0)) best = column;
    data[row] = BigInt(best);
  }
  return { datatype: 'INT64', shape: [rows], data };
}

function softmax(tensor: Tensor): Omit<Tensor, 'name'> {
  const datatype = tensor.datatype === 'FP32' ? 'FP32' : 'FP64';
  const numbers = numbersOf(tensor);
  const width = elementsPerRow(tensor);
  const data = datatype === 'FP32' ? new Float32Array(numbers.length) : new Float64Array(numbers.length);
  for (let start = 0; start < numbers.length; start += width) {
    let greatest = Number.NEGATIVE_INFINITY;
    for (let column = 0; column < width; column += 1) greatest = Math.max(greatest, numbers[start + column] ?? 0);
    let sum = 0;
    for (let column = 0; column < width; column += 1) sum += Math.exp((numbers[start + column] ?? 0) - greatest);
    for (let column = 0; column < width; column += 1)
      data[start + column] = Math.exp((numbers[start + column] ?? 0) - greatest) / sum;
  }
  return { datatype, shape: tensor.shape, data };
}

function takeColumns(tensor: Tensor, take: readonly number[]): Omit<Tensor, 'name'> {
  const { datatype, data } = tensor;
  const width = elementsPerRow(tensor);
  const rows = tensor.shape[0] ?? 1;
  const beyond = take.find((column) => column >= width);
  if (beyond !== undefined) throw runtimeErrors.MODEL_RUN_FAILED(`there is no column ${beyond}: there are ${width}`);
  const shape = [rows, take.length];
  if (datatype === 'BYTES') {
    const texts = data as readonly BytesElement[];
    const taken = Array.from({ length: rows }, (_, row) => take.map((column) => texts[row * width + column] ?? ''));
    return { datatype, shape, data: taken.flat() };
  }
  const values = emptyData(datatype, rows * take.length) as Float64Array; // of the same kind as what it is filled from
  for (let row = 0; row < rows; row += 1)
    for (const [to, column] of take.entries())
      values[row * take.length + to] = (data as Float64Array)[row * width + column] ?? 0;
  return { datatype, shape, data: values };
}

function reshape(datatype: Datatype, shape: readonly number[], data: TensorData, wanted: readonly number[]) {
  const rows = shape[0] ?? 1;
  const width = wanted.slice(1).reduce((product, dimension) => product * dimension, 1);
  if (rows * width !== data.length)
    throw runtimeErrors.MODEL_RUN_FAILED(
      `a tensor of shape [${shape.join(', ')}] cannot become [${wanted.join(', ')}]: rows stay rows`,
    );
  return { datatype, shape: [rows, ...wanted.slice(1)], data };
}

function createConstant({ value, to }: UseNode) {
  const datatype = to ?? datatypeOf([value]);
  return (tensor: Tensor): Omit<Tensor, 'name'> => {
    const rows = tensor.shape[0] ?? 1;
    return {
      datatype,
      shape: [rows],
      data: toData(
        datatype,
        Array.from({ length: rows }, () => value ?? 0),
      ),
    };
  };
}

function createImpute(fill: readonly unknown[]) {
  const filler = (column: number) => fill[fill.length === 1 ? 0 : column];
  return (tensor: Tensor): Omit<Tensor, 'name'> => {
    const { datatype, shape, data } = tensor;
    const width = Math.max(1, elementsPerRow(tensor));
    if (datatype === 'BYTES')
      return {
        datatype,
        shape,
        data: (data as readonly BytesElement[]).map((text, index) =>
          text === '' ? String(filler(index % width)) : text,
        ),
      };
    const values = (data as Float64Array).slice();
    for (let index = 0; index < values.length; index += 1)
      if (Number.isNaN(values[index])) values[index] = Number(filler(index % width));
    return { datatype, shape, data: values };
  };
}

function createMap(node: UseNode) {
  const { values = [], else: other } = node;
  const entries = Array.isArray(values)
    ? values.map((value, index) => [String(index), value] as const)
    : Object.entries(values);
  const table = new Map(entries);
  const datatype = datatypeOf([...table.values(), other]);
  return (tensor: Tensor): Omit<Tensor, 'name'> => {
    const width = Math.max(1, elementsPerRow(tensor));
    const mapped = valuesOf(tensor).map((value, index) => {
      const found = table.get(value) ?? other;
      if (found !== undefined) return found;
      throw runtimeErrors.MODEL_RUN_FAILED(
        `row ${Math.floor(index / width)}: ${JSON.stringify(value)} is none of the values of map, which has no "else"`,
      );
    });
    return { datatype, shape: tensor.shape, data: toData(datatype, mapped) };
  };
}

function createOneHot(node: UseNode) {
  const values = Array.isArray(node.values) ? node.values.map(String) : [];
  const columns = new Map(values.map((value, column) => [value, column]));
  return (tensor: Tensor): Omit<Tensor, 'name'> => {
    const rows = tensor.shape[0] ?? 1;
    const data = new Float32Array(rows * values.length);
    for (const [row, value] of valuesOf(tensor).entries()) {
      const column = columns.get(value);
      if (column !== undefined) data[row * values.length + column] = 1;
    }
    return { datatype: 'FP32', shape: [rows, values.length], data };
  };
}
