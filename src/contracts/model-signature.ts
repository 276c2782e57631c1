import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { SpecTensor } from './deployment-spec.ts';
import type { TensorSignature } from './tensor.ts';

const shape = Type.Object({ inputs: Type.Array(SpecTensor), outputs: Type.Array(SpecTensor) });

/** What the registry keeps as a version's signature, when it is in our form. */
export function readModelSignature(
  given: unknown,
): { readonly inputs: SpecTensor[]; readonly outputs: SpecTensor[] } | undefined {
  return Value.Check(shape, given)
    ? { inputs: given.inputs.map(toTensor), outputs: given.outputs.map(toTensor) }
    : undefined;
}

/** Without what else may stand there. */
function toTensor({ name, datatype, shape: dimensions, nullable, optional, columns }: SpecTensor): SpecTensor {
  return {
    name,
    datatype,
    shape: [...dimensions],
    ...(nullable !== undefined && { nullable }),
    ...(optional !== undefined && { optional }),
    ...(columns !== undefined && { columns }),
  } satisfies TensorSignature;
}
