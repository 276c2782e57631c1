import type { CheckResult, Column, DatasetSpec, IngestionState } from '#contracts/datasets';
import type { DatasetFile } from './pack-rules.ts';

export interface Dataset {
  readonly project: string;
  readonly name: string;
  /** Undefined for what a pipeline step makes. */
  readonly spec: DatasetSpec | undefined;
  /** 0 while it has no version. */
  readonly currentVersion: number;
}

/** One immutable Parquet file of a version. */
export interface DatasetPart {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly rows: number;
  readonly timeMinMs: number | undefined;
  readonly timeMaxMs: number | undefined;
  /** Path of the file that it was made from, or the step's reference. */
  readonly source: string;
  readonly sourceSha256: string;
  /** When it came here: the `created` time of its rows. */
  readonly createdMs: number;
}

export interface DatasetVersion {
  readonly project: string;
  readonly dataset: string;
  readonly version: number;
  /** Undefined until a step's output has been read. */
  readonly rows: number | undefined;
  readonly sizeBytes: number;
  /** In order of arrival. */
  readonly parts: readonly DatasetPart[];
  /** The same rows in the same order in fewer files, for readers of the whole. */
  readonly files: readonly DatasetFile[];
  readonly columns: readonly Column[];
  readonly time: string | undefined;
  readonly timeMinMs: number | undefined;
  readonly timeMaxMs: number | undefined;
  readonly producer: string | undefined;
  readonly profileSha256: string | undefined;
  readonly createdMs: number;
}

export type VersionHead = Omit<DatasetVersion, 'parts' | 'files'> & { readonly partCount: number };

export interface SourceFile {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface Ingestion {
  readonly id: string;
  readonly project: string;
  readonly dataset: string;
  readonly state: IngestionState;
  /** New files only, in order of path. */
  readonly files: readonly SourceFile[];
  readonly jobId: string | undefined;
  readonly version: number | undefined;
  readonly checks: readonly CheckResult[];
  readonly error: { readonly code: string; readonly message: string } | undefined;
  readonly createdMs: number;
  readonly endedMs: number | undefined;
}
