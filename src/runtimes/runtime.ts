import type { ModelSignature, Tensor } from '#contracts/tensor';
import type { BatchLimits } from './batcher.ts';
import type { RunTerms } from './waiting-queue.ts';
import type { WorkerPoolLimits } from './workers/worker-pool.ts';

/** Hears what the nodes of a graph do. */
export interface GraphObserver {
  /** A model or an operation was run, or failed; without the time of those before it. */
  ran(node: string, rows: number, durationMs: number, failed: boolean): void;
  /** Rows went to a branch of a switch or a split. */
  took(node: string, branch: string, rows: number): void;
}

/** A model's files on this machine: the first one is loaded, the others lie where it expects them. */
export interface ModelFiles {
  /** Absolute path of the file to load. */
  readonly mainPath: string;
  /** The signature that was declared for the model, for models that do not say themselves what they take. */
  readonly signature?: ModelSignature;
  /** For what runs in processes of its own: how many, and what each may take. Of ONNX, the number of threads. */
  readonly workers?: WorkerPoolLimits;
  /** For graphs: how rows of requests are put together for each of its models; read at each batch. */
  readonly batching?: BatchLimits;
  readonly observer?: GraphObserver;
}

/**
 * What every runtime does (onnx, python, command, graph): load, predict, unload. Transport-free: typed tensors
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
  /** Outputs that the model has and nobody is answered, since they are no tensors; default none. */
  readonly droppedOutputs?: readonly string[];
  /** Runs that it takes at the same time; default 1. */
  readonly parallelism?: number;
  /** Whether `parameters` of `predict` mean anything to it; default false. */
  readonly takesParameters?: boolean;
  /**
   * It puts rows together by itself, model by model (a graph): it is run for each request alone, and told on which terms.
   * Default false.
   */
  readonly schedules?: boolean;
  /** Whether the rows' keys have a say in the answer; default false. */
  readonly takesKeys?: boolean;
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
    terms?: RunTerms,
  ): Promise<readonly Tensor[]>;
  /**
   * Runs the rows of several requests as one, those of each behind those of the one before; for a runtime that puts them where
   * it wants them, which spares a copy. All have the same inputs in the same order, and at least one row.
   */
  predictTogether?(
    requests: readonly (readonly Tensor[])[],
    outputs?: readonly string[],
    parameters?: Readonly<Record<string, unknown>>,
  ): Promise<readonly Tensor[]>;
  unload(): Promise<void>;
}
