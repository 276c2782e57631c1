import { type Static, type TString, Type } from 'typebox';
import { durationPattern } from './duration.ts';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';
import { pageFields, pageOf } from './page.ts';

/**
 * Deleting in two steps. `delete` takes a thing out of sight and `restore` brings it back; `purge` deletes it and what it
 * owns for good, bit by bit while the server works on, and frees its name. Bytes that something else needs are kept.
 */
const counts = {
  experiments: Type.Integer(),
  runs: Type.Integer(),
  loggedModels: Type.Integer(),
  points: Type.Integer({ description: 'points of metrics' }),
  files: Type.Integer({ description: 'artifacts' }),
  sizeBytes: Type.Integer({ description: 'of the files; bytes that something else holds stay' }),
};

export const PurgeCounts = Type.Object(counts);
export type PurgeCounts = Static<typeof PurgeCounts>;

export const purgeEvents = defineEvents({
  'purge.requested': Type.Object({ purgeId: Type.String(), deletedBefore: Type.Optional(Type.String()) }),
  /** It is gone with its name. Whoever keeps something for the experiment lets go of it. */
  'experiment.purged': Type.Object({ purgeId: Type.String(), experimentId: Type.String() }),
  'tracking-runs.purged': Type.Object({ purgeId: Type.String(), runIds: Type.Array(Type.String()) }),
  'logged-models.purged': Type.Object({ purgeId: Type.String(), modelIds: Type.Array(Type.String()) }),
  'purge.finished': Type.Object({ purgeId: Type.String(), ...counts }),
});

const Instant = Type.String({ format: 'date-time' });

export const PurgeView = Type.Object({
  id: Type.String(),
  target: Type.String({ description: 'reference of what was asked for; a project: all that was deleted in it' }),
  state: Type.Enum(['open', 'done']),
  deletedBefore: Type.Optional(Instant),
  requestedBy: Type.String(),
  requestedAt: Instant,
  endedAt: Type.Optional(Instant),
  removed: Type.Object(counts, { description: 'what went so far' }),
  failure: Type.Optional(
    Type.Object(
      { message: Type.String(), attempts: Type.Integer(), nextAttemptAt: Instant },
      { description: 'why it cannot go on; it is tried again, each time later, and other purges pass it' },
    ),
  ),
});
export type PurgeView = Static<typeof PurgeView>;

/** What a purge would remove. */
export const PurgePreview = Type.Object({
  target: Type.String(),
  name: Type.Optional(Type.String()),
  lifecycle: Type.Enum(['active', 'deleted'], { description: 'what is active is purged by `force` alone' }),
  ...counts,
  pointsAtLeast: Type.Boolean({ description: 'there are more points than were counted' }),
});
export type PurgePreview = Static<typeof PurgePreview>;

const forced = Type.Object(
  { force: Type.Optional(Type.Boolean({ description: 'also what was not deleted before' })) },
  { additionalProperties: false },
);
const OlderThan = Type.Optional(
  Type.String({ pattern: durationPattern, description: 'deleted at least so long ago: 30d, 12h; default: all' }),
);

/** The operations of one kind of thing. */
function defineDeletion<
  const K extends {
    readonly kind: string;
    readonly base: `/${string}`;
    readonly param: string;
    readonly what: string;
    readonly missing: string;
  },
>(of: K) {
  const path = `${of.base}/:${of.param}` as const satisfies `/${string}`;
  const params = Type.Object({ [of.param]: Type.String({ minLength: 1 }) } as Record<K['param'], TString>);
  return {
    remove: defineOperation({
      id: `${of.kind}.delete`,
      method: 'DELETE',
      path,
      summary: `Delete ${of.what}: it can be restored until it is purged.`,
      permission: 'write',
      params,
      responses: { 204: Type.Null(), 400: ErrorBody, 404: ErrorBody },
      errors: [of.missing],
    }),
    restore: defineOperation({
      id: `${of.kind}.restore`,
      method: 'POST',
      path: `${path}/restore`,
      summary: `Bring back ${of.what} that was deleted.`,
      permission: 'write',
      params,
      responses: { 204: Type.Null(), 400: ErrorBody, 404: ErrorBody },
      errors: [of.missing],
    }),
    preview: defineOperation({
      id: `${of.kind}.purge-preview`,
      method: 'GET',
      path: `${path}/purge`,
      summary: `Count what purging ${of.what} would remove.`,
      permission: 'read',
      params,
      responses: { 200: PurgePreview, 404: ErrorBody },
      errors: [of.missing],
    }),
    purge: defineOperation({
      id: `${of.kind}.purge`,
      method: 'POST',
      path: `${path}/purge`,
      summary: `Remove ${of.what} that was deleted, and what it owns, for good.`,
      permission: 'admin',
      params,
      body: forced,
      responses: { 202: PurgeView, 400: ErrorBody, 404: ErrorBody },
      errors: [of.missing, 'PURGE_NOT_DELETED', 'PURGE_DEFAULT_EXPERIMENT'],
    }),
  };
}

export const experimentDeletion = defineDeletion({
  kind: 'experiments',
  base: '/api/v1/experiments',
  param: 'experimentId',
  what: 'an experiment with its runs and logged models',
  missing: 'EXPERIMENT_NOT_FOUND',
});
export const trackingRunDeletion = defineDeletion({
  kind: 'tracking-runs',
  base: '/api/v1/tracking-runs',
  param: 'runId',
  what: 'a tracking run',
  missing: 'TRACKING_RUN_NOT_FOUND',
});
export const loggedModelDeletion = defineDeletion({
  kind: 'logged-models',
  base: '/api/v1/logged-models',
  param: 'modelId',
  what: 'a logged model',
  missing: 'LOGGED_MODEL_NOT_FOUND',
});

export const previewPurge = defineOperation({
  id: 'purges.preview',
  method: 'GET',
  path: '/api/v1/purges/preview',
  summary: 'Count what purging everything that was deleted in the project would remove.',
  permission: 'read',
  query: Type.Object({ olderThan: OlderThan }, { additionalProperties: false }),
  responses: { 200: PurgePreview },
});

export const startPurge = defineOperation({
  id: 'purges.start',
  method: 'POST',
  path: '/api/v1/purges',
  summary: 'Remove everything that was deleted in the project, and what it owns, for good.',
  permission: 'admin',
  body: Type.Object({ olderThan: OlderThan }, { additionalProperties: false }),
  responses: { 202: PurgeView },
});

export const listPurges = defineOperation({
  id: 'purges.list',
  method: 'GET',
  path: '/api/v1/purges',
  summary: 'List purges of the project, newest first.',
  permission: 'read',
  query: Type.Object(pageFields, { additionalProperties: false }),
  responses: { 200: pageOf(PurgeView) },
});

export const getPurge = defineOperation({
  id: 'purges.get',
  method: 'GET',
  path: '/api/v1/purges/:purgeId',
  summary: 'Show how far a purge has come.',
  permission: 'read',
  params: Type.Object({ purgeId: Type.String({ minLength: 1 }) }),
  responses: { 200: PurgeView, 404: ErrorBody },
  errors: ['PURGE_NOT_FOUND'],
});
