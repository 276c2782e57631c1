import { type Static, Type } from 'typebox';
import { durationPattern } from './duration.ts';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { defineOperation } from './operation.ts';
import { pageFields, pageOf } from './page.ts';

export const deploymentsEvents = defineEvents({
  /** What was asked for changed (apply, or pruned). */
  'deployment.changed': Type.Object({ deployment: Type.String(), generation: Type.Integer() }),
  'deployment.spec.published': Type.Object({ pool: Type.String(), epoch: Type.String(), generation: Type.Integer() }),
  /** A replica now serves what this generation says, as far as it can. */
  'deployment.spec.observed': Type.Object({
    pool: Type.String(),
    replica: Type.String(),
    epoch: Type.String(),
    generation: Type.Integer(),
  }),
  /** A replica has delivered and reported everything up to this flush. */
  'deployment.flushed': Type.Object({ pool: Type.String(), replica: Type.String(), flush: Type.Integer() }),
  /** A replica began, became ready, or drains; or an endpoint of it changed its state or what it serves. */
  'deployment.replica.changed': Type.Object({ pool: Type.String(), replica: Type.String(), state: Type.String() }),
  'deployment.revision.ready': Type.Object({ deployment: Type.String(), revision: Type.String() }),
  'deployment.revision.failed': Type.Object({
    deployment: Type.String(),
    revision: Type.String(),
    error: Type.String(),
  }),
});

const closed = { additionalProperties: false } as const;
const Duration = Type.String({ pattern: durationPattern, description: 'a duration: 90s, 10m, 1d' });
const ModelReference = Type.String({
  pattern: '^model:[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9._-]*$',
  description: 'model:<name>@<alias or version>: model:late-arrival@champion',
});
const Rate = Type.Number({ minimum: 0, maximum: 1 });

export const RolloutSpec = Type.Object(
  {
    steps: Type.Array(Type.Number({ exclusiveMinimum: 0, maximum: 100 }), {
      minItems: 1,
      description: "the new revision's share of the traffic in percent, rising, the last 100",
    }),
    each: Type.Optional(
      Type.Object(
        {
          requests: Type.Optional(
            Type.Integer({ minimum: 0, default: 0, description: "the new revision's own answers in a step" }),
          ),
          for: Type.Optional(
            Type.String({
              pattern: durationPattern,
              default: '0s',
              description: "how long a step lasts at least, on the endpoint's clock",
            }),
          ),
        },
        { ...closed, description: 'what ends a step: both must hold' },
      ),
    ),
    abort_when: Type.Optional(
      Type.String({
        description:
          'returns to the set before when it holds on 50 requests or more of the new revision: error_rate > 0.01, latency_p99 > 250ms; joined by `or`',
      }),
    ),
  },
  closed,
);
export type RolloutSpec = Static<typeof RolloutSpec>;

/** One entry of `deployments:` in tidemill.yaml. */
export const DeploymentSpecDocument = Type.Object(
  {
    model: ModelReference,
    shadows: Type.Optional(
      Type.Array(
        Type.Union([
          ModelReference,
          Type.Object(
            {
              model: ModelReference,
              sample_rate: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: 1 })),
            },
            closed,
          ),
        ]),
        { description: 'versions that score the same requests unseen by the caller' },
      ),
    ),
    clock: Type.Optional(
      Type.Enum(['event', 'wall'], {
        default: 'wall',
        description: 'event: a replay, windows and rollouts follow the event times of the requests',
      }),
    ),
    rollout: Type.Optional(RolloutSpec),
    sticky: Type.Optional(
      Type.Union(
        [
          Type.Literal('off'),
          Type.Object(
            {
              by: Type.Enum(['key', 'principal', 'header', 'cookie', 'column']),
              header: Type.Optional(Type.String({ pattern: '^[a-z0-9-]+$', description: 'lower case' })),
              cookie: Type.Optional(Type.String({ minLength: 1, description: 'name of the cookie' })),
              column: Type.Optional(
                Type.String({ minLength: 1, description: 'name of the input; of several rows the first decides' }),
              ),
            },
            closed,
          ),
        ],
        { description: 'what stays with its revision while weights stand; default { by: key }' },
      ),
    ),
    capture: Type.Optional(
      Type.Object(
        {
          enabled: Type.Optional(Type.Boolean({ default: true })),
          sample_rate: Type.Optional(Rate),
          durability: Type.Optional(Type.Enum(['write', 'fsync'])),
          on_full: Type.Optional(Type.Enum(['answer', 'refuse'])),
          redact: Type.Optional(
            Type.Array(Type.String({ minLength: 1 }), {
              description:
                'whose values never enter a prediction record: inputs, outputs, columns that the signature names, places of a row (`x[3]`)',
            }),
          ),
        },
        { ...closed, description: 'what is kept of requests and answers' },
      ),
    ),
    limits: Type.Optional(
      Type.Object(
        {
          max_body_bytes: Type.Optional(Type.Integer({ minimum: 1 })),
          max_rows: Type.Optional(Type.Integer({ minimum: 1 })),
          max_queued: Type.Optional(Type.Integer({ minimum: 1 })),
          timeout: Type.Optional(Duration),
          max_concurrent: Type.Optional(
            Type.Integer({
              minimum: 1,
              description: 'runs of one model at a time; default: as many as its runtime can',
            }),
          ),
          rate: Type.Optional(
            Type.Object(
              {
                per_second: Type.Number({ exclusiveMinimum: 0 }),
                burst: Type.Optional(Type.Integer({ minimum: 1, description: 'default: what one second allows' })),
              },
              { ...closed, description: 'requests of one caller; above it 429 and Retry-After' },
            ),
          ),
        },
        closed,
      ),
    ),
    workers: Type.Optional(
      Type.Object(
        {
          count: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 64, default: 1, description: 'processes of a model, of ONNX threads' }),
          ),
          max_memory_bytes: Type.Optional(
            Type.Integer({ minimum: 1, description: 'resident memory of one process; default: no limit' }),
          ),
          recycle_after: Type.Optional(
            Type.Integer({ minimum: 1, description: 'runs after which a process is renewed; default: never' }),
          ),
          load_timeout: Type.Optional(Type.String({ pattern: durationPattern, default: '2m' })),
          run_timeout: Type.Optional(
            Type.String({
              pattern: durationPattern,
              default: '1m',
              description: 'of one run; its process is replaced',
            }),
          ),
        },
        {
          ...closed,
          description: 'for models that run in processes of their own (Python, any program); the count for ONNX too',
        },
      ),
    ),
    batching: Type.Optional(
      Type.Object(
        {
          max_rows: Type.Optional(
            Type.Integer({ minimum: 1, description: 'rows that are run together; default 256, 1: each by itself' }),
          ),
          max_delay: Type.Optional(
            Type.String({
              pattern: durationPattern,
              description: 'how long a request may wait for company; default: it never does',
            }),
          ),
        },
        { ...closed, description: 'requests that wait while the model runs are run together' },
      ),
    ),
    cache: Type.Optional(
      Type.Object(
        { max_bytes: Type.Integer({ minimum: 1, description: 'of kept answers' }) },
        { ...closed, description: 'equal inputs are answered without running the model again; default: off' },
      ),
    ),
    keep_loaded: Type.Optional(
      Type.Boolean({ description: 'its models never leave the memory to make room; default false' }),
    ),
    idle: Type.Optional(
      Type.String({
        pattern: durationPattern,
        description: 'a model that nobody asked for so long leaves the memory until the next request; default: never',
      }),
    ),
    access: Type.Optional(
      Type.Enum(['token', 'open'], {
        description:
          'token: callers show a token that may read the project, also on loopback; open: only where the server itself asks for none. Default: as the server does',
      }),
    ),
    subject: Type.Optional(
      Type.String({ minLength: 1, description: 'input column that names the person concerned, for erasure' }),
    ),
  },
  { ...closed, $id: 'DeploymentSpecDocument' },
);
export type DeploymentSpecDocument = Static<typeof DeploymentSpecDocument>;

const Instant = Type.String({ format: 'date-time' });

export const DeploymentState = Type.Enum(['waiting', 'ready', 'rolling-out', 'degraded']);

export const RevisionView = Type.Object({
  id: Type.String(),
  deployment: Type.String(),
  model: Type.String(),
  version: Type.Integer(),
  createdAt: Instant,
  readyAt: Type.Optional(Type.String({ format: 'date-time', description: 'first ready at every live replica' })),
  error: Type.Optional(Type.String({ description: 'why a replica could not load it' })),
  requests: Type.Integer({ description: 'primary requests it was sent, at all replicas' }),
  errors: Type.Integer({ description: 'failures of ours among them' }),
});
export type RevisionView = Static<typeof RevisionView>;

export const DeploymentView = Type.Object({
  name: Type.String(),
  spec: DeploymentSpecDocument,
  generation: Type.Integer({ description: 'of the spec: rises with each change' }),
  updatedAt: Instant,
  status: Type.Object({
    state: DeploymentState,
    reason: Type.Optional(Type.String()),
    pool: Type.String(),
    traffic: Type.Array(
      Type.Object({
        revision: Type.String(),
        model: Type.String(),
        version: Type.Integer(),
        basisPoints: Type.Integer(),
      }),
    ),
    warm: Type.Array(
      Type.Object({
        revision: Type.String(),
        model: Type.String(),
        version: Type.Integer(),
        as: Type.Enum(['next', 'previous']),
      }),
      { description: 'loaded without traffic: about to get some, or kept to return to' },
    ),
    shadows: Type.Array(
      Type.Object({
        reference: Type.String(),
        revision: Type.Optional(Type.String({ description: 'absent while there is no such version' })),
        sampleRate: Type.Number(),
      }),
    ),
    replicas: Type.Array(
      Type.Object({
        replica: Type.String(),
        live: Type.Boolean(),
        state: Type.String(),
        endpoint: Type.String({ description: 'state of this endpoint there' }),
        error: Type.Optional(Type.String()),
        warnings: Type.Optional(
          Type.Array(Type.String(), { description: 'what is served otherwise than somebody may think' }),
        ),
        current: Type.Boolean({ description: 'it serves by the newest published spec' }),
        reportedAt: Instant,
      }),
    ),
    settled: Type.Boolean({ description: 'every live replica serves by the newest spec and loads nothing' }),
  }),
});
export type DeploymentView = Static<typeof DeploymentView>;

const nameParams = Type.Object({ name: Type.String({ minLength: 1 }) });
const Wait = Type.Optional(Type.Integer({ minimum: 0, maximum: 60, description: 'seconds' }));

export const listDeployments = defineOperation({
  id: 'deployments.list',
  method: 'GET',
  path: '/api/v1/deployments',
  summary: 'List deployments by name, with what each serves now.',
  permission: 'read',
  query: Type.Object({ ...pageFields }, closed),
  responses: { 200: pageOf(DeploymentView) },
});

export const getDeployment = defineOperation({
  id: 'deployments.get',
  method: 'GET',
  path: '/api/v1/deployments/:name',
  summary: 'Show one deployment; `wait` holds the answer until every live replica serves by the newest spec.',
  permission: 'read',
  params: nameParams,
  query: Type.Object({ wait: Wait }, closed),
  responses: { 200: DeploymentView, 404: ErrorBody },
  errors: ['DEPLOYMENT_NOT_FOUND'],
});

export const listRevisions = defineOperation({
  id: 'deployments.revisions',
  method: 'GET',
  path: '/api/v1/deployments/:name/revisions',
  summary: 'List the revisions of a deployment, newest first.',
  permission: 'read',
  params: nameParams,
  query: Type.Object({ ...pageFields }, closed),
  responses: { 200: pageOf(RevisionView), 404: ErrorBody },
  errors: ['DEPLOYMENT_NOT_FOUND'],
});

export const flushDeployment = defineOperation({
  id: 'deployments.flush',
  method: 'POST',
  path: '/api/v1/deployments/:name/flush',
  summary: 'Have every live replica deliver and report what it has; answers when they have, or when the time is over.',
  permission: 'write',
  params: nameParams,
  body: Type.Object(
    { timeout: Type.Optional(Type.Integer({ minimum: 1, maximum: 300, default: 60, description: 'seconds' })) },
    closed,
  ),
  responses: {
    200: Type.Object({
      flush: Type.Integer(),
      done: Type.Boolean({ description: 'false: the time was over before every live replica had delivered' }),
      replicas: Type.Array(Type.Object({ replica: Type.String(), flushed: Type.Integer() })),
    }),
    404: ErrorBody,
  },
  errors: ['DEPLOYMENT_NOT_FOUND'],
});
