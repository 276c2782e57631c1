import type { ModelSignature, Tensor } from '#contracts/tensor';
import type { ClassCounts } from './classification.ts';

/** A tensor as it came: whether `null` is allowed is known when the revision is. */
export interface ParsedTensor extends Tensor {
  readonly hasNull: boolean;
}

/** One request for predictions as a listener hands it to the core, whatever carried it. */
export interface InferRequest {
  readonly id: string | undefined;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly inputs: readonly ParsedTensor[];
  /**
   * For bodies without datatypes, which the model's signature reads: the inputs as another revision takes them, where
   * another one is to answer than the one that `inputs` were read for.
   */
  readonly readAs?: (signature: ModelSignature) => readonly ParsedTensor[];
  /** Names of the outputs that are asked for, in order; undefined = all. */
  readonly outputs: readonly string[] | undefined;
  /** Of those, which are asked for as their greatest values. */
  readonly classes?: ClassCounts | undefined;
}
