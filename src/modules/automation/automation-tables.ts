import type { DeliveryState, FiringState, WebhookFormatName } from '#contracts/automation';

export interface AutomationTables {
  readonly automation_triggers: {
    readonly project: string;
    readonly name: string;
    /** JSON. */
    readonly spec: string;
    readonly on_reference: string | null;
    readonly next_fire_ms: number | null;
    readonly generation: number;
    readonly declared_ms: number;
    readonly declared_by: string | null;
  };
  readonly automation_firings: {
    readonly id: string;
    readonly project: string;
    readonly trigger_name: string;
    readonly cause: string;
    readonly cause_subject: string;
    readonly state: FiringState;
    readonly cools: 0 | 1;
    readonly run_id: string | null;
    readonly reason: string | null;
    readonly clock_ms: number;
    readonly at_ms: number;
  };
  readonly automation_webhooks: {
    readonly id: string;
    readonly project: string;
    readonly url: string;
    /** JSON. */
    readonly types: string;
    readonly enabled: 0 | 1;
    readonly format: WebhookFormatName;
    readonly name: string;
    readonly description: string;
    readonly signed: 0 | 1;
    readonly created_ms: number;
    readonly updated_ms: number;
  };
  readonly automation_deliveries: {
    readonly id: string;
    readonly project: string;
    readonly webhook_id: string;
    readonly event_id: string;
    readonly event_type: string;
    readonly subject: string;
    readonly body: string;
    readonly state: DeliveryState;
    readonly attempts: number;
    readonly next_attempt_ms: number | null;
    readonly status: number | null;
    readonly error: string | null;
    readonly created_ms: number;
    readonly ended_ms: number | null;
  };
}
