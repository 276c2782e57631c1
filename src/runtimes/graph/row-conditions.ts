import type { Expression, Reference } from '#contracts/condition-syntax';
import { evaluateExpression, type Found } from '#contracts/condition-value';
import type { Json } from '#contracts/json';
import { elementsPerRow, isHalf, type Tensor, toNumberFrom } from '#contracts/tensor';

export interface RowCondition {
  readonly text: string;
  readonly expression: Expression;
}

/** For which rows a condition holds; a text says why it cannot be decided. */
export function rowsWhere(
  { text, expression }: RowCondition,
  rows: number,
  tensors: ReadonlyMap<string, Tensor>,
  parameters: Readonly<Record<string, unknown>>,
): readonly boolean[] | { readonly problem: string } {
  const holds: boolean[] = [];
  for (let row = 0; row < rows; row += 1) {
    const evaluated = evaluateExpression(expression, (reference) => lookUp(reference, row, tensors, parameters));
    if ('problem' in evaluated) return { problem: `row ${row}: "${text}" cannot be decided: ${evaluated.problem}` };
    if (typeof evaluated.value !== 'boolean')
      return { problem: `row ${row}: "${text}" is ${JSON.stringify(evaluated.value)}, neither true nor false` };
    holds.push(evaluated.value);
  }
  return holds;
}

function lookUp(
  reference: Reference,
  row: number,
  tensors: ReadonlyMap<string, Tensor>,
  parameters: Readonly<Record<string, unknown>>,
): Found {
  if (reference.kind === 'param') {
    const value = Object.hasOwn(parameters, reference.name) ? parameters[reference.name] : undefined;
    if (value === undefined || value === null) return { missing: `the request has no parameter "${reference.name}"` };
    return { value: typeof value === 'bigint' ? Number(value) : (value as Json) };
  }
  const name = `${reference.step}.${reference.output}`;
  const tensor = tensors.get(name);
  if (tensor === undefined) return { missing: `there is no "${name}"` };
  const width = elementsPerRow(tensor);
  if (tensor.shape.length > 1 && width !== 1)
    return { value: Array.from({ length: width }, (_, column) => valueAt(tensor, row * width + column) ?? null) };
  const value = valueAt(tensor, row);
  return value === undefined ? { missing: `${name} has no value` } : { value };
}

/** Undefined where a number is missing, and for bytes that are no text. */
function valueAt({ datatype, data }: Tensor, index: number): string | number | boolean | undefined {
  const value = data[index];
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return undefined;
  if (datatype === 'BOOL') return Number(value) !== 0;
  const number = isHalf(datatype) ? toNumberFrom(datatype)(Number(value)) : Number(value);
  return Number.isNaN(number) ? undefined : number;
}
