import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation, type OperationResult } from './operation.ts';
import { pageFields, pageOf } from './page.ts';

export const artifactsEvents = defineEvents({
  'artifact.removed': Type.Object({ sha256: Type.String(), sizeBytes: Type.Integer() }),
});

/** Lower-case hexadecimal. */
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the bytes' });

/** Bytes by digest: PUT uploads, GET (with `Range`) and HEAD read. Raw routes; the body is the bytes themselves. */
export const artifactPath = '/api/v1/artifacts/:sha256';

const ArtifactHold = Type.Object({
  sha256: Sha256,
  sizeBytes: Type.Integer(),
  owner: Type.String({ description: 'reference of what needs it, or "upload"' }),
  name: Type.Optional(Type.String()),
  createdAt: Type.String({ format: 'date-time' }),
  expiresAt: Type.Optional(Type.String({ format: 'date-time' })),
});
export type ArtifactHoldView = Static<typeof ArtifactHold>;

export const listArtifacts = defineOperation({
  id: 'artifacts.list',
  method: 'GET',
  path: '/api/v1/artifacts',
  summary: 'List what the project holds: each digest with whoever needs it.',
  permission: 'read',
  query: Type.Object(
    { ...pageFields, owner: Type.Optional(Type.String({ maxLength: 400 })), sha256: Type.Optional(Sha256) },
    { additionalProperties: false },
  ),
  responses: { 200: pageOf(ArtifactHold) },
});

export const getArtifact = defineOperation({
  id: 'artifacts.get',
  method: 'GET',
  path: '/api/v1/artifacts/:sha256/holds',
  summary: 'Show how large an artifact is and who in the project needs it.',
  permission: 'read',
  params: Type.Object({ sha256: Sha256 }),
  responses: {
    200: Type.Object({ sha256: Sha256, sizeBytes: Type.Integer(), holds: Type.Array(ArtifactHold) }),
    404: ErrorBody,
  },
  errors: ['ARTIFACT_NOT_FOUND'],
});

export const findMissingArtifacts = defineOperation({
  id: 'artifacts.missing',
  method: 'POST',
  path: '/api/v1/artifacts/missing',
  summary: 'Say which of these digests the project does not hold, and so must be uploaded.',
  permission: 'read',
  body: Type.Object({ digests: Type.Array(Sha256, { maxItems: 10_000 }) }, { additionalProperties: false }),
  responses: { 200: Type.Object({ missing: Type.Array(Sha256) }) },
});

export const collectArtifacts = defineOperation({
  id: 'artifacts.collect',
  method: 'POST',
  path: '/api/v1/artifacts/collect',
  summary: 'Run one collection of artifacts that nothing needs, now, as the server does by itself.',
  permission: 'admin',
  responses: {
    200: Type.Object({
      adopted: Type.Integer({ description: 'bytes found that no upload had finished' }),
      expired: Type.Integer({ description: 'uploads that nothing took within a day' }),
      condemned: Type.Integer({ description: 'will be removed in an hour unless something needs them' }),
      removed: Type.Integer(),
      removedBytes: Type.Integer(),
      waiting: Type.Object(
        {
          artifacts: Type.Integer(),
          bytes: Type.Integer(),
          nextAt: Type.Optional(
            Type.String({ format: 'date-time', description: 'the first of them can go; absent when none waits' }),
          ),
        },
        { description: 'what nothing needs any more and is kept for a while, in all projects' },
      ),
    }),
    403: ErrorBody,
  },
});
export type CollectedView = OperationResult<typeof collectArtifacts>;
