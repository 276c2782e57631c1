import type { JobsApi, Json } from '#modules/jobs';
import type { BlobStore } from '#platform/blobs';
import type { Database, Reader, Unit } from '#platform/database';

/** A dataset version as far as a run needs it. */
export interface DatasetVersionPort {
  readonly dataset: string;
  readonly version: number;
  readonly parts: readonly { readonly sha256: string }[];
}

/** What `pipelines` needs of its neighbours, no more. */
export interface PipelinesDeps {
  readonly database: Database;
  readonly blobs: BlobStore;
  /** Where steps reach this server. */
  readonly baseUrl: () => string;
  readonly jobs: Pick<JobsApi, 'submit' | 'get' | 'cancel'>;
  readonly artifacts: {
    retain(
      unit: Unit,
      input: { readonly project: string; readonly sha256: string; readonly sizeBytes: number; readonly owner: string },
    ): Promise<void>;
  };
  readonly lineage: {
    record(
      unit: Unit,
      project: string,
      edges: readonly { readonly from: string; readonly to: string; readonly kind: string }[],
    ): Promise<void>;
  };
  readonly datasets: {
    version(reader: Reader, project: string, name: string, at?: string): Promise<DatasetVersionPort | undefined>;
    record(
      unit: Unit,
      input: {
        readonly project: string;
        readonly name: string;
        readonly files: readonly { readonly sha256: string; readonly sizeBytes: number }[];
        readonly producer: string;
      },
    ): Promise<{ readonly version: number }>;
  };
  readonly features: {
    plan(
      reader: Reader,
      project: string,
      request: {
        readonly spine: { readonly dataset: string; readonly version?: string };
        readonly at: string;
        readonly views: readonly string[];
      },
    ): Promise<{ readonly input: unknown; readonly references: readonly string[] }>;
  };
  readonly tracking: {
    createRun(
      unit: Unit,
      input: {
        readonly project: string;
        readonly experimentName: string;
        readonly name: string;
        readonly parentRunId?: string;
        readonly tags: Readonly<Record<string, string>>;
      },
    ): Promise<{ readonly runId: string; readonly experimentId: string }>;
    finishRun(
      unit: Unit,
      input: { readonly project: string; readonly runId: string; readonly status: 'FINISHED' | 'FAILED' | 'KILLED' },
    ): Promise<void>;
  };
  readonly registry: {
    proposeVersion(
      unit: Unit,
      proposal: {
        readonly project: string;
        readonly model: string;
        readonly digest: string;
        readonly files: readonly { readonly path: string; readonly sha256: string; readonly sizeBytes: number }[];
        readonly runtime: string;
        readonly signature: Json;
        readonly predicts: Json;
        readonly trainRef?: string;
        readonly testRef?: string;
        readonly runRef: string;
        readonly trackingRunId?: string;
        readonly alias: string;
        readonly checks: readonly string[];
      },
    ): Promise<{ readonly version: number; readonly promotionId?: string; readonly existed: boolean }>;
  };
  readonly evaluation: {
    judge(
      unit: Unit,
      input: {
        readonly project: string;
        readonly promotionId: string;
        readonly model: string;
        readonly version: number;
        readonly alias: string;
        /** Test rows: one Parquet file. */
        readonly test: { readonly sha256: string; readonly reference: string | undefined };
        readonly label: string;
        readonly predicts: { readonly kind: 'binary'; readonly score: string };
        readonly gates: readonly string[];
        /** Digest of the user's own JSON of numbers. */
        readonly metrics: string | undefined;
      },
    ): Promise<unknown>;
  };
}
