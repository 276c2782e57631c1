import type { ImportedRegistry } from './import-registry.ts';
import type { ImportedTraces } from './import-traces.ts';
import type { Progress } from './progress.ts';
import type { LeftBehind } from './source.ts';

/** What a run or logged model has at the source, to be found again here. */
export interface Expected {
  readonly experiment: string;
  readonly points: number;
  readonly params: number;
  readonly tags: number;
  readonly files: number;
  readonly bytes: number;
  readonly digest: string;
}

/** Bytes that stay where they are. */
export interface KeptFiles {
  readonly scheme: string;
  readonly why: string;
  /** Runs and logged models. */
  readonly count: number;
  readonly example: string;
  /** Whose files the example has. */
  readonly owner: string;
}

export interface ImportReport {
  readonly source: string;
  readonly experiments: readonly { readonly name: string; readonly givenId: string; readonly id: string }[];
  readonly expected: ReadonlyMap<string, Expected>;
  /** How many of each experiment's runs and logged models were found whole. */
  readonly found: ReadonlyMap<string, { readonly runs: number; readonly loggedModels: number }>;
  /** What is not here as it is at the source, in words. */
  readonly differences: readonly string[];
  /** By experiment. */
  readonly traces: ReadonlyMap<string, ImportedTraces>;
  readonly registry: ImportedRegistry;
  readonly kept: readonly KeptFiles[];
  readonly leftBehind: readonly LeftBehind[];
  /** Single things that were not brought over, in words. */
  readonly left: readonly string[];
  readonly notes: readonly string[];
  readonly progress: Progress;
}
