import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';

export const jobsEvents = defineEvents({
  'job.finished': Type.Object({ jobId: Type.String(), owner: Type.String(), outcome: Type.String() }),
});

/** Kinds of things that a step may leave behind; `dir` is a folder, every other kind one file. */
export const OutputKind = Type.Enum(['file', 'dir', 'dataset', 'model', 'metrics', 'plots', 'json']);
export type OutputKind = Static<typeof OutputKind>;

export const JobState = Type.Enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']);
export type JobState = Static<typeof JobState>;

export const Job = Type.Object({
  id: Type.String(),
  project: Type.String(),
  owner: Type.String({ description: 'reference of what asked for it' }),
  tag: Type.String({ description: 'what it does there: datasets.ingest' }),
  kind: Type.Enum(['worker', 'command']),
  state: JobState,
  attempt: Type.Integer({ description: 'attempts begun so far' }),
  error: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
  cause: Type.Optional(Type.String({ description: 'id of the event or request that led here' })),
  createdAt: Type.String({ format: 'date-time' }),
  startedAt: Type.Optional(Type.String({ format: 'date-time' })),
  endedAt: Type.Optional(Type.String({ format: 'date-time' })),
});
export type JobView = Static<typeof Job>;

const jobParams = Type.Object({ jobId: Type.String({ minLength: 1 }) });

export const listJobs = defineOperation({
  id: 'jobs.list',
  method: 'GET',
  path: '/api/v1/jobs',
  summary: 'List the jobs of a project, newest first.',
  permission: 'read',
  query: Type.Object(
    {
      state: Type.Optional(JobState),
      owner: Type.Optional(Type.String()),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
      cursor: Type.Optional(Type.String()),
    },
    { additionalProperties: false },
  ),
  responses: { 200: Type.Object({ items: Type.Array(Job), next: Type.Optional(Type.String()) }) },
});

export const getJob = defineOperation({
  id: 'jobs.get',
  method: 'GET',
  path: '/api/v1/jobs/:jobId',
  summary: 'Show one job.',
  permission: 'read',
  params: jobParams,
  responses: { 200: Job, 404: ErrorBody },
  errors: ['JOB_NOT_FOUND'],
});

export const cancelJob = defineOperation({
  id: 'jobs.cancel',
  method: 'POST',
  path: '/api/v1/jobs/:jobId/cancel',
  summary: 'Cancel a job: its whole process group is ended.',
  permission: 'write',
  params: jobParams,
  responses: { 200: Job, 404: ErrorBody },
  errors: ['JOB_NOT_FOUND'],
});

export const getJobLog = defineOperation({
  id: 'jobs.log',
  method: 'GET',
  path: '/api/v1/jobs/:jobId/log',
  summary: "Read a job's log from a byte offset on; ask again from `next` to follow it.",
  permission: 'read',
  params: jobParams,
  query: Type.Object(
    { offset: Type.Optional(Type.Integer({ minimum: 0, default: 0 })) },
    { additionalProperties: false },
  ),
  responses: {
    200: Type.Object({
      text: Type.String(),
      next: Type.Integer({ description: 'offset to go on from' }),
      ended: Type.Boolean({ description: 'nothing will follow' }),
    }),
    404: ErrorBody,
  },
  errors: ['JOB_NOT_FOUND'],
});
