import type { Tensor } from '#contracts/tensor';

/** A tensor as it came: whether `null` is allowed is known when the revision is. */
export interface ParsedTensor extends Tensor {
  readonly hasNull: boolean;
}

/** One request for predictions as a listener hands it to the core, whatever carried it. */
export interface InferRequest {
  readonly id: string | undefined;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly inputs: readonly ParsedTensor[];
  /** Names of the outputs that are asked for, in order; undefined = all. */
  readonly outputs: readonly string[] | undefined;
}
