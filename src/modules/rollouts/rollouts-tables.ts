import type { RolloutState } from '#contracts/rollouts';

export interface RolloutRow {
  rollout: string;
  project: string;
  deployment: string;
  model: string;
  version: number;
  revision: string;
  state: RolloutState;
  reason: string;
  /** JSON of weights. */
  from_weights: string;
  promotion_id: string | null;
  /** JSON of a RolloutPlan. */
  plan: string;
  /** -1 before the first. */
  step: number;
  /** JSON of baselines. */
  first_baseline: string | null;
  step_baseline: string | null;
  /** Since when it cannot be loaded. */
  failed_ms: number | null;
  previous_warm: number;
  started_ms: number;
  ended_ms: number | null;
  cause: string | null;
  cause_depth: number | null;
}

export interface RolloutWaiterRow {
  token: string;
  rollout: string;
  created_ms: number;
}

/** The tables that this module owns. */
export interface RolloutsTables {
  rollouts: RolloutRow;
  rollout_waiters: RolloutWaiterRow;
}
