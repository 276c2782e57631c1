import {
  type BytesElement,
  elementCount,
  type ModelSignature,
  type Tensor,
  type TensorSignature,
} from '#contracts/tensor';
import { nearestName } from '#platform/errors';
import { runtimeErrors } from './runtime-errors.ts';

export interface CheckedInputs {
  /** In the order of the signature. */
  readonly inputs: readonly Tensor[];
  readonly rows: number;
}

/** Checks tensors against a signature: names, datatypes, dimensions, length of the data, one number of rows. INPUT_INVALID. */
export function checkInputs(signature: ModelSignature, given: readonly Tensor[]): CheckedInputs {
  const inputs: Tensor[] = [];
  let rows: number | undefined;
  for (const declared of signature.inputs) {
    const tensor = given.find(({ name }) => name === declared.name);
    if (tensor === undefined) throw missing(declared, given);
    checkTensor(declared, tensor);
    if (declared.shape[0] === -1) {
      rows ??= tensor.shape[0] ?? 1;
      if (tensor.shape[0] !== rows)
        throw runtimeErrors.INPUT_INVALID(
          `input "${tensor.name}" has ${tensor.shape[0]} rows, "${inputs[0]?.name}" has ${rows}: all need the same`,
        );
    }
    inputs.push(tensor);
  }
  if (given.length !== inputs.length) throw unknownOrTwice(signature, given);
  return { inputs, rows: rows ?? inputs[0]?.shape[0] ?? 1 };
}

function checkTensor(declared: TensorSignature, tensor: Tensor): void {
  if (tensor.datatype !== declared.datatype)
    throw runtimeErrors.INPUT_INVALID(
      `input "${tensor.name}" has datatype ${tensor.datatype}, the model takes ${declared.datatype}`,
    );
  const fits =
    tensor.shape.length === declared.shape.length &&
    declared.shape.every((dimension, index) => dimension === -1 || dimension === tensor.shape[index]);
  if (!fits)
    throw runtimeErrors.INPUT_INVALID(
      `input "${tensor.name}" has shape [${tensor.shape.join(', ')}], the model takes [${declared.shape.join(', ')}]`,
    );
  const count = elementCount(tensor.shape);
  if (declared.withoutNul === true) checkTexts(tensor);
  if (count !== tensor.data.length)
    throw runtimeErrors.INPUT_INVALID(
      `input "${tensor.name}" has ${tensor.data.length} values, its shape [${tensor.shape.join(', ')}] holds ${count ?? 'no number of them'}`,
    );
}

function checkTexts({ name, data }: Tensor): void {
  for (const element of data as readonly BytesElement[]) {
    if (typeof element !== 'string')
      throw runtimeErrors.INPUT_INVALID(
        `input "${name}" has bytes that are no UTF-8, and what runs this model (ONNX) takes texts alone`,
      );
    if (element.includes('\0'))
      throw runtimeErrors.INPUT_INVALID(`input "${name}" has a text with U+0000, which this model cannot take`);
  }
}

function missing(declared: TensorSignature, given: readonly Tensor[]): Error {
  const near = nearestName(
    declared.name,
    given.map(({ name }) => name),
  );
  return runtimeErrors.INPUT_INVALID(
    `input "${declared.name}" is missing${near === undefined ? '' : `; "${near}" is there, did you mean that?`}`,
  );
}

function unknownOrTwice(signature: ModelSignature, given: readonly Tensor[]): Error {
  const known = signature.inputs.map(({ name }) => name);
  const seen = new Set<string>();
  for (const { name } of given) {
    if (seen.has(name)) return runtimeErrors.INPUT_INVALID(`input "${name}" is given twice`);
    seen.add(name);
    if (known.includes(name)) continue;
    const near = nearestName(name, known);
    return runtimeErrors.INPUT_INVALID(
      `the model has no input "${name}"; ${near === undefined ? `it takes ${known.join(', ')}` : `did you mean "${near}"?`}`,
    );
  }
  return runtimeErrors.INPUT_INVALID('the inputs do not fit the model');
}

/**
 * Joins the signature that was declared for a model with the one it has: names, datatypes and fixed dimensions must
 * agree, `nullable`, `optional` and `columns` come from the declared one. Outputs may be a subset. MODEL_SIGNATURE_MISMATCH.
 */
export function joinSignature(declared: ModelSignature | undefined, actual: ModelSignature): ModelSignature {
  if (declared === undefined) return actual;
  const inputs = actual.inputs.map((own) => joinTensor('input', declared.inputs, own));
  const extra = declared.inputs.find(({ name }) => !actual.inputs.some((own) => own.name === name));
  if (extra !== undefined) throw runtimeErrors.MODEL_SIGNATURE_MISMATCH(`the model has no input "${extra.name}"`);
  const outputs = declared.outputs.map((wanted) => {
    const own = actual.outputs.find(({ name }) => name === wanted.name);
    if (own === undefined) throw runtimeErrors.MODEL_SIGNATURE_MISMATCH(`the model has no output "${wanted.name}"`);
    return joinTensor('output', [wanted], own);
  });
  return { inputs, outputs: outputs.length === 0 ? actual.outputs : outputs };
}

function joinTensor(side: string, declared: readonly TensorSignature[], own: TensorSignature): TensorSignature {
  const wanted = declared.find(({ name }) => name === own.name);
  if (wanted === undefined)
    throw runtimeErrors.MODEL_SIGNATURE_MISMATCH(`${side} "${own.name}" of the model is not declared`);
  if (wanted.datatype !== own.datatype)
    throw runtimeErrors.MODEL_SIGNATURE_MISMATCH(
      `${side} "${own.name}" is ${own.datatype} in the model and ${wanted.datatype} in the signature`,
    );
  const fits =
    wanted.shape.length === own.shape.length &&
    own.shape.every(
      (dimension, index) => dimension === -1 || wanted.shape[index] === -1 || dimension === wanted.shape[index],
    );
  // Converters often leave the shape of an output unsaid; what the model does not say cannot disagree.
  if (!fits && !(side === 'output' && own.shape.length === 0))
    throw runtimeErrors.MODEL_SIGNATURE_MISMATCH(
      `${side} "${own.name}" is [${own.shape.join(', ')}] in the model and [${wanted.shape.join(', ')}] in the signature`,
    );
  const shape =
    wanted.shape.length === own.shape.length
      ? own.shape.map((d, i) => (d === -1 ? (wanted.shape[i] ?? -1) : d))
      : wanted.shape;
  return {
    ...own,
    shape,
    ...((wanted.nullable === true || wanted.optional === true) && { nullable: true }),
    ...(wanted.optional === true && { optional: true }),
    ...(wanted.columns !== undefined && { columns: wanted.columns }),
  };
}
