import { type Static, type TObject, type TProperties, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { MetricNumber } from './metric-number.ts';
import { defineOperation } from './operation.ts';

/*
 * The bulk API: what a project has tracked and registered, in and out, with the ids and times it has. An import is
 * idempotent by these ids: what is there already is left, or brought up to date, and nothing is there twice. Records are
 * alike in both directions. Instants are integer milliseconds here, as everywhere in MLflow: points come by the million.
 */

export const transferEvents = defineEvents({
  // one a request of the bulk API: what is brought over starts and ends no run of this server
  'tracking.imported': Type.Object({
    what: Type.Enum(['experiments', 'runs', 'histories', 'models', 'traces']),
    count: Type.Integer(),
  }),
  'registry.model.imported': Type.Object({ model: Type.String(), versions: Type.Integer() }),
});

const strict = { additionalProperties: false } as const;
const record = <P extends TProperties>(fields: P): TObject<P> => Type.Object(fields, strict);

/** What both databases and JavaScript hold exactly. */
const whole = { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER } as const;
const Ms = Type.Integer({ ...whole, description: 'milliseconds since 1970, UTC' });
const Step = Type.Integer(whole);
const Pair = record({ key: Type.String({ maxLength: 1000 }), value: Type.String() });
const Lifecycle = Type.Enum(['active', 'deleted']);
const Id = Type.String({ pattern: '^[a-zA-Z0-9][\\w-]{0,255}$' });
const Path = Type.String({ minLength: 1, maxLength: 4096 });
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });
/** Where bytes are that stay where they are; absent: they are this server's. */
const KeptAt = Type.Optional(Type.String({ maxLength: 4096, description: 'where the bytes stay, when not here' }));

export const ExperimentRecord = record({
  id: Type.String({ description: 'kept when it is a number that is free, else another one is given' }),
  name: Type.String(),
  lifecycle: Lifecycle,
  createdMs: Ms,
  updatedMs: Ms,
  keptAt: KeptAt,
  tags: Type.Array(Pair),
});
export type ExperimentRecord = Static<typeof ExperimentRecord>;

const DatasetRecord = record({
  name: Type.String(),
  digest: Type.String(),
  sourceType: Type.String(),
  source: Type.String(),
  schema: Type.Optional(Type.String()),
  profile: Type.Optional(Type.String()),
  tags: Type.Array(Pair),
});

export const RunRecord = record({
  id: Id,
  experimentId: Type.String({ description: 'of this project' }),
  name: Type.String(),
  status: Type.Enum(['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED']),
  user: Type.String(),
  startMs: Ms,
  endMs: Type.Optional(Ms),
  lifecycle: Lifecycle,
  deletedMs: Type.Optional(Ms),
  keptAt: KeptAt,
  params: Type.Array(Pair),
  tags: Type.Array(Pair),
  datasets: Type.Array(DatasetRecord),
  modelInputs: Type.Array(Id),
  modelOutputs: Type.Array(record({ modelId: Id, step: Step })),
});
export type RunRecord = Static<typeof RunRecord>;

/** Points of one metric, by column; exact duplicates are kept once. */
export const HistoryRecord = record({
  runId: Id,
  key: Type.String({ minLength: 1, maxLength: 1000 }),
  atMs: Type.Array(Ms),
  steps: Type.Array(Step),
  values: Type.Array(MetricNumber),
});
export type HistoryRecord = Static<typeof HistoryRecord>;

export const LoggedModelRecord = record({
  id: Id,
  experimentId: Type.String({ description: 'of this project' }),
  name: Type.String(),
  type: Type.String(),
  sourceRunId: Type.Optional(Id),
  status: Type.Enum(['LOGGED_MODEL_PENDING', 'LOGGED_MODEL_READY', 'LOGGED_MODEL_UPLOAD_FAILED']),
  statusMessage: Type.String(),
  createdMs: Ms,
  updatedMs: Ms,
  deletedMs: Type.Optional(Ms),
  keptAt: KeptAt,
  params: Type.Array(Pair),
  tags: Type.Array(Pair),
  metrics: Type.Array(
    record({
      key: Type.String(),
      runId: Id,
      atMs: Ms,
      step: Step,
      value: MetricNumber,
      datasetName: Type.String(),
      datasetDigest: Type.String(),
    }),
  ),
});
export type LoggedModelRecord = Static<typeof LoggedModelRecord>;

/** A file in the tree of the project's artifacts; its bytes were uploaded by digest before. */
export const FileRecord = record({
  path: Path,
  sha256: Sha256,
  sizeBytes: Type.Integer({ minimum: 0, maximum: whole.maximum }),
});
export type FileRecord = Static<typeof FileRecord>;

export const VersionRecord = record({
  version: Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1 }),
  source: Type.String(),
  storageLocation: Type.String(),
  trackingRunId: Type.Optional(Type.String()),
  loggedModelId: Type.Optional(Id),
  runLink: Type.String(),
  description: Type.String(),
  stage: Type.Enum(['None', 'Staging', 'Production', 'Archived']),
  user: Type.String(),
  createdMs: Ms,
  updatedMs: Ms,
  tags: Type.Array(Pair),
  /** By path relative to the model's folder; empty when the bytes are not here. */
  files: Type.Array(FileRecord),
});
export type VersionRecord = Static<typeof VersionRecord>;

export const ModelRecord = record({
  name: Type.String(),
  description: Type.String(),
  createdMs: Ms,
  updatedMs: Ms,
  tags: Type.Array(Pair),
  aliases: Type.Array(record({ alias: Type.String(), version: Type.Integer() })),
  versions: Type.Array(VersionRecord, { maxItems: 500 }),
});
export type ModelRecord = Static<typeof ModelRecord>;

/** What the importer has read of a run or logged model once it is wholly here; what it says of another one is told apart by `print`. */
const Mark = record({
  id: Id,
  /** A digest of what the source says of it: equal, and nothing needs to be read again. */
  print: Type.String({ maxLength: 100 }),
  points: Type.Integer(),
  files: Type.Integer(),
  fileBytes: Type.Integer(),
  /** Of the lines `<sha256> <path>` of its files, sorted. */
  filesDigest: Sha256,
});
export type ImportMark = Static<typeof Mark>;

export const importExperiments = defineOperation({
  id: 'tracking.import-experiments',
  method: 'POST',
  path: '/api/v1/transfer/experiments',
  summary: 'Bring experiments in; one of an equal name is the same one.',
  permission: 'write',
  body: record({ experiments: Type.Array(ExperimentRecord, { maxItems: 1000 }) }),
  responses: {
    200: Type.Object({
      items: Type.Array(Type.Object({ givenId: Type.String(), id: Type.String(), made: Type.Boolean() })),
    }),
    400: ErrorBody,
  },
});

export const importRuns = defineOperation({
  id: 'tracking.import-runs',
  method: 'POST',
  path: '/api/v1/transfer/runs',
  summary: 'Bring runs in, with params, tags, inputs and outputs; one of an equal id is brought up to date.',
  permission: 'write',
  body: record({ runs: Type.Array(RunRecord, { maxItems: 1000 }) }),
  responses: { 200: Type.Object({ made: Type.Integer(), known: Type.Integer() }), 400: ErrorBody, 409: ErrorBody },
  errors: ['EXPERIMENT_NOT_FOUND', 'IMPORT_BEING_PURGED', 'IMPORT_ELSEWHERE', 'TRACKING_VALUE_INVALID'],
});

export const importHistories = defineOperation({
  id: 'tracking.import-histories',
  method: 'POST',
  path: '/api/v1/transfer/histories',
  summary: 'Bring points of metrics in; a point that is there already stays one.',
  permission: 'write',
  body: record({ histories: Type.Array(HistoryRecord, { maxItems: 10_000 }) }),
  responses: { 200: Type.Object({ points: Type.Integer() }), 400: ErrorBody, 404: ErrorBody },
  errors: ['TRACKING_RUN_NOT_FOUND'],
});

export const importLoggedModels = defineOperation({
  id: 'tracking.import-logged-models',
  method: 'POST',
  path: '/api/v1/transfer/logged-models',
  summary: 'Bring logged models in; one of an equal id is brought up to date.',
  permission: 'write',
  body: record({ models: Type.Array(LoggedModelRecord, { maxItems: 1000 }) }),
  responses: { 200: Type.Object({ made: Type.Integer(), known: Type.Integer() }), 400: ErrorBody, 409: ErrorBody },
  errors: ['EXPERIMENT_NOT_FOUND', 'IMPORT_BEING_PURGED', 'IMPORT_ELSEWHERE', 'TRACKING_VALUE_INVALID'],
});

export const importFiles = defineOperation({
  id: 'tracking.import-files',
  method: 'POST',
  path: '/api/v1/transfer/files',
  summary: 'Name files whose bytes were uploaded, in the tree of artifacts.',
  permission: 'write',
  body: record({ files: Type.Array(FileRecord, { maxItems: 1000 }) }),
  responses: { 200: Type.Object({ files: Type.Integer() }), 400: ErrorBody, 409: ErrorBody },
  errors: ['IMPORT_BYTES_MISSING', 'ARTIFACT_PATH_INVALID', 'ARTIFACT_IS_FOLDER'],
});

export const markImported = defineOperation({
  id: 'tracking.mark-imported',
  method: 'POST',
  path: '/api/v1/transfer/marks',
  summary: 'Say that runs or logged models are wholly here, so that the next import passes them by.',
  permission: 'write',
  body: record({ marks: Type.Array(Mark, { maxItems: 1000 }) }),
  responses: { 200: Type.Object({ marks: Type.Integer() }), 400: ErrorBody },
});

export const checkImported = defineOperation({
  id: 'tracking.check-imported',
  method: 'POST',
  path: '/api/v1/transfer/check',
  summary: 'Say what is marked of these runs or logged models, and count what is really here.',
  permission: 'read',
  body: record({ ids: Type.Array(Id, { maxItems: 1000 }), count: Type.Boolean() }),
  responses: {
    200: Type.Object({
      items: Type.Array(
        Type.Object({
          id: Type.String(),
          mark: Type.Optional(Mark),
          elsewhere: Type.Optional(
            Type.Boolean({ description: 'true: another project of the server has it, so it cannot come in' }),
          ),
          found: Type.Optional(
            Type.Object({
              points: Type.Integer(),
              params: Type.Integer(),
              tags: Type.Integer(),
              files: Type.Integer(),
              fileBytes: Type.Integer(),
              filesDigest: Sha256,
            }),
          ),
        }),
      ),
    }),
    400: ErrorBody,
  },
});

export const importModel = defineOperation({
  id: 'registry.import-model',
  method: 'POST',
  path: '/api/v1/transfer/models',
  summary: 'Bring a registered model in with versions under their numbers; what differs here already is left and told.',
  permission: 'write',
  body: ModelRecord,
  responses: {
    200: Type.Object({
      made: Type.Integer({ description: 'versions' }),
      known: Type.Integer({ description: 'versions' }),
      /** Each in words: a version of that number is another one, an alias names another version. */
      left: Type.Array(Type.String()),
    }),
    400: ErrorBody,
    409: ErrorBody,
  },
  errors: ['MODEL_NAME_INVALID', 'MODEL_NAME_TAKEN', 'MODEL_TAG_INVALID', 'MODEL_BYTES_MISSING'],
});

const page = { cursor: Type.Optional(Type.String({ maxLength: 4000, description: '`next` of the page before' })) };
const pageQuery = record(page);
const next = { next: Type.Optional(Type.String()) };

export const exportExperiments = defineOperation({
  id: 'tracking.export-experiments',
  method: 'GET',
  path: '/api/v1/transfer/experiments',
  summary: 'Every experiment as it can be brought in again, deleted ones too.',
  permission: 'read',
  query: pageQuery,
  responses: { 200: Type.Object({ items: Type.Array(ExperimentRecord), ...next }) },
});

export const exportRuns = defineOperation({
  id: 'tracking.export-runs',
  method: 'GET',
  path: '/api/v1/transfer/runs',
  summary: 'Every run of an experiment as it can be brought in again, without its histories.',
  permission: 'read',
  query: record({ ...page, experimentId: Type.String() }),
  responses: {
    200: Type.Object({
      items: Type.Array(Type.Object({ run: RunRecord, artifactUri: Type.String(), points: Type.Integer() })),
      ...next,
    }),
    404: ErrorBody,
  },
  errors: ['EXPERIMENT_NOT_FOUND'],
});

export const exportHistories = defineOperation({
  id: 'tracking.export-histories',
  method: 'GET',
  path: '/api/v1/transfer/histories',
  summary: 'Every point of a run, by metric and time.',
  permission: 'read',
  query: record({ ...page, runId: Id }),
  responses: { 200: Type.Object({ items: Type.Array(HistoryRecord), ...next }), 404: ErrorBody },
  errors: ['TRACKING_RUN_NOT_FOUND'],
});

export const exportLoggedModels = defineOperation({
  id: 'tracking.export-logged-models',
  method: 'GET',
  path: '/api/v1/transfer/logged-models',
  summary: 'Every logged model of an experiment as it can be brought in again.',
  permission: 'read',
  query: record({ ...page, experimentId: Type.String() }),
  responses: {
    200: Type.Object({
      items: Type.Array(Type.Object({ model: LoggedModelRecord, artifactUri: Type.String() })),
      ...next,
    }),
    404: ErrorBody,
  },
  errors: ['EXPERIMENT_NOT_FOUND'],
});

export const exportFiles = defineOperation({
  id: 'tracking.export-files',
  method: 'GET',
  path: '/api/v1/transfer/files',
  summary: 'Every file below a folder of artifacts, with its digest.',
  permission: 'read',
  query: record({ ...page, folder: Type.String({ maxLength: 4096 }) }),
  responses: { 200: Type.Object({ items: Type.Array(FileRecord), ...next }) },
  errors: ['ARTIFACT_PATH_INVALID'],
});

export const exportModels = defineOperation({
  id: 'registry.export-models',
  method: 'GET',
  path: '/api/v1/transfer/models',
  summary: 'Every registered model with its versions as it can be brought in again.',
  permission: 'read',
  query: pageQuery,
  responses: { 200: Type.Object({ items: Type.Array(ModelRecord), ...next }) },
});
