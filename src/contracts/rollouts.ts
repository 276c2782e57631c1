import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';
import { pageFields, pageOf } from './page.ts';

export const rolloutsEvents = defineEvents({
  /** A revision is on its way; it takes traffic once every live replica has it ready. */
  'rollout.started': Type.Object({
    rolloutId: Type.String(),
    deployment: Type.String(),
    from: Type.Optional(Type.String()),
    to: Type.String(),
    model: Type.String(),
    version: Type.Integer(),
  }),
  /** A step has begun: the new revision now has `percent` of the traffic. `evidence` ended the step before. */
  'rollout.advanced': Type.Object({
    rolloutId: Type.String(),
    deployment: Type.String(),
    step: Type.Integer(),
    percent: Type.Number(),
    evidence: Type.Unknown(),
  }),
  /** The new revision has all traffic. */
  'rollout.completed': Type.Object({
    rolloutId: Type.String(),
    deployment: Type.String(),
    revision: Type.String(),
    model: Type.String(),
    version: Type.Integer(),
  }),
  /** Weights are back at the last complete set: by rule, by hand, or by a rollback after completion. */
  'rollout.aborted': Type.Object({
    rolloutId: Type.String(),
    deployment: Type.String(),
    revision: Type.String(),
    model: Type.String(),
    version: Type.Integer(),
    reason: Type.String(),
  }),
  /** Another version was to be rolled out before this one was complete; no fault of this one. */
  'rollout.superseded': Type.Object({
    rolloutId: Type.String(),
    deployment: Type.String(),
    revision: Type.String(),
    model: Type.String(),
    version: Type.Integer(),
    reason: Type.String(),
  }),
});

export const rolloutStates = ['warming', 'stepping', 'completed', 'aborted', 'superseded', 'rolled-back'] as const;
export type RolloutState = (typeof rolloutStates)[number];

const Instant = Type.String({ format: 'date-time' });

/** What a step's end is decided on, counted since the step began. */
export const RolloutEvidence = Type.Object({
  answers: Type.Integer({ description: "the new revision's own answers" }),
  requests: Type.Integer({ description: 'requests that count for the error rate: all but what callers did wrong' }),
  errors: Type.Integer({ description: 'failures of ours among them' }),
  errorRate: Type.Optional(Type.Number()),
  latencyP99Us: Type.Optional(Type.Number()),
  elapsedMs: Type.Integer({ description: "on the endpoint's clock" }),
});
export type RolloutEvidence = Static<typeof RolloutEvidence>;

/**
 * What an unfinished rollout waits for: a data plane that reports; a revision to be loaded; answers of the new revision, or
 * their event times; the wall clock; a flush that ends a stretch of a replay. Loading alone comes to its end by itself soon.
 */
export const RolloutWait = Type.Enum(['data-plane', 'loading', 'traffic', 'time', 'flush']);
export type RolloutWait = Static<typeof RolloutWait>;

const Weight = Type.Object({ revision: Type.String(), basisPoints: Type.Integer() });

export const RolloutView = Type.Object({
  id: Type.String(),
  deployment: Type.String(),
  state: Type.Enum([...rolloutStates]),
  reason: Type.String({ description: 'what it waits for, or why it ended' }),
  waitsFor: Type.Optional(RolloutWait),
  model: Type.String(),
  version: Type.Integer(),
  revision: Type.String({ description: 'the new one' }),
  from: Type.Array(Weight, { description: 'the complete set before; empty for the first revision' }),
  promotionId: Type.Optional(Type.String({ description: 'what moved the alias, and is reverted by an abort' })),
  steps: Type.Array(Type.Number(), { description: 'percent' }),
  step: Type.Integer({ description: 'index of the current step; -1 before the first' }),
  percent: Type.Number({ description: "the new revision's share now" }),
  each: Type.Object({ requests: Type.Integer(), forMs: Type.Integer() }),
  clock: Type.Enum(['event', 'wall']),
  abortWhen: Type.Optional(Type.String()),
  evidence: Type.Optional(RolloutEvidence),
  previousWarm: Type.Boolean({ description: 'the set before is still loaded, to return to at once' }),
  startedAt: Instant,
  endedAt: Type.Optional(Instant),
});
export type RolloutView = Static<typeof RolloutView>;

const rolloutParams = Type.Object({ rolloutId: Type.String({ minLength: 1 }) });
const Reason = Type.Object(
  { reason: Type.Optional(Type.String({ maxLength: 1000, description: 'why, for those who read it later' })) },
  { additionalProperties: false },
);

export const listRollouts = defineOperation({
  id: 'rollouts.list',
  method: 'GET',
  path: '/api/v1/rollouts',
  summary: 'List rollouts, newest first.',
  permission: 'read',
  query: Type.Object(
    { ...pageFields, deployment: Type.Optional(Type.String()), state: Type.Optional(Type.Enum([...rolloutStates])) },
    { additionalProperties: false },
  ),
  responses: { 200: pageOf(RolloutView) },
});

export const getRollout = defineOperation({
  id: 'rollouts.get',
  method: 'GET',
  path: '/api/v1/rollouts/:rolloutId',
  summary: 'Show one rollout with the evidence of its current step; `wait` holds the answer until it has ended.',
  permission: 'read',
  params: rolloutParams,
  query: Type.Object(
    { wait: Type.Optional(Type.Integer({ minimum: 0, maximum: 60, description: 'seconds' })) },
    { additionalProperties: false },
  ),
  responses: { 200: RolloutView, 404: ErrorBody },
  errors: ['ROLLOUT_NOT_FOUND'],
});

export const promoteRollout = defineOperation({
  id: 'rollouts.promote',
  method: 'POST',
  path: '/api/v1/rollouts/:rolloutId/promote',
  summary: 'Give the new revision all traffic now, past the remaining steps.',
  permission: 'approve',
  params: rolloutParams,
  body: Reason,
  responses: { 200: RolloutView, 404: ErrorBody, 409: ErrorBody },
  errors: ['ROLLOUT_NOT_FOUND', 'ROLLOUT_STATE_CONFLICT', 'ROLLOUT_NOT_READY'],
});

export const abortRollout = defineOperation({
  id: 'rollouts.abort',
  method: 'POST',
  path: '/api/v1/rollouts/:rolloutId/abort',
  summary: 'Return all traffic to the set before, and the alias with it.',
  permission: 'write',
  params: rolloutParams,
  body: Reason,
  responses: { 200: RolloutView, 404: ErrorBody, 409: ErrorBody },
  errors: ['ROLLOUT_NOT_FOUND', 'ROLLOUT_STATE_CONFLICT'],
});

export const rollbackDeployment = defineOperation({
  id: 'deployments.rollback',
  method: 'POST',
  path: '/api/v1/deployments/:name/rollback',
  summary: 'Return to the last complete set of revisions; a rollout under way is aborted.',
  permission: 'write',
  params: Type.Object({ name: Type.String({ minLength: 1 }) }),
  body: Reason,
  responses: { 200: RolloutView, 404: ErrorBody, 409: ErrorBody },
  errors: ['DEPLOYMENT_NOT_FOUND', 'ROLLBACK_IMPOSSIBLE'],
});
