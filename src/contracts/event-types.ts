import { alertsEvents } from './alerts.ts';
import { approvalsEvents } from './approvals.ts';
import { artifactsEvents } from './artifacts.ts';
import { auditEvents } from './audit.ts';
import { automationEvents } from './automation.ts';
import { datasetsEvents } from './datasets.ts';
import { deploymentsEvents } from './deployments.ts';
import { evaluationEvents } from './evaluation.ts';
import type { EventOf } from './events.ts';
import { featuresEvents } from './features.ts';
import { graphsEvents } from './graphs.ts';
import { identityEvents } from './identity.ts';
import { jobsEvents } from './jobs.ts';
import { monitoringEvents } from './monitoring.ts';
import { pipelinesEvents } from './pipelines.ts';
import { platformEvents } from './platform-events.ts';
import { predictionsEvents } from './predictions.ts';
import { projectsEvents } from './projects.ts';
import { purgeEvents } from './purge.ts';
import { registryEvents } from './registry.ts';
import { rolloutsEvents } from './rollouts.ts';
import { secretsEvents } from './secrets.ts';
import { tracesEvents } from './traces.ts';
import { trackingEvents } from './tracking.ts';
import { transferEvents } from './transfer.ts';
import { workspaceEvents } from './workspace.ts';

/** Every type of event that can be written, with the schema of its data. */
export const eventTypes = {
  ...projectsEvents,
  ...identityEvents,
  ...secretsEvents,
  ...auditEvents,
  ...artifactsEvents,
  ...alertsEvents,
  ...approvalsEvents,
  ...jobsEvents,
  ...datasetsEvents,
  ...featuresEvents,
  ...trackingEvents,
  ...purgeEvents,
  ...tracesEvents,
  ...transferEvents,
  ...registryEvents,
  ...graphsEvents,
  ...evaluationEvents,
  ...pipelinesEvents,
  ...deploymentsEvents,
  ...rolloutsEvents,
  ...predictionsEvents,
  ...monitoringEvents,
  ...automationEvents,
  ...workspaceEvents,
  ...platformEvents,
} as const;

export type EventType = keyof typeof eventTypes;
/** Any event of the log, discriminated by `type`. */
export type TidemillEvent = EventOf<typeof eventTypes>;
export type EventData<T extends EventType> = Extract<TidemillEvent, { type: T }>['data'];
