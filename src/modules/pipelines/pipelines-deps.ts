import type { ApprovalsApi } from '#modules/approvals';
import type { ArtifactsApi } from '#modules/artifacts';
import type { DatasetsApi } from '#modules/datasets';
import type { EvaluationApi } from '#modules/evaluation';
import type { FeaturesApi } from '#modules/features';
import type { JobsApi } from '#modules/jobs';
import type { LineageApi } from '#modules/lineage';
import type { RegistryApi } from '#modules/registry';
import type { SecretsApi } from '#modules/secrets';
import type { TrackingApi } from '#modules/tracking';
import type { BlobStore } from '#platform/blobs';
import type { Database } from '#platform/database';

/** What `pipelines` needs of its neighbours, no more. */
export interface PipelinesDeps {
  readonly database: Database;
  readonly blobs: BlobStore;
  /** Where steps reach this server. */
  readonly baseUrl: () => string;
  readonly jobs: Pick<JobsApi, 'submitAll' | 'end' | 'cancel'>;
  readonly approvals: Pick<ApprovalsApi, 'request' | 'withdraw'>;
  readonly artifacts: Pick<ArtifactsApi, 'retainAll' | 'assertReadable' | 'missing'>;
  readonly lineage: Pick<LineageApi, 'record'>;
  readonly datasets: Pick<DatasetsApi, 'version' | 'record'>;
  readonly features: Pick<FeaturesApi, 'plan'>;
  readonly secrets: Pick<SecretsApi, 'fingerprint'>;
  readonly tracking: Pick<TrackingApi, 'createRun' | 'createRuns' | 'finishRun'>;
  readonly registry: Pick<RegistryApi, 'proposeVersion'>;
  readonly evaluation: Pick<EvaluationApi, 'judge'>;
}
