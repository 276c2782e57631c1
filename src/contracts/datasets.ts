import { type Static, Type } from 'typebox';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';
import { pageFields, pageOf } from './page.ts';
import { namePattern } from './references.ts';

export const datasetsEvents = defineEvents({
  'dataset.ingestion.failed': Type.Object({
    dataset: Type.String(),
    ingestionId: Type.String(),
    code: Type.String(),
    message: Type.String(),
  }),
  'dataset.check.failed': Type.Object({
    dataset: Type.String(),
    ingestionId: Type.String(),
    blocking: Type.Boolean(),
    failed: Type.Array(Type.String()),
  }),
  'dataset.version.created': Type.Object({
    dataset: Type.String(),
    version: Type.Integer(),
    rows: Type.Integer(),
    parts: Type.Integer(),
  }),
});

const closed = { additionalProperties: false } as const;
const Level = Type.Optional(
  Type.Enum(['block', 'warn'], { default: 'block', description: 'block: the previous version stays current' }),
);

/** What must hold for the rows of each landing. One key besides `column` and `level` says what. */
export const CheckSpec = Type.Union([
  Type.Object(
    {
      column: Type.String(),
      in: Type.Array(Type.Union([Type.String(), Type.Number(), Type.Boolean()]), { minItems: 1 }),
      level: Level,
    },
    closed,
  ),
  Type.Object(
    { column: Type.String(), min: Type.Optional(Type.Number()), max: Type.Optional(Type.Number()), level: Level },
    closed,
  ),
  Type.Object({ column: Type.String(), not_null: Type.Literal(true), level: Level }, closed),
  Type.Object({ column: Type.String(), unique: Type.Literal(true), level: Level }, closed),
  Type.Object({ column: Type.String(), regex: Type.String(), level: Level }, closed),
  Type.Object(
    {
      column: Type.String(),
      type: Type.String({ description: 'DuckDB type: BIGINT, VARCHAR, TIMESTAMP' }),
      level: Level,
    },
    closed,
  ),
  Type.Object({ unique: Type.Array(Type.String(), { minItems: 1 }), level: Level }, closed),
  Type.Object(
    {
      row_count: Type.Object({ min: Type.Optional(Type.Integer()), max: Type.Optional(Type.Integer()) }, closed),
      level: Level,
    },
    closed,
  ),
]);
export type CheckSpec = Static<typeof CheckSpec>;

export const SourceFormat = Type.Enum(['csv', 'jsonl', 'parquet']);
export type SourceFormat = Static<typeof SourceFormat>;

/** One dataset of tidemill.yaml. */
export const DatasetSpec = Type.Object(
  {
    source: Type.String({
      minLength: 1,
      description: 'file or glob, relative to tidemill.yaml; a new file is a new part',
    }),
    format: Type.Optional(SourceFormat),
    time: Type.Optional(Type.String({ description: 'column that says when a row became true' })),
    subject: Type.Optional(Type.String({ description: 'column that names a person, for erasure' })),
    schema: Type.Optional(
      Type.Enum(['fixed', 'grow'], {
        default: 'fixed',
        description: 'grow: new columns may appear; fixed: that is an error',
      }),
    ),
    checks: Type.Optional(
      Type.Array(CheckSpec, {
        description:
          'each says one thing: of a column in, min and max, not_null, unique, regex or type; of the rows unique (columns) or row_count',
      }),
    ),
    description: Type.Optional(Type.String()),
  },
  { ...closed, $id: 'DatasetSpec' },
);
export type DatasetSpec = Static<typeof DatasetSpec>;

const Instant = Type.String({ format: 'date-time' });
export const Column = Type.Object({
  name: Type.String(),
  type: Type.String({ description: 'DuckDB type' }),
  nullable: Type.Boolean(),
});
export type Column = Static<typeof Column>;

export const DatasetVersionView = Type.Object({
  dataset: Type.String(),
  version: Type.Integer(),
  rows: Type.Optional(Type.Integer({ description: "absent until a step's output has been read" })),
  parts: Type.Integer(),
  sizeBytes: Type.Integer(),
  columns: Type.Array(Column),
  timeMin: Type.Optional(Instant),
  timeMax: Type.Optional(Instant),
  producer: Type.Optional(Type.String({ description: 'the step that made it' })),
  createdAt: Instant,
});
export type DatasetVersionView = Static<typeof DatasetVersionView>;

export const DatasetView = Type.Object({
  name: Type.String(),
  spec: Type.Optional(DatasetSpec),
  current: Type.Optional(DatasetVersionView),
  ingesting: Type.Boolean(),
});
export type DatasetView = Static<typeof DatasetView>;

export const CheckResult = Type.Object({
  check: Type.String({ description: 'the check in words: origin in [EWR, JFK, LGA]' }),
  level: Type.Enum(['block', 'warn']),
  passed: Type.Boolean(),
  failing: Type.Integer({ description: 'rows that do not hold' }),
  rows: Type.Array(Type.Unknown(), { description: 'the first of them, with file and row number (0 is the first)' }),
  reason: Type.Optional(
    Type.String({ description: 'why it fails as a whole: a column that is missing, too few rows, another type' }),
  ),
});
export type CheckResult = Static<typeof CheckResult>;

export const IngestionState = Type.Enum(['queued', 'running', 'published', 'failed', 'blocked']);
export type IngestionState = Static<typeof IngestionState>;

export const IngestionView = Type.Object({
  id: Type.String(),
  dataset: Type.String(),
  state: IngestionState,
  files: Type.Array(Type.String()),
  version: Type.Optional(Type.Integer()),
  checks: Type.Array(CheckResult),
  error: Type.Optional(Type.Object({ code: Type.String(), message: Type.String() })),
  createdAt: Instant,
  endedAt: Type.Optional(Instant),
});
export type IngestionView = Static<typeof IngestionView>;

const byName = Type.Object({ name: Type.String({ pattern: namePattern }) });
const wait = Type.Optional(Type.Integer({ minimum: 0, maximum: 60, description: 'seconds to wait for its end' }));

export const listDatasets = defineOperation({
  id: 'datasets.list',
  method: 'GET',
  path: '/api/v1/datasets',
  summary: 'List the datasets of a project.',
  permission: 'read',
  query: Type.Object({ ...pageFields }, closed),
  responses: { 200: pageOf(DatasetView) },
});

export const getDataset = defineOperation({
  id: 'datasets.get',
  method: 'GET',
  path: '/api/v1/datasets/:name',
  summary: 'Show a dataset and its current version.',
  permission: 'read',
  params: byName,
  responses: { 200: DatasetView, 404: ErrorBody },
  errors: ['DATASET_NOT_FOUND'],
});

export const getDatasetVersion = defineOperation({
  id: 'datasets.version',
  method: 'GET',
  path: '/api/v1/datasets/:name/versions/:version',
  summary: 'Show one version of a dataset.',
  permission: 'read',
  params: Type.Object({
    ...byName.properties,
    version: Type.String({ minLength: 1, maxLength: 100, description: 'its number' }),
  }),
  responses: { 200: DatasetVersionView, 404: ErrorBody },
  errors: ['DATASET_NOT_FOUND', 'DATASET_VERSION_NOT_FOUND'],
});

export const listDatasetVersions = defineOperation({
  id: 'datasets.versions',
  method: 'GET',
  path: '/api/v1/datasets/:name/versions',
  summary: 'List the versions of a dataset, newest first.',
  permission: 'read',
  params: byName,
  query: Type.Object({ ...pageFields }, closed),
  responses: { 200: pageOf(DatasetVersionView), 404: ErrorBody },
});

export const landDataset = defineOperation({
  id: 'datasets.land',
  method: 'POST',
  path: '/api/v1/datasets/:name/land',
  summary: 'Take in the files that the source matches now; those that are new become parts of a new version.',
  permission: 'write',
  params: byName,
  body: Type.Object(
    {
      files: Type.Array(
        Type.Object(
          {
            path: Type.String({ minLength: 1, maxLength: 1024 }),
            sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
            sizeBytes: Type.Integer({ minimum: 0 }),
          },
          closed,
        ),
        { maxItems: 100_000, description: 'every file that the source matches; the bytes have been uploaded before' },
      ),
      source: Type.Optional(
        Type.String({ maxLength: 1024, description: 'what they were found by, when it was not applied yet' }),
      ),
    },
    closed,
  ),
  responses: {
    200: Type.Object({ unchanged: Type.Literal(true), version: Type.Optional(Type.Integer()) }),
    202: IngestionView,
    404: ErrorBody,
    409: ErrorBody,
  },
  errors: [
    'DATASET_NOT_FOUND',
    'DATASET_SOURCE_CHANGED',
    'DATASET_SOURCE_MISSING',
    'DATASET_SOURCE_MOVED',
    'DATASET_SOURCE_EMPTY',
    'ARTIFACT_NOT_FOUND',
  ],
});

export const compareDatasetFiles = defineOperation({
  id: 'datasets.compare-files',
  method: 'POST',
  path: '/api/v1/datasets/:name/compare-files',
  summary: 'Say which of the files that the source matches now wait to be landed, by their names; nothing is changed.',
  permission: 'read',
  params: byName,
  body: Type.Object({ paths: Type.Array(Type.String({ maxLength: 1024 }), { maxItems: 100_000 }) }, closed),
  responses: {
    200: Type.Object({
      waiting: Type.Array(Type.String(), { description: 'not landed yet' }),
      missing: Type.Array(Type.String(), { description: 'landed before and not among them' }),
    }),
    404: ErrorBody,
  },
  errors: ['DATASET_NOT_FOUND'],
});

export const getIngestion = defineOperation({
  id: 'datasets.ingestion',
  method: 'GET',
  path: '/api/v1/ingestions/:ingestionId',
  summary: 'Show an ingestion; with wait, once it has ended or the seconds are over.',
  permission: 'read',
  params: Type.Object({ ingestionId: Type.String() }),
  query: Type.Object({ wait }, closed),
  responses: { 200: IngestionView, 404: ErrorBody },
  errors: ['INGESTION_NOT_FOUND'],
});

export const listIngestions = defineOperation({
  id: 'datasets.ingestions',
  method: 'GET',
  path: '/api/v1/datasets/:name/ingestions',
  summary: 'List the ingestions of a dataset, newest first.',
  permission: 'read',
  params: byName,
  query: Type.Object({ ...pageFields }, closed),
  responses: { 200: pageOf(IngestionView), 404: ErrorBody },
});

const versionQuery = { version: Type.Optional(Type.Integer({ minimum: 1, description: 'default: the current one' })) };

export const getDatasetProfile = defineOperation({
  id: 'datasets.profile',
  method: 'GET',
  path: '/api/v1/datasets/:name/profile',
  summary: 'Profile a version: per column missing, distinct, range, quantiles, top values, histogram.',
  permission: 'read',
  params: byName,
  query: Type.Object(versionQuery, closed),
  responses: {
    200: Type.Object({ dataset: Type.String(), version: Type.Integer(), profile: Type.Unknown() }),
    404: ErrorBody,
  },
});

export const previewDataset = defineOperation({
  id: 'datasets.preview',
  method: 'GET',
  path: '/api/v1/datasets/:name/rows',
  summary: 'Show the first rows of a version.',
  permission: 'read',
  params: byName,
  query: Type.Object(
    { ...versionQuery, limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 20 })) },
    closed,
  ),
  responses: { 200: Type.Object({ version: Type.Integer(), rows: Type.Array(Type.Unknown()) }), 404: ErrorBody },
});

export const runQuery = defineOperation({
  id: 'queries.run',
  method: 'POST',
  path: '/api/v1/queries',
  summary:
    'Run one SELECT over datasets and uploaded Parquet files, as a job; its result is one file, or one for each value of a column.',
  permission: 'write',
  sensitive: 'project',
  body: Type.Object(
    {
      sql: Type.String({ minLength: 1, description: 'DuckDB SQL; tables are the names of the inputs' }),
      inputs: Type.Array(
        Type.Object(
          {
            name: Type.String({ minLength: 1 }),
            dataset: Type.Optional(Type.String({ description: 'its current version' })),
            sha256: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$', description: 'an uploaded Parquet file' })),
          },
          closed,
        ),
      ),
      partition: Type.Optional(
        Type.Object(
          {
            by: Type.String({ description: 'column; each of its values becomes a file' }),
            name: Type.String({ pattern: '\\{value\\}', description: 'file name with {value}' }),
          },
          closed,
        ),
      ),
      rows: Type.Optional(
        Type.Integer({ minimum: 1, maximum: 100_000, description: 'answer so many rows at most, and keep no file' }),
      ),
    },
    closed,
  ),
  responses: {
    200: Type.Object({
      rows: Type.Optional(Type.Array(Type.Unknown())),
      files: Type.Array(Type.Object({ name: Type.String(), sha256: Type.String(), sizeBytes: Type.Integer() }), {
        description: 'kept for a day; GET /api/v1/artifacts/<sha256>',
      }),
    }),
    400: ErrorBody,
    404: ErrorBody,
  },
  errors: ['DATASET_NOT_FOUND', 'ARTIFACT_NOT_FOUND'],
});
