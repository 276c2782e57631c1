import { type Static, Type } from 'typebox';
import { durationPattern } from './duration.ts';
import { ErrorBody } from './errors.ts';
import { defineEvents } from './events.ts';
import { OutputKind } from './jobs.ts';
import { defineOperation } from './operation.ts';
import { namePattern } from './references.ts';

export const pipelinesEvents = defineEvents({
  'pipeline.run.queued': Type.Object({ runId: Type.String(), pipeline: Type.String(), trigger: Type.String() }),
  'pipeline.run.started': Type.Object({ runId: Type.String(), pipeline: Type.String() }),
  'pipeline.run.finished': Type.Object({ runId: Type.String(), pipeline: Type.String(), state: Type.String() }),
  'step.finished': Type.Object({
    runId: Type.String(),
    pipeline: Type.String(),
    step: Type.String(),
    state: Type.String(),
  }),
  /** A step waits for a module above, or another program, until the token is answered: once. */
  'step.waiting': Type.Object({
    runId: Type.String(),
    pipeline: Type.String(),
    step: Type.String(),
    use: Type.String(),
    with: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()])),
    token: Type.String(),
  }),
});

const variablePattern = '^[A-Za-z_][A-Za-z0-9_]*$';
const closed = { additionalProperties: false } as const;
const Duration = Type.String({ pattern: durationPattern, description: 'a duration: 90s, 3h, 28d' });

/** Rows of a dataset with features joined as of an instant of each row. */
export const JoinInput = Type.Object(
  {
    spine: Type.String({ pattern: '^dataset:', description: 'the rows: dataset:flights, or dataset:flights@3' }),
    at: Type.String({ description: 'column that holds the instant as of which features are looked up' }),
    features: Type.Array(Type.String(), {
      minItems: 1,
      description: 'feature views; columns are named <view>__<column>',
    }),
  },
  closed,
);
export type JoinInput = Static<typeof JoinInput>;

/** Built-in steps: each waits until somebody answers its token. */
const Use = Type.Enum(['approve', 'deploy', 'notify', 'external'], {
  description:
    'in place of a command, something that waits: approve (a person agrees), deploy (a rollout ends), notify (webhooks are told), external (another program answers)',
});
export type Use = Static<typeof Use>;

/** Of all built-in steps; which takes what is checked with the pipeline. */
export const UseWith = Type.Object(
  {
    policy: Type.Optional(
      Type.String({
        pattern: namePattern,
        description: 'approve: the policy under which a person agrees; default: pipeline',
      }),
    ),
    deployment: Type.Optional(Type.String({ pattern: namePattern, description: 'deploy: the deployment' })),
    model: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 500,
        description:
          'deploy: model:<name>@<version or alias>; default: the version that this run registered, once its alias names it',
      }),
    ),
    message: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 2000,
        description: 'notify, approve, external: what is told; ${…} holds an expression as in `when`',
      }),
    ),
  },
  { ...closed, description: 'what a built-in step needs to know' },
);
export type UseWith = Static<typeof UseWith>;

const Scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);
const Range = Type.Object({ range: Type.Integer({ minimum: 0, maximum: 1000, description: '3 is 0, 1, 2' }) }, closed);

/** What a step runs for: see `foreach`. */
export const Foreach = Type.Union(
  [
    Type.String({ minLength: 1, maxLength: 500, description: 'an expression that is a list: plan.todo.items' }),
    Type.Array(Type.Union([Scalar, Type.Record(Type.String({ pattern: variablePattern }), Scalar)]), { minItems: 1 }),
    Range,
    Type.Record(Type.String({ pattern: variablePattern }), Type.Union([Type.Array(Scalar, { minItems: 1 }), Range]), {
      minProperties: 1,
    }),
  ],
  {
    description:
      'runs once for each item: a list (${each.item}, or ${each.<field>} of mappings), { range: n }, names with lists (every combination, ${each.<name>}), or an expression such as plan.todo.items',
  },
);
export type Foreach = Static<typeof Foreach>;

export const StepSpec = Type.Object(
  {
    run: Type.Optional(
      Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String(), { minItems: 1 })], {
        description: 'the command; a text runs under sh, a list runs bare. A step has this or `use`',
      }),
    ),
    use: Type.Optional(Use),
    with: Type.Optional(UseWith),
    inputs: Type.Optional(
      Type.Record(Type.String({ pattern: namePattern }), Type.Union([Type.String(), JoinInput]), {
        description:
          'name: <step>.<output>, <step>[*].<output> (of all items of a `foreach`), dataset:<name>[@version], artifact:<sha256>, or { spine, at, features }',
      }),
    ),
    outputs: Type.Optional(
      Type.Union(
        [
          Type.Array(Type.String({ pattern: namePattern })),
          Type.Record(Type.String({ pattern: namePattern }), OutputKind),
        ],
        {
          description: 'names (files), or name: kind',
        },
      ),
    ),
    needs: Type.Optional(
      Type.Array(Type.String(), { description: 'steps that come first though nothing is taken from them' }),
    ),
    when: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 2000,
        description:
          'runs only when this holds: params.<name>, <step>.<output>.<field> of json and metrics, == != < <= > >= in, && || !, + - * / %, has(), size()',
      }),
    ),
    foreach: Type.Optional(Foreach),
    max: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        description: 'of `foreach`: how many items at the same time; default: all',
      }),
    ),
    params: Type.Optional(
      Type.Array(Type.String(), { description: 'parameters that the step sees; all when left out' }),
    ),
    code: Type.Optional(
      Type.Array(Type.String(), {
        description:
          "files that the step sees, globs; a change of one runs it anew. Default: the files that the command names and what else lies in their folders, except other steps' programs; all when it names none",
      }),
    ),
    env: Type.Optional(
      Type.Record(Type.String({ pattern: variablePattern }), Type.String(), { description: 'VARIABLE: value' }),
    ),
    secrets: Type.Optional(
      Type.Record(Type.String({ pattern: variablePattern }), Type.String({ pattern: namePattern }), {
        description:
          'VARIABLE: name of a secret that is granted to the pipeline (tidemill secret put <name> --grants pipeline:<pipeline>)',
      }),
    ),
    resources: Type.Optional(
      Type.Object(
        {
          cpu: Type.Optional(Type.Number({ exclusiveMinimum: 0, description: 'cores' })),
          memory: Type.Optional(Type.String({ pattern: '^\\d+(?:Mi|Gi)$', description: '512Mi, 4Gi' })),
        },
        closed,
      ),
    ),
    retries: Type.Optional(
      Type.Object(
        {
          max: Type.Integer({ minimum: 0, maximum: 20 }),
          on: Type.Optional(Type.Array(Type.Enum(['error', 'lost', 'timeout']))),
          backoff: Type.Optional(Duration),
        },
        closed,
      ),
    ),
    timeout: Type.Optional(
      Type.String({
        pattern: durationPattern,
        description: 'how long it may take, or a built-in step may wait: 90s, 3h, 28d',
      }),
    ),
    cache: Type.Optional(
      Type.Boolean({ default: true, description: 'whether an equal earlier step may stand in for it' }),
    ),
    always: Type.Optional(
      Type.Boolean({ description: 'runs at the end, even when steps before it failed or the run was cancelled' }),
    ),
  },
  closed,
);
export type StepSpec = Static<typeof StepSpec>;

export const ModelBlock = Type.Object(
  {
    name: Type.String({ pattern: namePattern }),
    from: Type.String({ description: '<step>.<output> of kind model: an ONNX file' }),
    train: Type.String({ description: '<step>.<output>: the rows that it was trained on' }),
    test: Type.String({
      description: '<step>.<output>: rows that it has not seen; candidate and champion are scored on them',
    }),
    label: Type.String({ description: 'SQL expression over the test rows, null means never known: arr_delay > 15' }),
    time: Type.Optional(
      Type.String({
        description:
          'column of the training and test rows that says when each was; a verdict warns of test rows that lie within the time of training. Default: `at` of the join',
      }),
    ),
    predicts: Type.Object(
      {
        kind: Type.Enum(['binary']),
        score: Type.String({
          pattern: '^[^\\[\\]]+(?:\\[\\d+\\])?$',
          description: 'which output is the score: probabilities[1]',
        }),
      },
      closed,
    ),
    metrics: Type.Optional(Type.String({ description: "<step>.<output>: the user's own numbers, for gates" })),
    gates: Type.Optional(
      Type.Array(Type.String(), { description: 'comparisons that must hold: auc > champion.auc - 0.005' }),
    ),
    approvals: Type.Optional(Type.Array(Type.String(), { description: 'policies under which a person must agree' })),
    alias: Type.Optional(
      Type.String({ default: 'champion', description: 'alias that moves when every check is satisfied' }),
    ),
  },
  closed,
);
export type ModelBlock = Static<typeof ModelBlock>;

export const PipelineSpec = Type.Object(
  {
    python: Type.Optional(Type.String({ description: 'requirements file; steps run inside that environment' })),
    params: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'parameters with their defaults' }),
    ),
    steps: Type.Record(Type.String({ pattern: namePattern }), StepSpec, { minProperties: 1 }),
    model: Type.Optional(ModelBlock),
  },
  { ...closed, $id: 'PipelineSpec' },
);
export type PipelineSpec = Static<typeof PipelineSpec>;

export const RunState = Type.Enum(['queued', 'running', 'succeeded', 'failed', 'cancelled']);
export type RunState = Static<typeof RunState>;
export const StepState = Type.Enum([
  'pending',
  'running',
  'waiting',
  'succeeded',
  'cached',
  'failed',
  'skipped',
  'cancelled',
]);
export type StepState = Static<typeof StepState>;

const Instant = Type.String({ format: 'date-time' });
const Failure = Type.Object({ code: Type.String(), message: Type.String() });

export const StepView = Type.Object({
  step: Type.String(),
  kind: Type.Enum(['command', 'join', 'register', 'use', 'foreach']),
  state: StepState,
  needs: Type.Array(Type.String()),
  each: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), { description: 'of a step of one item, train[3]: the item' }),
  ),
  why: Type.Optional(Type.String({ description: 'why it ran, or whose result stands in for it' })),
  jobId: Type.Optional(Type.String()),
  trackingRunId: Type.Optional(Type.String()),
  outputs: Type.Record(
    Type.String(),
    Type.Object({
      sha256: Type.String(),
      sizeBytes: Type.Integer(),
      kind: OutputKind,
      dataset: Type.Optional(Type.String()),
    }),
  ),
  error: Type.Optional(Failure),
  startedAt: Type.Optional(Instant),
  deadlineAt: Type.Optional(Type.String({ format: 'date-time', description: 'until when it waits for an answer' })),
  endedAt: Type.Optional(Instant),
});
export type StepView = Static<typeof StepView>;

export const RunView = Type.Object({
  id: Type.String(),
  pipeline: Type.String(),
  state: RunState,
  cancelling: Type.Optional(
    Type.Boolean({ description: 'cancelled, while its processes and the steps that always run come to their end' }),
  ),
  trigger: Type.String({ description: 'what asked for it: user:local, trigger:<name>, cron:<name>' }),
  params: Type.Record(Type.String(), Type.Unknown()),
  inputs: Type.Array(Type.String(), {
    description: 'references of the data that it reads, versions fixed at its start',
  }),
  result: Type.Optional(
    Type.Object({
      model: Type.String(),
      version: Type.Integer(),
      verdict: Type.Optional(
        Type.String({
          description: 'first, passed, failed, undecided (a person has to), or existed (an equal version was there)',
        }),
      ),
    }),
  ),
  error: Type.Optional(Failure),
  trackingRunId: Type.Optional(Type.String()),
  createdAt: Instant,
  endedAt: Type.Optional(Instant),
  steps: Type.Array(StepView),
});
export type RunView = Static<typeof RunView>;
const RunSummary = Type.Omit(RunView, ['steps']);
export type RunSummary = Static<typeof RunSummary>;

export const PipelineView = Type.Object({
  name: Type.String(),
  spec: PipelineSpec,
  generation: Type.Integer(),
  updatedAt: Instant,
  lastRun: Type.Optional(RunSummary),
});
export type PipelineView = Static<typeof PipelineView>;

const runParams = Type.Object({ runId: Type.String({ minLength: 1 }) });
const pipelineParams = Type.Object({ name: Type.String({ minLength: 1 }) });
const page = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
  cursor: Type.Optional(Type.String()),
};

export const listPipelines = defineOperation({
  id: 'pipelines.list',
  method: 'GET',
  path: '/api/v1/pipelines',
  summary: 'List the pipelines of a project with their last runs.',
  permission: 'read',
  responses: { 200: Type.Object({ items: Type.Array(PipelineView) }) },
});

export const getPipeline = defineOperation({
  id: 'pipelines.get',
  method: 'GET',
  path: '/api/v1/pipelines/:name',
  summary: 'Show a pipeline.',
  permission: 'read',
  params: pipelineParams,
  responses: { 200: PipelineView, 404: ErrorBody },
  errors: ['PIPELINE_NOT_FOUND'],
});

export const startRun = defineOperation({
  id: 'runs.start',
  method: 'POST',
  path: '/api/v1/pipelines/:name/runs',
  summary: 'Start a run of a pipeline.',
  permission: 'write',
  params: pipelineParams,
  body: Type.Object(
    {
      params: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'instead of the defaults' })),
      snapshot: Type.Optional(Type.String({ description: 'digest of the code tree; default: the one applied last' })),
      cache: Type.Optional(Type.Boolean({ default: true, description: 'false: every step runs' })),
    },
    closed,
  ),
  responses: { 201: RunView, 400: ErrorBody, 404: ErrorBody },
  errors: [
    'PIPELINE_NOT_FOUND',
    'PIPELINE_PARAM_UNKNOWN',
    'PIPELINE_INPUT_MISSING',
    'ARTIFACT_NOT_FOUND',
    'SNAPSHOT_UNREADABLE',
  ],
});

export const listRuns = defineOperation({
  id: 'runs.list',
  method: 'GET',
  path: '/api/v1/runs',
  summary: 'List pipeline runs, newest first.',
  permission: 'read',
  query: Type.Object({ pipeline: Type.Optional(Type.String()), state: Type.Optional(RunState), ...page }, closed),
  responses: { 200: Type.Object({ items: Type.Array(RunSummary), next: Type.Optional(Type.String()) }) },
});

export const getRun = defineOperation({
  id: 'runs.get',
  method: 'GET',
  path: '/api/v1/runs/:runId',
  summary: 'Show a run and its steps; with wait, once it has ended or the seconds are over.',
  permission: 'read',
  params: runParams,
  query: Type.Object(
    { wait: Type.Optional(Type.Integer({ minimum: 0, maximum: 60, description: 'seconds' })) },
    closed,
  ),
  responses: { 200: RunView, 404: ErrorBody },
  errors: ['RUN_NOT_FOUND'],
});

export const cancelRun = defineOperation({
  id: 'runs.cancel',
  method: 'POST',
  path: '/api/v1/runs/:runId/cancel',
  summary: 'Cancel a run: its running steps are ended, and the steps that always run come last.',
  permission: 'write',
  params: runParams,
  responses: { 200: RunView, 404: ErrorBody },
  errors: ['RUN_NOT_FOUND'],
});

export const completeStep = defineOperation({
  id: 'runs.complete-step',
  method: 'POST',
  path: '/api/v1/runs/:runId/steps/:step/complete',
  summary: 'Answer a step that waits for another program (use: external), with the token of its event step.waiting.',
  permission: 'write',
  params: Type.Object({ runId: Type.String({ minLength: 1 }), step: Type.String({ minLength: 1 }) }),
  body: Type.Object(
    {
      token: Type.String({ minLength: 1, maxLength: 200, description: 'of the event step.waiting; it answers once' }),
      outcome: Type.Enum(['succeeded', 'failed'], { description: 'how it went' }),
      reason: Type.Optional(Type.String({ minLength: 1, maxLength: 2000, description: 'why it failed' })),
    },
    closed,
  ),
  responses: { 200: StepView, 403: ErrorBody, 404: ErrorBody, 409: ErrorBody },
  errors: ['RUN_NOT_FOUND', 'STEP_NOT_FOUND', 'STEP_NOT_EXTERNAL', 'STEP_NOT_WAITING', 'STEP_TOKEN_WRONG'],
});

export const explainStep = defineOperation({
  id: 'runs.explain',
  method: 'GET',
  path: '/api/v1/runs/:runId/steps/:step/explain',
  summary: 'Say why a step ran or did not: the parts of its cache key, and what differs from the nearest earlier run.',
  permission: 'read',
  params: Type.Object({ runId: Type.String(), step: Type.String() }),
  responses: {
    200: Type.Object({
      step: Type.String(),
      state: StepState,
      key: Type.Optional(Type.String()),
      parts: Type.Record(Type.String(), Type.String()),
      why: Type.String(),
      differs: Type.Array(
        Type.Object({ part: Type.String(), before: Type.Optional(Type.String()), now: Type.Optional(Type.String()) }),
      ),
    }),
    404: ErrorBody,
  },
  errors: ['RUN_NOT_FOUND', 'STEP_NOT_FOUND'],
});
