import type { SpecRevision } from '#contracts/deployment-spec';
import type { FileStore } from '../file-store.ts';

/** A model as its source describes it now. */
export interface FoundModel {
  readonly name: string;
  /** Those that are served, the newest last. At least one, unless there is a `problem`. */
  readonly revisions: readonly SpecRevision[];
  /** What was set for it and has no meaning here. */
  readonly warnings: readonly string[];
  /** Threads or processes that have it in memory; default 1. */
  readonly instances?: number;
  /** Why it cannot be served. */
  readonly problem?: string;
}

/** Where a data plane without a control plane has its models from. */
export interface ModelSource {
  /** For people: `/srv/models`, `model:late@champion`. */
  readonly from: string;
  readonly files: FileStore;
  /** What is there now, with files that can be had. Throws when there is nothing. */
  list(): Promise<readonly FoundModel[]>;
  /** Whether it may be another thing at another time, and looking again is worth it. */
  readonly changes: boolean;
  /** Whether a graph's models may lie outside of its folder: where the folder is that of who serves it. */
  readonly mayLeaveFolder: boolean;
  close(): Promise<void>;
}
