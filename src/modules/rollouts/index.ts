export type { Baseline, RolloutPlan, Weight } from './rollout-rules.ts';
export type { Rollout } from './rollout-store.ts';
export type { RolloutsDeps } from './rollouts-deps.ts';
export { createRolloutsModule, type RolloutsModule } from './rollouts-module.ts';
export type { RolloutsApi } from './rollouts-service.ts';
