import type { ModelSignature, Tensor } from '#contracts/tensor';
import { nearestName } from '#platform/errors';
import { workerErrors } from './worker-errors.ts';

/** Where a score is among a model's outputs: `probabilities[1]` is the second column of output `probabilities`. */
export interface ScoreOutput {
  readonly output: string;
  readonly column: number;
}

const form = /^([^[\]]+?)(?:\[(\d+)\])?$/;

/** Without a text the only output that is a number a row is taken. @throws SCORE_INVALID */
export function parseScore(text: string | undefined, signature: ModelSignature): ScoreOutput {
  const names = signature.outputs.map(({ name }) => name);
  if (text === undefined) {
    const numbers = signature.outputs.filter(
      ({ datatype, shape }) => datatype.startsWith('FP') && (shape[1] ?? 1) === 1,
    );
    const [only] = numbers;
    if (only !== undefined && numbers.length === 1) return { output: only.name, column: 0 };
    throw workerErrors.SCORE_INVALID('', `the model has the outputs ${names.join(', ')}; say which one is the score`);
  }
  const [, output = '', index] = form.exec(text.trim()) ?? [];
  const declared = signature.outputs.find(({ name }) => name === output);
  if (declared === undefined) {
    const near = nearestName(output, names);
    throw workerErrors.SCORE_INVALID(
      text,
      `the model has no output "${output}", only ${names.join(', ')}${near === undefined ? '' : `; did you mean "${near}"?`}`,
    );
  }
  const columns = declared.shape.length < 2 ? 1 : (declared.shape.at(-1) ?? 1);
  if (declared.datatype === 'BYTES') throw workerErrors.SCORE_INVALID(text, 'that output is text');
  if (index === undefined && columns > 1)
    throw workerErrors.SCORE_INVALID(
      text,
      `that output has ${columns} columns; say which one: ${output}[${columns - 1}]`,
    );
  const column = Number(index ?? 0);
  if (columns > 0 && column >= columns)
    throw workerErrors.SCORE_INVALID(text, `that output has ${columns} columns only`);
  return { output, column };
}

/** The scores of a batch, NaN where the model gives none. */
export function readScores(tensor: Tensor, { column }: ScoreOutput, rows: number): Float64Array {
  const width = tensor.data.length / rows;
  if (!Number.isInteger(width) || column >= width)
    throw workerErrors.SCORE_INVALID(
      `${tensor.name}[${column}]`,
      `for ${rows} rows the model gave a tensor of shape [${tensor.shape.join(', ')}]`,
    );
  return Float64Array.from({ length: rows }, (_, row) => Number(tensor.data[row * width + column]));
}
