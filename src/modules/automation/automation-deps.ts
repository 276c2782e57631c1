import type { RunState } from '#contracts/pipelines';
import type { AlertsApi } from '#modules/alerts';
import type { LineageApi } from '#modules/lineage';
import type { PipelinesApi } from '#modules/pipelines';
import type { SecretsApi } from '#modules/secrets';
import type { Clock } from '#platform/clock';
import type { Database, Reader } from '#platform/database';
import type { Logger } from '#platform/log';
import type { WebhookFormat } from './webhook-format.ts';

/** What `automation` needs of its neighbours, no more. */
export interface AutomationDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pipelines: Pick<PipelinesApi, 'run' | 'completeStep'> & {
    get(reader: Reader, project: string, runId: string): Promise<{ readonly run: { readonly state: RunState } }>;
  };
  readonly lineage: Pick<LineageApi, 'record'>;
  readonly alerts: Pick<AlertsApi, 'get' | 'open' | 'resolve'>;
  readonly secrets: Pick<SecretsApi, 'put' | 'reveal' | 'remove'>;
  /** Further ways to say events to receivers, beside our own. */
  readonly formats?: readonly WebhookFormat[];
  /** Hosts in private networks that the operator lets webhooks reach. */
  readonly webhookHosts: readonly string[];
}
