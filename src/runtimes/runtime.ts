import type { ModelSignature, Tensor } from '#contracts/tensor';
import type { WorkerPoolLimits } from './workers/worker-pool.ts';

/** A model's files on this machine: the first one is loaded, the others lie where it expects them. */
export interface ModelFiles {
  /** Absolute path of the file to load. */
  readonly mainPath: string;
  /** The signature that was declared for the model, for models that do not say themselves what they take. */
  readonly signature?: ModelSignature;
  /** For what runs in processes of its own: how many, and what each may take. */
  readonly workers?: WorkerPoolLimits;
}

/**
 * What every runtime does (onnx, python, command; graph later): load, predict, unload. Transport-free: typed tensors
 * in, typed tensors out. One contract suite, `testing/runtime-contract.ts`, runs on each.
 */
export interface Runtime {
  readonly kind: string;
  /** MODEL_LOAD_FAILED when the files are no model of this kind or it cannot be run here. */
  load(files: ModelFiles): Promise<LoadedModel>;
  /** Frees what the runtime holds; its models are unloaded. */
  close(): Promise<void>;
}

export interface LoadedModel {
  /** What the model itself declares. */
  readonly signature: ModelSignature;
  /** Runs that it takes at the same time; default 1. */
  readonly parallelism?: number;
  /** Whether `parameters` of `predict` mean anything to it; default false. */
  readonly takesParameters?: boolean;
  /** What it holds in memory, where the runtime knows; else it is estimated from its files. */
  readonly memoryBytes?: number;
  /**
   * Runs the model. `inputs` have passed `checkInputs`. All outputs in the order of the signature, or those of `outputs`
   * in that order. MODEL_RUN_FAILED when the model raises (of several requests' rows, smaller parts are then tried),
   * another error when it could not run; MODEL_UNLOADED after `unload`.
   */
  predict(
    inputs: readonly Tensor[],
    outputs?: readonly string[],
    parameters?: Readonly<Record<string, unknown>>,
  ): Promise<readonly Tensor[]>;
  unload(): Promise<void>;
}
