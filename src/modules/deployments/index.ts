export {
  answersOf,
  type Counters,
  failuresOf,
  judgedRequestsOf,
  latencyQuantileUs,
  noCounters,
  subtractCounters,
} from './counters.ts';
export { type Deployment, defaultPool, type LoadedRevision, type Revision } from './deployment-types.ts';
export type { DeploymentsDeps } from './deployments-deps.ts';
export { createDeploymentsModule, type DeploymentsModule } from './deployments-module.ts';
export type { DeploymentsApi, TrafficChange } from './deployments-service.ts';
export type { Readiness } from './live-replicas.ts';
export type { ReportObserver } from './report-service.ts';
export type { NewRevision } from './revision-service.ts';
