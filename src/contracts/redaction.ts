import type { ModelSignature, TensorSignature } from './tensor.ts';

/*
 * What the rules of `capture.redact` name in the signature of one model. A rule is the name of an input or an output, that of
 * a column inside one (`columns` of the signature), or a place of a row inside one: `x[3]`. The control plane asks whether a
 * rule names anything, the data plane what to keep out of records.
 */
export interface NamedByRules {
  /** Inputs and outputs that are kept out whole. */
  readonly whole: ReadonlySet<string>;
  /** By input or output: places of each row that are kept out, ascending. */
  readonly places: ReadonlyMap<string, readonly number[]>;
  /** Rules that name nothing here. */
  readonly unmatched: readonly string[];
}

export function findNamed(rules: readonly string[], { inputs, outputs }: ModelSignature): NamedByRules {
  const tensors = [...inputs, ...outputs];
  const whole = new Set<string>();
  const places = new Map<string, Set<number>>();
  const unmatched = rules.filter((rule) => {
    const found = tensors.flatMap((tensor) => placesIn(tensor, rule).map((place) => ({ tensor, place })));
    for (const { tensor, place } of found)
      if (place === wholeTensor || rowWidth(tensor) === 1) whole.add(tensor.name);
      else places.set(tensor.name, (places.get(tensor.name) ?? new Set()).add(place));
    return found.length === 0;
  });
  for (const name of whole) places.delete(name);
  const sorted = [...places].map(([name, of]) => [name, [...of].toSorted((a, b) => a - b)] as const);
  return { whole, places: new Map(sorted), unmatched };
}

const wholeTensor = -1;

function placesIn(tensor: TensorSignature, rule: string): readonly number[] {
  if (rule === tensor.name) return [wholeTensor];
  const columns = columnsOf(tensor).flatMap((column, place) => (column === rule ? [place] : []));
  if (columns.length > 0) return columns;
  const [, name, digits] = /^(.*)\[(\d{1,9})\]$/.exec(rule) ?? [];
  const place = Number(digits);
  const width = rowWidth(tensor);
  return name === tensor.name && (width === undefined || place < width) ? [place] : [];
}

/** Values of one row; undefined where that varies. */
export function rowWidth({ shape }: Pick<TensorSignature, 'shape'>): number | undefined {
  const width = shape.slice(1).reduce((product, dimension) => (dimension < 0 ? Number.NaN : product * dimension), 1);
  return Number.isNaN(width) ? undefined : width;
}

/** Names of the values of a row, where the signature has one for each. */
export function columnsOf({ shape, columns = [] }: TensorSignature): readonly string[] {
  return shape.length === 2 && columns.length === rowWidth({ shape }) ? columns : [];
}

/** Whether each value that the model is given has a name: then a name that is not there is that of nothing. */
export const areAllNamed = (inputs: readonly TensorSignature[]): boolean =>
  inputs.every((input) => rowWidth(input) === 1 || columnsOf(input).length > 0);

/** What a model has that a rule could name, in words: the inputs and outputs, and how to name what has no names. */
export function describeNames({ inputs, outputs }: ModelSignature): string {
  const nameless = inputs.find((input) => rowWidth(input) !== 1 && columnsOf(input).length === 0);
  const hint =
    nameless === undefined
      ? ''
      : `; the columns of "${nameless.name}" have no names there, "${nameless.name}[0]" is the first`;
  const sides = [`the inputs ${inputs.map(describe).join(', ')}`];
  if (outputs.length > 0) sides.push(`the outputs ${outputs.map(describe).join(', ')}`);
  return `${sides.join(' and ')}${hint}`;
}

function describe(tensor: TensorSignature): string {
  const columns = columnsOf(tensor);
  const shown = columns.length > 8 ? [...columns.slice(0, 8), `${columns.length - 8} more`] : columns;
  const shape = rowWidth(tensor) === 1 ? '' : ` [${tensor.shape.join(', ')}]`;
  return `"${tensor.name}"${shape}${shown.length === 0 ? '' : ` (${shown.join(', ')})`}`;
}

/** All names that rules could have been: for "did you mean". */
export const namesIn = ({ inputs, outputs }: ModelSignature): readonly string[] =>
  [...inputs, ...outputs].flatMap((tensor) => [tensor.name, ...columnsOf(tensor)]);
