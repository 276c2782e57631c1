import { type Static, Type } from 'typebox';
import { datatypes } from './tensor.ts';

/**
 * DeploymentSpec v1: what one pool of data planes serves. Published whole by the control plane at
 * `GET /data-plane/pools/{pool}/spec` with `ETag: "<epoch>.<generation>"`; `If-None-Match` with `?wait=<seconds>` holds
 * the answer until it changes (304 when it did not). Within an epoch the generation only grows; a new epoch (a restored
 * control plane) starts over.
 */
const Digest = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256, lower-case hexadecimal' });

export const SpecTensor = Type.Object({
  name: Type.String({ minLength: 1 }),
  datatype: Type.Enum([...datatypes]),
  shape: Type.Array(Type.Integer({ minimum: -1 }), { description: '-1 varies; the first dimension is the row' }),
  nullable: Type.Optional(Type.Boolean({ description: '`null` is NaN in floating point, "" in BYTES; default false' })),
  optional: Type.Optional(
    Type.Boolean({ description: 'a table may lack this column, which then is all `null`; implies nullable' }),
  ),
  columns: Type.Optional(
    Type.Array(Type.String(), { description: 'names of the n columns in an input [-1, n], by which tables fill it' }),
  ),
});

export const SpecRevision = Type.Object({
  id: Type.String({ minLength: 1, description: 'names these bytes for ever: a changed revision has another id' }),
  modelRef: Type.String({ description: '`model:late-arrival@4`; what follows `@` is the version in /v2' }),
  runtime: Type.Enum(['onnx', 'python', 'command', 'graph']),
  files: Type.Array(
    Type.Object({
      path: Type.String({ minLength: 1, description: 'relative, inside the model; the first file is the one to load' }),
      digest: Digest,
      sizeBytes: Type.Integer({ minimum: 0 }),
    }),
    { minItems: 1 },
  ),
  signature: Type.Optional(
    Type.Object(
      { inputs: Type.Array(SpecTensor), outputs: Type.Array(SpecTensor) },
      { description: 'must fit what the model itself declares; absent: what it declares is taken, nothing nullable' },
    ),
  ),
  score: Type.Optional(Type.String({ description: 'where the score is among the outputs: `probabilities[1]`' })),
  warmup: Type.Optional(
    Type.Array(Type.Unknown(), { description: 'requests as POSTed to /v2/…/infer, each must succeed before traffic' }),
  ),
  inputExample: Type.Optional(
    Type.String({
      description:
        'path of a file among `files` with an example of the inputs, as POSTed to /invocations: it must succeed before traffic, where there is no `warmup`',
    }),
  ),
  maxBatchRows: Type.Optional(
    Type.Integer({
      minimum: 1,
      description: 'rows that waiting requests may be put together to; default 256, 1 = never',
    }),
  ),
  maxBatchDelayMs: Type.Optional(
    Type.Number({
      minimum: 0,
      description: 'how long a request may wait for company while the batch is not full; default 0: never',
    }),
  ),
});

export const SpecEndpoint = Type.Object({
  project: Type.String({ minLength: 1 }),
  name: Type.String({ minLength: 1 }),
  replay: Type.Optional(
    Type.Boolean({ description: 'event times may lie ahead of receipt (`clock: event`); default false' }),
  ),
  access: Type.Object({
    tokens: Type.Array(
      Type.Object({
        digest: Digest,
        principal: Type.String(),
        expiresAtMs: Type.Optional(
          Type.Integer({ description: 'refused from then on, by the clock of the data plane; default: never' }),
        ),
      }),
      { description: 'digests of the tokens that may call; none: open when bound to loopback, closed elsewhere' },
    ),
  }),
  traffic: Type.Array(
    Type.Object({ revision: Type.String(), basisPoints: Type.Integer({ minimum: 0, maximum: 10_000 }) }),
    { description: 'sums to 10,000, 0 means none; empty while no model is there yet' },
  ),
  sticky: Type.Optional(
    Type.Object({
      by: Type.Enum(['key', 'principal', 'header', 'cookie', 'column'], {
        description: 'what stays with its revision; default key; of several rows the first decides',
      }),
      header: Type.Optional(Type.String({ description: 'lower case, when by is header' })),
      cookie: Type.Optional(Type.String({ description: 'its name, when by is cookie' })),
      column: Type.Optional(Type.String({ description: 'name of an input, when by is column' })),
      salt: Type.String(),
    }),
  ),
  shadows: Type.Array(
    Type.Object({
      revision: Type.String(),
      sampleRate: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: 'default 1' })),
    }),
  ),
  subject: Type.Optional(
    Type.String({
      description: 'the input column that names the person concerned, for erasure; else parameters.subject',
    }),
  ),
  limits: Type.Optional(
    Type.Object({
      maxBodyBytes: Type.Optional(
        Type.Integer({ minimum: 1, description: 'default that of the data plane, which is the most' }),
      ),
      maxRows: Type.Optional(Type.Integer({ minimum: 1, description: 'of one request; default 100,000' })),
      maxQueued: Type.Optional(
        Type.Integer({ minimum: 1, description: 'requests waiting for a model; default 1,024' }),
      ),
      timeoutMs: Type.Optional(Type.Integer({ minimum: 1, description: 'in the queue; default 10,000' })),
      maxConcurrent: Type.Optional(
        Type.Integer({
          minimum: 1,
          description: 'runs of one revision at a time; default: as many as its runtime can',
        }),
      ),
      rate: Type.Optional(
        Type.Object(
          {
            perSecond: Type.Number({ exclusiveMinimum: 0 }),
            burst: Type.Optional(
              Type.Integer({ minimum: 1, description: 'default: what a second allows, at least 1' }),
            ),
          },
          { description: 'requests of one principal; default: no limit' },
        ),
      ),
    }),
  ),
  cache: Type.Optional(
    Type.Object(
      { maxBytes: Type.Integer({ minimum: 1, description: 'of kept answers and their keys' }) },
      { description: 'equal inputs of one revision are answered without running it again; default: off' },
    ),
  ),
  keepLoaded: Type.Optional(
    Type.Boolean({ description: 'its models are never put out of memory to make room; default false' }),
  ),
  idleMs: Type.Optional(
    Type.Integer({
      minimum: 1,
      description: 'a model that nobody asked for so long leaves the memory until the next request; default: never',
    }),
  ),
  workers: Type.Optional(
    Type.Object(
      {
        count: Type.Optional(
          Type.Integer({ minimum: 1, maximum: 64, description: 'processes of a model, of ONNX threads; default 1' }),
        ),
        maxMemoryBytes: Type.Optional(
          Type.Integer({ minimum: 1, description: 'resident memory of one process; default: no limit' }),
        ),
        recycleAfter: Type.Optional(
          Type.Integer({ minimum: 1, description: 'runs after which a process is renewed; default: never' }),
        ),
        loadTimeoutMs: Type.Optional(Type.Integer({ minimum: 1, description: 'default 120,000' })),
        runTimeoutMs: Type.Optional(Type.Integer({ minimum: 1, description: 'of one run; default 60,000' })),
      },
      {
        description:
          'for what runs in processes of its own (python, command), the count for ONNX too; a model that is loaded keeps what it had',
      },
    ),
  ),
  capture: Type.Object({
    enabled: Type.Boolean(),
    sampleRate: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1, description: 'share of requests kept; default 1' }),
    ),
    durability: Type.Optional(
      Type.Enum(['write', 'fsync'], {
        description: 'write (default) survives the process, a power cut may cost a second; fsync survives both',
      }),
    ),
    onFull: Type.Optional(
      Type.Enum(['answer', 'refuse'], { description: 'spool full: count the loss (default) or answer 503' }),
    ),
    redact: Type.Optional(
      Type.Array(Type.String(), {
        description:
          'what never enters a record: inputs, outputs, columns that the signature names, places of a row (`x[3]`); default none',
      }),
    ),
  }),
  revisions: Type.Array(SpecRevision, { description: 'all that traffic and shadows name, and those kept warm' }),
});

export const DeploymentSpec = Type.Object({
  version: Type.Literal(1),
  pool: Type.String({ minLength: 1 }),
  epoch: Type.String({ pattern: '^[A-Za-z0-9-]+$' }),
  generation: Type.Integer({ minimum: 0 }),
  flush: Type.Optional(
    Type.Integer({ minimum: 0, description: 'raised to have every record shipped and reported at once' }),
  ),
  endpoints: Type.Array(SpecEndpoint),
});

export type DeploymentSpec = Static<typeof DeploymentSpec>;
export type SpecEndpoint = Static<typeof SpecEndpoint>;
export type SpecTensor = Static<typeof SpecTensor>;
export type SpecRevision = Static<typeof SpecRevision>;
