import type { DeploymentsApi } from '#modules/deployments';
import type { PipelinesApi } from '#modules/pipelines';
import type { Clock } from '#platform/clock';
import type { Database, Reader, Unit } from '#platform/database';
import type { EventLog } from '#platform/events';

/** What `rollouts` needs of its neighbours, no more. */
export interface RolloutsDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly events: Pick<EventLog, 'tail'>;
  readonly deployments: Pick<
    DeploymentsApi,
    | 'find'
    | 'get'
    | 'following'
    | 'createRevision'
    | 'revision'
    | 'setTraffic'
    | 'loaded'
    | 'readiness'
    | 'revisionCounters'
    | 'greatestEventMs'
    | 'observeReports'
  >;
  readonly registry: {
    version(
      reader: Reader,
      project: string,
      model: string,
      at: number | string,
    ): Promise<{ readonly version: number } | undefined>;
    alias(
      reader: Reader,
      project: string,
      model: string,
      alias: string,
    ): Promise<{ readonly version: number; readonly promotionId: string | undefined } | undefined>;
    promotion(reader: Reader, project: string, promotionId: string): Promise<{ readonly state: string } | undefined>;
    revertPromotion(
      unit: Unit,
      input: { readonly project: string; readonly promotionId: string; readonly reason: string },
    ): Promise<unknown>;
  };
  readonly alerts: {
    open(
      unit: Unit,
      alert: {
        readonly project: string;
        readonly fingerprint: string;
        readonly kind: string;
        readonly severity: 'info' | 'warning' | 'critical';
        readonly title: string;
        readonly subject: string;
        readonly evidence: unknown;
        readonly upstream?: readonly string[];
        readonly model?: string;
        readonly version?: number;
      },
    ): Promise<unknown>;
    resolve(
      unit: Unit,
      incident: { readonly project: string; readonly fingerprint: string; readonly reason: string },
    ): Promise<unknown>;
  };
  readonly pipelines: Pick<PipelinesApi, 'completeStep'>;
  readonly lineage: {
    record(
      unit: Unit,
      project: string,
      edges: readonly { readonly from: string; readonly to: string; readonly kind: string }[],
    ): Promise<void>;
  };
}
