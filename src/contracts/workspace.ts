import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';
import { TreeFile } from './tree.ts';

export const workspaceEvents = defineEvents({
  'workspace.applied': Type.Object({ snapshot: Type.String(), changes: Type.Integer() }),
});

/** One thing wrong in the document, where, and how to mend it. */
export const DocumentProblem = Type.Object({
  file: Type.String(),
  line: Type.Integer({ description: 'from 1' }),
  column: Type.Integer({ description: 'from 1' }),
  message: Type.String(),
  expected: Type.Optional(Type.String()),
  nearest: Type.Optional(Type.String({ description: 'the valid name that was most likely meant' })),
});
export type DocumentProblem = Static<typeof DocumentProblem>;

export const ResourceDifference = Type.Object({
  resource: Type.String({ description: 'reference: dataset:flights' }),
  change: Type.Enum(['create', 'change', 'unchanged', 'absent', 'prune']),
  before: Type.Optional(Type.Unknown()),
  after: Type.Optional(Type.Unknown()),
  drifted: Type.Boolean({ description: 'it was changed elsewhere since the last apply' }),
});
export type ResourceDifference = Static<typeof ResourceDifference>;

const closed = { additionalProperties: false } as const;
const Snapshot = Type.String({
  pattern: '^[0-9a-f]{64}$',
  description: 'digest of the tree manifest; its files have been uploaded',
});
const Sent = {
  document: Type.Optional(Type.String({ default: 'tidemill.yaml', description: 'path of the document in the tree' })),
  prune: Type.Optional(Type.Boolean({ description: 'take away what the document no longer declares' })),
};
const errors = ['WORKSPACE_INVALID', 'WORKSPACE_PROJECT_MISMATCH'] as const;

/** A larger text is data, not a declaration: no kind reads it. */
export const largestTextBytes = 256 * 1024;

export const diffWorkspace = defineOperation({
  id: 'workspace.diff',
  method: 'POST',
  path: '/api/v1/workspace/diff',
  summary:
    'Say what applying a document would change; nothing is kept. Without a project in the path also of a project that is not there yet.',
  permission: 'read',
  body: Type.Object(
    {
      files: Type.Array(TreeFile, { description: 'of the project, by content' }),
      texts: Type.Record(Type.String(), Type.String({ maxLength: largestTextBytes }), {
        description: 'by path: the document and what is checked with it, SQL and programs',
      }),
      ...Sent,
    },
    closed,
  ),
  responses: {
    200: Type.Object({
      project: Type.String(),
      exists: Type.Boolean({ description: 'false: apply makes the project' }),
      differences: Type.Array(ResourceDifference),
      code: Type.Boolean({ description: 'files changed' }),
    }),
    400: ErrorBody,
  },
  errors,
});

export const applyWorkspace = defineOperation({
  id: 'workspace.apply',
  method: 'POST',
  path: '/api/v1/workspace/apply',
  summary: 'Make the project what a document declares, all of it or nothing. Applying again changes nothing.',
  permission: 'write',
  body: Type.Object({ snapshot: Snapshot, ...Sent }, closed),
  responses: {
    200: Type.Object({
      project: Type.String(),
      snapshot: Type.String(),
      differences: Type.Array(ResourceDifference),
      changes: Type.Integer(),
      sources: Type.Array(Type.Object({ dataset: Type.String(), source: Type.String() }), {
        description: 'files that the client is to land now',
      }),
    }),
    400: ErrorBody,
  },
  errors: [...errors, 'WORKSPACE_SNAPSHOT_UNREADABLE', 'ARTIFACT_NOT_FOUND'],
});

export const getWorkspace = defineOperation({
  id: 'workspace.get',
  method: 'GET',
  path: '/api/v1/workspace',
  summary: 'Show the snapshot applied last and the JSON Schema of the document.',
  permission: 'read',
  responses: {
    200: Type.Object({
      snapshot: Type.Optional(Type.String()),
      appliedAt: Type.Optional(Type.String({ format: 'date-time' })),
      schema: Type.Unknown(),
    }),
  },
});
