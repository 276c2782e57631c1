import type { ModelSignature, Tensor } from '#contracts/tensor';
import { runtimeErrors } from '../runtime-errors.ts';

/**
 * What another program has answered, held against what it said it would: the outputs that were asked for in that order,
 * of their datatypes and fixed dimensions. MODEL_RUN_FAILED.
 */
export function checkOutputs(
  signature: ModelSignature,
  wanted: readonly string[],
  given: readonly Tensor[],
): readonly Tensor[] {
  return wanted.map((name, index) => {
    const tensor = given[index]?.name === name ? given[index] : given.find((one) => one.name === name);
    const declared = signature.outputs.find((one) => one.name === name);
    if (tensor === undefined) throw runtimeErrors.MODEL_RUN_FAILED(`it gave no output "${name}"`);
    if (declared === undefined) return tensor;
    if (tensor.datatype !== declared.datatype)
      throw runtimeErrors.MODEL_RUN_FAILED(
        `its output "${name}" is ${tensor.datatype}, its signature says ${declared.datatype}`,
      );
    const fits =
      tensor.shape.length === declared.shape.length &&
      declared.shape.every((dimension, at) => dimension < 0 || dimension === tensor.shape[at]);
    if (!fits)
      throw runtimeErrors.MODEL_RUN_FAILED(
        `its output "${name}" has shape [${tensor.shape.join(', ')}], its signature says [${declared.shape.join(', ')}]`,
      );
    return tensor;
  });
}
