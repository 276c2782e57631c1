import type { OperationName, UseNode } from './graph-document.ts';
import { type Datatype, isHalf, type TensorSignature } from './tensor.ts';

/** What a processing node gives, or what is wrong with what it was given. */
export type OperationType =
  | Pick<TensorSignature, 'datatype' | 'shape'>
  | { readonly problem: string; readonly expected?: string };

type Parameter = Exclude<keyof UseNode, 'use' | 'of'>;

interface OperationRule {
  readonly needs: readonly Parameter[];
  readonly takes?: readonly Parameter[];
  /** Whether it puts several tensors together. */
  readonly joins?: boolean;
  readonly example: string;
}

/** Each operation's parameters, and how it is written. */
export const operationRules: Readonly<Record<OperationName, OperationRule>> = {
  argmax: { needs: [], example: '{ use: argmax, of: score.probabilities }' },
  cast: { needs: ['to'], example: '{ use: cast, of: inputs.age, to: FP32 }' },
  clip: { needs: [], takes: ['min', 'max'], example: '{ use: clip, of: inputs.age, min: 0, max: 120 }' },
  columns: { needs: ['take'], example: '{ use: columns, of: inputs.x, take: [0, 3] }' },
  concat: {
    needs: [],
    takes: ['to'],
    joins: true,
    example: '{ use: concat, of: [inputs.age, inputs.income], to: FP32 }',
  },
  constant: { needs: ['value'], takes: ['to'], example: '{ use: constant, of: inputs.age, value: 0 }' },
  impute: { needs: ['with'], example: '{ use: impute, of: inputs.x, with: [38.5, 0] }' },
  map: { needs: ['values'], takes: ['else'], example: '{ use: map, of: top, values: [low, high] }' },
  mean: {
    needs: [],
    takes: ['weights'],
    joins: true,
    example: '{ use: mean, of: [a.score, b.score], weights: [2, 1] }',
  },
  one_hot: { needs: ['values'], example: '{ use: one_hot, of: inputs.carrier, values: [UA, AA, DL] }' },
  reshape: { needs: ['shape'], example: '{ use: reshape, of: inputs.x, shape: [-1, 1] }' },
  scale: { needs: ['mean', 'std'], example: '{ use: scale, of: inputs.x, mean: [38.5, 0], std: [12, 1] }' },
  sigmoid: { needs: [], example: '{ use: sigmoid, of: score.logit }' },
  softmax: { needs: [], example: '{ use: softmax, of: score.logits }' },
  threshold: { needs: ['at'], example: '{ use: threshold, of: score.probability, at: 0.5 }' },
  vote: { needs: [], takes: ['weights'], joins: true, example: '{ use: vote, of: [a.label, b.label, c.label] }' },
};

const floats: readonly Datatype[] = ['FP32', 'FP64'];
/** Converters leave shapes unsaid: what is not said cannot disagree, and is looked at when it is there. */
const isSaid = ({ shape }: Pick<TensorSignature, 'shape'>): boolean => shape.length > 0;
const show = (shape: readonly number[]): string => `[${shape.join(', ')}]`;
const lengthOf = (given: unknown): number => (Array.isArray(given) ? given.length : 1);

/** The type of what an operation gives, of tensors whose names are as they were written. */
export function typeOfOperation(node: UseNode, of: readonly TensorSignature[]): OperationType {
  const [first] = of;
  if (first === undefined) return { problem: 'it is given nothing' };
  return joinedType(node, of) ?? findMisfit(node, first) ?? resultOf(node, first);
}

/** Of those that put tensors together; undefined of the others. */
function joinedType(node: UseNode, of: readonly TensorSignature[]): OperationType | undefined {
  const [first] = of;
  if (first === undefined || !operationRules[node.use].joins) return undefined;
  const other = of.find(({ datatype }) => datatype !== first.datatype);
  const mixed = other && {
    problem: `"${first.name}" is ${first.datatype}, "${other.name}" is ${other.datatype}`,
    expected:
      node.use === 'concat' ? 'one datatype: `to: FP32` casts them' : 'one datatype: { use: cast, … } before it',
  };
  if (node.use === 'concat') {
    const high = of.find(({ shape }) => shape.length > 2);
    if (high !== undefined)
      return { problem: `"${high.name}" has shape ${show(high.shape)}`, expected: '[-1] or [-1, n]' };
    if (mixed !== undefined && node.to === undefined) return mixed;
    const widths = of.map((one) => (isSaid(one) ? (one.shape[1] ?? 1) : -1));
    const width = widths.includes(-1) ? -1 : widths.reduce((sum, one) => sum + one, 0);
    return { datatype: node.to ?? first.datatype, shape: [-1, width] };
  }
  const unlike = of.find((one) => isSaid(one) && isSaid(first) && !fits(first.shape, one.shape));
  if (unlike !== undefined)
    return {
      problem: `"${first.name}" has shape ${show(first.shape)}, "${unlike.name}" has ${show(unlike.shape)}`,
      expected: 'one shape: { use: reshape, … } before it',
    };
  if (node.use === 'vote') return mixed ?? { datatype: first.datatype, shape: first.shape };
  const text = of.map((one) => numbersOnly(one)).find((problem) => problem !== undefined);
  if (text !== undefined) return text;
  return { datatype: of.every(({ datatype }) => datatype === 'FP32') ? 'FP32' : 'FP64', shape: first.shape };
}

const fits = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((dimension, at) => dimension === -1 || b[at] === -1 || dimension === b[at]);

function numbersOnly({ name, datatype }: TensorSignature): OperationType | undefined {
  if (datatype === 'BYTES') return { problem: `"${name}" is text`, expected: 'numbers: { use: map, … } before it' };
  if (isHalf(datatype))
    return { problem: `"${name}" is ${datatype}`, expected: '{ use: cast, to: FP32, … } before it' };
  return undefined;
}

const onNumbers: readonly OperationName[] = ['argmax', 'clip', 'scale', 'sigmoid', 'softmax', 'threshold'];
const onColumns: readonly OperationName[] = ['argmax', 'columns', 'one_hot', 'softmax'];

/** Why an operation cannot be done on a tensor, or undefined. */
function findMisfit(node: UseNode, tensor: TensorSignature): OperationType | undefined {
  const { name, datatype, shape } = tensor;
  const { use } = node;
  const text = onNumbers.includes(use) ? numbersOnly(tensor) : undefined;
  if (text !== undefined) return text;
  if (!isSaid(tensor)) return undefined;
  if (onColumns.includes(use) && shape.length > 2)
    return { problem: `"${name}" has shape ${show(shape)}`, expected: '[-1] or [-1, n]' };
  const width = shape.length === 1 ? 1 : (shape[1] ?? 1);
  if (use === 'columns' && width !== -1) {
    const beyond = node.take?.find((one) => one >= width);
    if (beyond !== undefined)
      return { problem: `"${name}" has no column ${beyond}: it has ${width}`, expected: `0 to ${width - 1}` };
  }
  if (use === 'one_hot' && width !== 1)
    return {
      problem: `"${name}" has ${width === -1 ? 'any number of' : width} columns`,
      expected: 'one: [-1] or [-1, 1]',
    };
  if (use === 'impute' && ![...floats, 'BYTES'].includes(datatype))
    return { problem: `"${name}" is ${datatype}, which has no missing values`, expected: 'FP32, FP64 or BYTES' };
  const filler = [node.with].flat()[0];
  if (use === 'impute' && (typeof filler === 'string') !== (datatype === 'BYTES'))
    return {
      problem: `"${name}" is ${datatype}, "with" is ${JSON.stringify(filler)}`,
      expected: 'a value of that kind',
    };
  const perColumn = [node.mean, node.std, node.with].find(Array.isArray);
  if (perColumn !== undefined && width !== -1 && perColumn.length !== width)
    return {
      problem: `"${name}" has ${width} columns, ${perColumn.length} values are given`,
      expected: 'one a column',
    };
  if (use === 'reshape' && node.shape !== undefined) {
    const [held, wanted] = [shape, node.shape].map((one) => one.slice(1).reduce((product, d) => product * d, 1));
    if (!shape.slice(1).includes(-1) && held !== wanted)
      return {
        problem: `"${name}" has ${held} values a row, ${show(node.shape)} holds ${wanted}`,
        expected: 'as many',
      };
  }
  return undefined;
}

function resultOf(node: UseNode, { datatype, shape }: TensorSignature): OperationType {
  const float = datatype === 'FP32' ? 'FP32' : 'FP64';
  switch (node.use) {
    case 'argmax':
      return { datatype: 'INT64', shape: [-1] };
    case 'cast':
      return { datatype: node.to ?? datatype, shape };
    case 'columns':
      return { datatype, shape: [-1, node.take?.length ?? -1] };
    case 'constant':
      return { datatype: node.to ?? datatypeOf([node.value]), shape: [-1] };
    case 'map':
      return { datatype: datatypeOf([...Object.values(node.values ?? []), node.else]), shape };
    case 'one_hot':
      return { datatype: 'FP32', shape: [-1, lengthOf(node.values)] };
    case 'reshape':
      return { datatype, shape: node.shape ?? shape };
    case 'clip':
    case 'scale':
    case 'sigmoid':
    case 'softmax':
      return { datatype: float, shape };
    case 'threshold':
      return { datatype: 'INT64', shape };
    default:
      return { datatype, shape };
  }
}

/** The datatype of constants: what all of them are. */
export function datatypeOf(values: readonly unknown[]): Datatype {
  const there = values.filter((value) => value !== undefined);
  if (there.every((value) => typeof value === 'boolean')) return 'BOOL';
  if (there.every((value) => Number.isSafeInteger(value))) return 'INT64';
  return there.every((value) => typeof value === 'number') ? 'FP64' : 'BYTES';
}

/** What is wrong with how an operation is written, whatever it is given. */
export function* checkOperation(
  node: UseNode,
): Iterable<{ readonly path: readonly string[]; readonly message: string; readonly expected: string }> {
  const { use, of } = node;
  const { needs, takes = [], joins = false, example } = operationRules[use];
  const given = Object.keys(node).filter((key): key is Parameter => key !== 'use' && key !== 'of');
  for (const need of needs)
    if (node[need] === undefined) yield { path: [], message: `"${need}" is missing for ${use}`, expected: example };
  for (const key of given)
    if (!needs.includes(key) && !takes.includes(key))
      yield { path: [key], message: `"${key}" has no use with ${use}`, expected: example };
  if (!joins && Array.isArray(of) && of.length !== 1)
    yield { path: ['of'], message: `${use} is done on one tensor`, expected: example };
  if (node.weights !== undefined) {
    if (node.weights.length !== lengthOf(of))
      yield {
        path: ['weights'],
        message: `${node.weights.length} weights for ${lengthOf(of)} tensors`,
        expected: 'one for each',
      };
    if (node.weights.every((weight) => weight === 0))
      yield { path: ['weights'], message: 'all weights are 0', expected: 'one that is greater' };
  }
  if (use === 'clip' && node.min === undefined && node.max === undefined)
    yield { path: [], message: '"min" or "max" is missing for clip', expected: example };
  if (use === 'clip' && (node.min ?? -Infinity) > (node.max ?? Infinity))
    yield { path: ['min'], message: '"min" is greater than "max"', expected: example };
  if ([node.std].flat().includes(0)) yield { path: ['std'], message: 'a standard deviation of 0', expected: 'not 0' };
  if (node.to !== undefined && isHalf(node.to))
    yield { path: ['to'], message: `${node.to} cannot be made here`, expected: 'FP32' };
  if (node.shape !== undefined && (node.shape[0] !== -1 || node.shape.slice(1).some((dimension) => dimension < 1)))
    yield {
      path: ['shape'],
      message: 'rows stay rows: the shape begins with -1, the rest is fixed',
      expected: '[-1, 3]',
    };
  if (use === 'one_hot' && node.values !== undefined && !Array.isArray(node.values))
    yield { path: ['values'], message: 'one_hot takes a list of values', expected: example };
  if (use === 'impute' && new Set([node.with].flat().map((value) => typeof value)).size > 1)
    yield { path: ['with'], message: 'numbers and texts are mixed', expected: example };
}
