import { type Static, Type } from 'typebox';

/**
 * What the worker does for the prediction log. Rows are Parquet files with the columns of the envelope, one a row
 * (`prediction_id`, `row`, `truth_id`, `role`, `revision`, `model_ref`, `request_id`, `key`, `event_ms`, `received_ms`,
 * `duration_us`, `reason`, `propensity`, `status`, `error`, `principal`, `traceparent`, `subject`, `score`, `shadow_of`,
 * `trace_id`, `input_us`, `queue_us`, `infer_us`, `output_us`, `cached`, `branches`, `difference_rows`,
 * `difference_max_abs`, `redacted`; files from before a column have none), then `in.<name>` and `out.<name>` of each tensor. `truth_id` is the primary's prediction id, so that one truth holds for
 * a row and for its shadows. Truth files have `truth_id`, `row`, `event_ms`, `value`, `observed_ms`, `recorded_ms`,
 * `source`: of several truths of one row the latest observed counts, then the latest recorded.
 */
export const dayMs = 86_400_000;
export const hourMs = 3_600_000;
/** Cells of SparseCells beside the numbered ones. */
export const missingCell = -1;
export const otherCell = -2;

const closed = { additionalProperties: false } as const;
const Integer = Type.Integer({ minimum: 0 });
const Ms = Type.Integer({ description: 'milliseconds UTC' });
const Paths = Type.Array(Type.String({ minLength: 1 }));
const OutputPath = Type.String({ minLength: 1 });

export const PredictionRole = Type.Enum(['primary', 'shadow']);
export type PredictionRole = Static<typeof PredictionRole>;

/** `[cell, count, cell, count, …]`; cell -1 is a missing value, -2 a category outside the list. */
const SparseCells = Type.Array(Type.Integer());

/** How one input is counted: over edges (`edges.length + 1` cells) or over a list of categories. */
const CountedColumn = Type.Union([
  Type.Object({ name: Type.String(), kind: Type.Literal('numeric'), edges: Type.Array(Type.Number()) }, closed),
  Type.Object(
    { name: Type.String(), kind: Type.Literal('categorical'), categories: Type.Array(Type.String()) },
    closed,
  ),
]);

const CountedRevision = Type.Object(
  {
    revision: Type.String(),
    score: Type.Optional(Type.String({ description: 'where the score is among the outputs: `probabilities[1]`' })),
    scoreEdges: Type.Array(Type.Number()),
    columns: Type.Array(CountedColumn),
  },
  closed,
);

/** Mergeable counts of one (revision, role, event hour). */
export const HourCounts = Type.Object({
  revision: Type.String(),
  role: PredictionRole,
  hourMs: Ms,
  rows: Type.Integer({ description: 'answered; those with status error are in `errors` alone' }),
  errors: Integer,
  exampleId: Type.String({ description: 'one of its predictions' }),
  columns: Type.Array(SparseCells, { description: "in the order of the revision's; none when it is not registered" }),
  score: SparseCells,
});

/** Score x label counts of one (revision, role, event hour); see statistics/score-counts. */
export const HourLabels = Type.Object({
  revision: Type.String(),
  role: PredictionRole,
  hourMs: Ms,
  labelled: Integer,
  neverKnown: Type.Integer({ description: 'rows whose truth is null' }),
  positives: SparseCells,
  negatives: SparseCells,
  lossMicros: Integer,
  lossSquareMicros: Integer,
  brierMicros: Integer,
  brierSquareMicros: Integer,
  unscored: Integer,
});

/** What of a file belongs to one event day. */
export const DayPart = Type.Object({
  dayMs: Ms,
  rows: Integer,
  minId: Type.String(),
  maxId: Type.String(),
  minEventMs: Ms,
  maxEventMs: Ms,
});

/** Spool frames become one Parquet file for each endpoint in them. */
export const logIntake = {
  input: Type.Object(
    {
      path: Type.String({ minLength: 1, description: 'frames as they were sent (spool-frame.ts)' }),
      from: Type.Integer({ minimum: 0, description: 'offset that the first frame must have' }),
      folder: Type.String({ minLength: 1, description: 'where the files are made; it exists' }),
      replays: Type.Array(Type.String(), {
        description: '`<project>/<endpoint>` whose event times may lie ahead of receipt',
      }),
      maxFutureMs: Integer,
      revisions: Type.Array(CountedRevision),
    },
    closed,
  ),
  output: Type.Object({
    next: Type.Integer({ description: 'offset after the last whole frame' }),
    stopped: Type.Enum(['end', 'cut', 'bad', 'order'], { description: 'why reading ended' }),
    missing: Type.Array(Type.String(), {
      description: 'revisions in the frames that `revisions` lacks: nothing was written, ask again with them',
    }),
    files: Type.Array(
      Type.Object({
        project: Type.String(),
        endpoint: Type.String(),
        path: Type.String(),
        rows: Integer,
        requests: Integer,
        futureRows: Type.Integer({ description: 'event time in the future: kept under the time of receipt' }),
        days: Type.Array(DayPart),
        counts: Type.Array(HourCounts),
      }),
    ),
  }),
};

/** The files of one event day become one, sorted by id; truth that only repeats what stood is folded away. */
export const logCompact = {
  input: Type.Object({ kind: Type.Enum(['rows', 'truth']), paths: Paths, dayMs: Ms, outputPath: OutputPath }, closed),
  output: Type.Object({
    ...DayPart.properties,
    folded: Type.Integer({ description: 'rows of truth that said again what stood, and are no longer needed' }),
  }),
};

const PushedTruth = Type.Object(
  {
    ordinal: Type.Integer({ description: 'names it in the answer; of equals the later one counts' }),
    predictionId: Type.Optional(Type.String()),
    row: Type.Optional(Type.Integer({ description: 'absent: every row of the prediction' })),
    key: Type.Optional(Type.String()),
    eventMs: Type.Optional(Ms),
    value: Type.Union([Type.Number(), Type.Null()]),
    observedMs: Ms,
    source: Type.String(),
  },
  closed,
);

const TruthDataset = Type.Object(
  {
    parts: Type.Array(Type.Object({ path: Type.String(), observedMs: Ms, source: Type.String() }, closed)),
    key: Type.Array(Type.String(), { minItems: 1 }),
    time: Type.String(),
    value: Type.String({ description: 'SQL expression over the columns: arr_delay > 15' }),
  },
  closed,
);

/** Finds the predictions of new truths, writes those that say something new, and counts their hours again. */
export const logTruth = {
  input: Type.Object(
    {
      rows: Paths,
      truths: Paths,
      days: Type.Array(Ms, { description: 'event days that the files are read for' }),
      datasets: Type.Array(TruthDataset),
      pushed: Type.Array(PushedTruth),
      recordedMs: Ms,
      recountDays: Type.Array(Ms, { description: 'counted again whether or not a truth of them changes' }),
      outputPath: OutputPath,
    },
    closed,
  ),
  output: Type.Object({
    matched: Integer,
    changed: Integer,
    unchanged: Integer,
    found: Type.Array(Type.Integer(), { description: 'ordinals of pushed truths that found a prediction' }),
    days: Type.Array(DayPart, { description: 'of the new truth file; none: nothing was written' }),
    hours: Type.Array(Ms, { description: 'counted again; what has no row in `labels` has no truth any more' }),
    labels: Type.Array(HourLabels),
  }),
};

export const logLookup = {
  input: Type.Object({ rows: Paths, truths: Paths, predictionId: Type.String() }, closed),
  output: Type.Object({
    rows: Type.Array(Type.Record(Type.String(), Type.Unknown()), { description: 'all columns of the file' }),
    truths: Type.Array(
      Type.Object({
        row: Integer,
        value: Type.Union([Type.Number(), Type.Null()]),
        observedMs: Ms,
        recordedMs: Ms,
        source: Type.String(),
      }),
    ),
  }),
};

const ComparedMetric = Type.Object({
  shadow: Type.Number(),
  live: Type.Number(),
  difference: Type.Number({
    description: 'live - shadow: the live model is better above zero by AUC, below by log-loss',
  }),
  lower: Type.Number(),
  upper: Type.Number(),
});
export const ComparedGroup = Type.Object({
  fromMs: Ms,
  toMs: Ms,
  rows: Type.Integer({ description: 'that both scored and whose truth is known' }),
  positives: Integer,
  days: Type.Integer({ description: 'event days with such rows: what the bootstrap draws' }),
  liveModels: Type.Array(Type.Object({ model: Type.String(), rows: Integer })),
  auc: Type.Optional(ComparedMetric),
  logLoss: Type.Optional(ComparedMetric),
});
export type ComparedGroup = Static<typeof ComparedGroup>;

/** Live answers beside those of a shadow, on the same rows; whole event days are drawn by the bootstrap. */
export const logCompare = {
  input: Type.Object(
    {
      rows: Paths,
      truths: Paths,
      fromMs: Ms,
      toMs: Ms,
      shadowModel: Type.String({ description: '`model:late-arrival@1`' }),
      by: Type.Enum(['month', 'all']),
      seed: Type.Integer(),
      resamples: Type.Integer({ minimum: 10, maximum: 10_000 }),
      confidence: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1 }),
    },
    closed,
  ),
  output: Type.Object({ groups: Type.Array(ComparedGroup), total: ComparedGroup }),
};
