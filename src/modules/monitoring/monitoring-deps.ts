import type { AlertsApi } from '#modules/alerts';
import type { DeploymentsApi } from '#modules/deployments';
import type { JobsApi } from '#modules/jobs';
import type { PredictionsApi } from '#modules/predictions';
import type { RegistryApi } from '#modules/registry';
import type { Database } from '#platform/database';
import type { EventLog } from '#platform/events';

/** What `monitoring` needs of its neighbours, no more. */
export interface MonitoringDeps {
  readonly database: Database;
  readonly events: Pick<EventLog, 'tail'>;
  readonly predictions: Pick<
    PredictionsApi,
    'bindTruth' | 'unbindTruth' | 'counts' | 'firstEvent' | 'progress' | 'revisions' | 'rows' | 'watermark'
  >;
  /** Which model an endpoint follows. */
  readonly deployments: Pick<DeploymentsApi, 'find'>;
  /** Which version is champion now. */
  readonly registry: Pick<RegistryApi, 'alias'>;
  readonly jobs: Pick<JobsApi, 'runTask'>;
  readonly alerts: Pick<AlertsApi, 'findOpen' | 'open' | 'resolve'>;
}
