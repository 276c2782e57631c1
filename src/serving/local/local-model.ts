import type { ModelSignature } from '#contracts/tensor';

/** One version of a model as it lies on this machine. */
export interface LocalVersion {
  readonly version: string;
  readonly runtime: 'onnx' | 'python' | 'command' | 'graph';
  /** Absolute path of the file that is loaded, or of the model's folder. */
  readonly path: string;
  /** The file of that folder that is loaded; default: `MLmodel`. */
  readonly main?: string;
  /** Absolute paths of other files that it is made of, wherever they lie. */
  readonly parts?: readonly string[];
  /** What was declared for it; checked against what it is. */
  readonly signature?: ModelSignature;
  /** Rows that waiting requests are put together to; 1 = none. */
  readonly maxBatchRows?: number;
  /** How long a request waits for others at most; default 0. */
  readonly maxBatchDelayMs?: number;
}

/** A model that is served under one name. */
export interface LocalModel {
  readonly name: string;
  /** Absolute path of the file or folder that it is. */
  readonly path: string;
  /** Those that are served, the newest last. At least one, unless there is a `problem`. */
  readonly versions: readonly LocalVersion[];
  /** What was set for it and has no meaning here. */
  readonly warnings: readonly string[];
  /** How many runs of it there may be at a time, each in a thread or process that has it in memory; default 1. */
  readonly instances?: number;
  /** Why it cannot be served. */
  readonly problem?: string;
}
