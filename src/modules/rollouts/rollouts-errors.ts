import { defineErrors } from '#platform/errors';

export const rolloutsErrors = defineErrors({
  DEPLOY_VERSION_MISSING: {
    kind: 'not_found',
    message: (reference: string) => `there is no ${reference} to deploy`,
  },
  DEPLOY_MODEL_DIFFERS: {
    kind: 'invalid',
    message: (deployment: string, serves: string, asked: string) =>
      `${deployment} serves ${serves}, so it takes no version of ${asked}`,
  },
  DEPLOY_NOT_PROMOTED: {
    kind: 'conflict',
    message: (reference: string, alias: string) =>
      `${reference} is not ${alias}: its gates or approvals have not let it pass, so it is not deployed`,
    help: 'A step that is to deploy a version whatever its gates say names it: with: { model: model:<name>@<version> }.',
  },
  DEPLOY_REFUSED: {
    kind: 'conflict',
    message: (reference: string, deployment: string) =>
      `${reference} cannot be served at ${deployment}: the alert of the deployment says why`,
  },
  DEPLOY_ENDED_OTHERWISE: {
    kind: 'conflict',
    message: (reference: string, deployment: string, how: string, reason: string) =>
      `the rollout of ${reference} at ${deployment} was ${how}: ${reason}`,
  },
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
