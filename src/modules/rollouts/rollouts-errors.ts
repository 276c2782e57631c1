import { defineErrors } from '#platform/errors';

export const rolloutsErrors = defineErrors({
  ROLLOUT_NOT_FOUND: { kind: 'not_found', message: (id: string) => `there is no rollout "${id}"` },
  ROLLOUT_STATE_CONFLICT: {
    kind: 'conflict',
    message: (id: string, state: string, wanted: string) =>
      `rollout ${id} is ${state}; only one that is ${wanted} can do this`,
  },
  ROLLOUT_NOT_READY: {
    kind: 'conflict',
    message: (id: string, why: string) =>
      `rollout ${id} cannot take traffic yet: ${why}. Wait until every live replica has loaded the revision`,
  },
  ROLLBACK_IMPOSSIBLE: {
    kind: 'conflict',
    message: (deployment: string, why: string) => `deployment "${deployment}" cannot be rolled back: ${why}`,
  },
});
