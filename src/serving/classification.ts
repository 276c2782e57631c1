import { type ModelSignature, rowsOf, type Tensor } from '#contracts/tensor';
import { servingErrors } from './serving-errors.ts';

/** Outputs that are asked for as their greatest values, and how many of them: the classification extension. */
export type ClassCounts = ReadonlyMap<string, number>;

/** How many of an output's classes are asked for; 0: its values are. REQUEST_MALFORMED. */
export function readClassCount(output: string, given: unknown): number {
  if (given === undefined || given === null) return 0;
  if (typeof given === 'number' && Number.isSafeInteger(given) && given >= 0) return given;
  throw servingErrors.REQUEST_MALFORMED(
    `output "${output}" has a "classification" that is no natural number; it says how many classes are wanted`,
  );
}

/**
 * Outputs with those of `counts` as texts `<value>:<index>`, the greatest first, so many a row; Triton's form:
 * https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_classification.md
 * REQUEST_MALFORMED for an output that is no number.
 */
export function classify(
  outputs: readonly Tensor[],
  counts: ClassCounts | undefined,
  signature: ModelSignature,
): readonly Tensor[] {
  if (counts === undefined) return outputs;
  return outputs.map((output) => {
    const count = counts.get(output.name);
    if (count === undefined) return output;
    const declared = signature.outputs.find(({ name }) => name === output.name);
    return toClasses(output, count, declared?.shape[0] === -1);
  });
}

function toClasses(output: Tensor, wanted: number, byRow: boolean): Tensor {
  const { name, datatype, data } = output;
  if (!isOfNumbers(datatype))
    throw servingErrors.REQUEST_MALFORMED(
      `output "${name}" is ${datatype}, which has no greatest values; ask for it without "classification"`,
    );
  const values = data as ArrayLike<number | bigint>;
  const rows = byRow ? rowsOf(output) : 1;
  const width = rows === 0 ? 0 : values.length / rows;
  const count = Math.min(wanted, width);
  const isFloat = datatype.startsWith('FP');
  const texts: string[] = [];
  for (let row = 0; row < rows; row += 1)
    for (const index of greatest(values, row * width, width, count)) {
      const value = values[row * width + index] ?? 0;
      texts.push(`${isFloat ? printed(Number(value)) : value}:${index}`);
    }
  return { name, datatype: 'BYTES', shape: byRow ? [rows, count] : [count], data: texts };
}

const isOfNumbers = (datatype: Tensor['datatype']): boolean => /^(?:U?INT|FP(?:32|64)$)/.test(datatype);

/** Places of the greatest values, in falling order; the first of equal ones first, NaN last. */
function greatest(values: ArrayLike<number | bigint>, from: number, width: number, count: number): readonly number[] {
  const places = Array.from({ length: width }, (_, index) => index);
  const at = (index: number): number | bigint => {
    const value = values[from + index] ?? 0;
    return Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
  };
  places.sort((a, b) => (at(a) > at(b) ? -1 : at(a) < at(b) ? 1 : a - b));
  return places.slice(0, count);
}

/** As C++ prints a double: six decimals. */
function printed(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return Math.abs(value) < 1e21 ? value.toFixed(6) : `${BigInt(value)}.000000`;
}
