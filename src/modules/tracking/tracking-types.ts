import type { Lifecycle, LoggedModelStatus, RunStatus } from './tracking-tables.ts';

export type { LoggedModelStatus, RunStatus };

export interface Tag {
  readonly key: string;
  readonly value: string;
}

export interface Experiment {
  /** Internal key, unique over all projects. */
  readonly key: number;
  readonly project: string;
  /** Counted per project from 0, which is "Default". */
  readonly experimentId: string;
  readonly name: string;
  readonly artifactLocation: string;
  readonly lifecycle: Lifecycle;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly tags: readonly Tag[];
}

/** One point of a metric. `value` may be NaN or infinite. */
export interface Metric {
  readonly key: string;
  readonly value: number;
  readonly timestampMs: number;
  readonly step: number;
}

/** A point as it arrives: it may belong to a logged model as well, and to a dataset it was measured on. */
export interface NewMetric extends Metric {
  readonly modelId?: string | undefined;
  readonly datasetName?: string | undefined;
  readonly datasetDigest?: string | undefined;
}

export interface RunInfo {
  readonly runId: string;
  readonly project: string;
  readonly experimentId: string;
  readonly name: string;
  readonly status: RunStatus;
  readonly userId: string;
  readonly startMs: number;
  readonly endMs: number | undefined;
  readonly lifecycle: Lifecycle;
  readonly deletedMs: number | undefined;
  readonly artifactUri: string;
  readonly parentRunId: string | undefined;
}

export interface DatasetInput {
  readonly name: string;
  readonly digest: string;
  readonly sourceType: string;
  readonly source: string;
  readonly schema?: string | undefined;
  readonly profile?: string | undefined;
  readonly tags: readonly Tag[];
}

export interface ModelOutput {
  readonly modelId: string;
  readonly step: number;
}

export interface Run {
  readonly info: RunInfo;
  /** The latest point of each key, by key. */
  readonly metrics: readonly Metric[];
  readonly params: readonly Tag[];
  readonly tags: readonly Tag[];
  readonly datasets: readonly DatasetInput[];
  readonly modelInputs: readonly string[];
  readonly modelOutputs: readonly ModelOutput[];
}

export interface LoggedModelMetric extends Metric {
  readonly runId: string;
  readonly datasetName: string;
  readonly datasetDigest: string;
}

export interface LoggedModel {
  readonly modelId: string;
  readonly project: string;
  readonly experimentId: string;
  readonly name: string;
  readonly modelType: string;
  readonly sourceRunId: string | undefined;
  readonly artifactUri: string;
  readonly status: LoggedModelStatus;
  readonly statusMessage: string;
  readonly createdMs: number;
  readonly updatedMs: number;
  readonly deletedMs: number | undefined;
  readonly params: readonly Tag[];
  readonly tags: readonly Tag[];
  readonly metrics: readonly LoggedModelMetric[];
}

export interface ArtifactEntry {
  /** Relative to the root of the project's artifacts. */
  readonly path: string;
  readonly isFolder: boolean;
  readonly sha256: string | undefined;
  readonly sizeBytes: number;
}
