import type { SpecEndpoint } from '#contracts/deployment-spec';
import { columnsOf } from '#contracts/redaction';
import { elementsPerRow, type ModelSignature, type Tensor, type TensorData } from '#contracts/tensor';

/**
 * The values of one column of a request, one a row: of the input of that name, or of the column inside a matrix that the
 * signature calls so. Undefined where there is no such column.
 */
export function readColumn(
  { inputs: declared }: ModelSignature,
  inputs: readonly Tensor[],
  name: string,
): ((row: number) => string | number | bigint | undefined) | undefined {
  const whole = inputs.find((input) => input.name === name);
  if (whole !== undefined) return elementsPerRow(whole) === 1 ? (row) => plain(whole.data[row]) : undefined;
  for (const input of declared) {
    const at = columnsOf(input).indexOf(name);
    const matrix = at === -1 ? undefined : inputs.find((tensor) => tensor.name === input.name);
    if (matrix === undefined) continue;
    const size = elementsPerRow(matrix);
    return at < size ? (row) => plain(matrix.data[row * size + at]) : undefined;
  }
  return undefined;
}

/** Bytes that are no text go by their hexadecimal form. */
const plain = (value: TensorData[number] | undefined): string | number | bigint | undefined =>
  value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;

/** Columns that an endpoint goes by and none of its loaded revisions has, in words. */
export function findMissingColumns(
  { sticky, subject }: SpecEndpoint,
  loaded: readonly { readonly signature: ModelSignature }[],
): readonly string[] {
  const hasNo = (name: string) =>
    loaded.length > 0 &&
    !loaded.some(({ signature: { inputs } }) =>
      inputs.some((input) => input.name === name || columnsOf(input).includes(name)),
    );
  const warnings: string[] = [];
  if (sticky?.column !== undefined && hasNo(sticky.column))
    warnings.push(`sticky goes by the column "${sticky.column}", which no version here takes: nothing is sticky`);
  if (subject !== undefined && hasNo(subject))
    warnings.push(
      `the subject of a request is its column "${subject}", which no version here takes: records say nobody, unless parameters.subject does`,
    );
  return warnings;
}
