import { Type } from 'typebox';
import { EvaluationResult } from './evaluation.ts';
import { datatypes } from './tensor.ts';
import {
  CategoryCounts,
  CellCounts,
  ColumnProfile,
  FileOutput,
  fileFields,
  OutputPath,
  Path,
  Paths,
} from './worker-tables.ts';

const closed = { additionalProperties: false } as const;
const Integer = Type.Integer({ minimum: 0 });
const Score = Type.String({ minLength: 1, description: 'where the score is among the outputs: `probabilities[1]`' });
const Label = Type.String({ minLength: 1, description: 'SQL expression over the row; null means never known' });
const MatrixColumns = Type.Optional(
  Type.Array(Type.String(), { minItems: 1, description: 'columns of a model that takes one matrix, in order' }),
);

/** Scores rows with an ONNX model. The file has `row` (0 is the first), `score` and, with a label, `label`. */
export const score = {
  input: Type.Object(
    {
      modelPath: Path,
      format: Type.Literal('onnx'),
      paths: Paths,
      columns: MatrixColumns,
      label: Type.Optional(Label),
      score: Type.Optional(Score),
      outputPath: Type.Optional(OutputPath),
      values: Type.Optional(Type.Boolean({ description: 'answer the scores and labels themselves; default false' })),
    },
    closed,
  ),
  output: Type.Object({
    n: Integer,
    nLabelled: Integer,
    unscored: Type.Integer({ description: 'rows whose score is no number' }),
    file: Type.Optional(FileOutput),
    scores: Type.Optional(Type.Array(Type.Union([Type.Number(), Type.Null()]))),
    labels: Type.Optional(Type.Array(Type.Union([Type.Number(), Type.Null()]))),
  }),
};

/** Candidate and champion on the same rows, paired. */
export const evaluate = {
  input: Type.Object(
    {
      candidate: Path,
      champion: Type.Optional(Path),
      testPaths: Paths,
      columns: MatrixColumns,
      label: Label,
      score: Score,
      metricsPath: Type.Optional(Path),
      cluster: Type.Optional(
        Type.String({
          description: 'column whose equal values are drawn together by the bootstrap (a day, a customer)',
        }),
      ),
      resamples: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, description: 'default 500' })),
      seed: Type.Optional(Type.Integer({ description: 'default 1' })),
    },
    closed,
  ),
  output: EvaluationResult,
};

const ModelTensor = Type.Object({
  name: Type.String(),
  datatype: Type.Enum([...datatypes]),
  shape: Type.Array(Type.Integer()),
  nullable: Type.Optional(Type.Boolean({ description: 'the training rows had nulls there, or it is looked up' })),
});

/** What a model takes and gives, and the distribution of its inputs and scores over its training rows. */
export const describeModel = {
  input: Type.Object(
    {
      modelPath: Path,
      trainPaths: Paths,
      columns: MatrixColumns,
      score: Score,
      lookups: Type.Optional(
        Type.Array(Type.String(), {
          description:
            'columns whose names begin so come from a look-up, which may miss whatever the training rows had',
        }),
      ),
    },
    closed,
  ),
  output: Type.Object({
    inputs: Type.Array(ModelTensor),
    outputs: Type.Array(ModelTensor),
    score: Score,
    train: Type.Object({
      rows: Integer,
      columns: Type.Array(ColumnProfile, { description: 'of the inputs' }),
      score: Type.Object(ColumnProfile.properties, { description: 'of 200,000 rows at most, evenly taken' }),
    }),
  }),
};

const SketchColumn = Type.Union([
  Type.Object({ name: Type.String(), kind: Type.Literal('numeric'), edges: Type.Array(Type.Number()) }, closed),
  Type.Object(
    { name: Type.String(), kind: Type.Literal('categorical'), categories: Type.Array(Type.String()) },
    closed,
  ),
]);
const ScoreCounts = Type.Object({
  positives: Type.Array(Integer),
  negatives: Type.Array(Integer),
  lossMicros: Integer,
  lossSquareMicros: Integer,
  brierMicros: Integer,
  brierSquareMicros: Integer,
  unscored: Integer,
});

/** Mergeable integer counts per revision, column and hour of event time: the sidecar of a file of the prediction log. */
export const sketch = {
  input: Type.Object(
    {
      paths: Paths,
      eventTime: Type.String({ description: 'column' }),
      revision: Type.String({ description: 'column' }),
      revisions: Type.Array(
        Type.Object(
          {
            revision: Type.String(),
            columns: Type.Array(SketchColumn),
            scored: Type.Optional(
              Type.Object(
                {
                  score: Type.String({ description: 'column' }),
                  label: Type.String({ description: 'column, null where unknown' }),
                  bins: Type.Optional(Type.Integer({ minimum: 1, description: 'default 1000' })),
                },
                closed,
              ),
            ),
          },
          closed,
        ),
      ),
    },
    closed,
  ),
  output: Type.Object({
    hours: Type.Array(
      Type.Object({
        revision: Type.String(),
        hourMs: Type.Integer(),
        rows: Integer,
        cells: Type.Record(Type.String(), Type.Omit(CellCounts, ['edges']), { description: 'numeric columns by name' }),
        categories: Type.Record(Type.String(), Type.Omit(CategoryCounts, ['categories'])),
        scored: Type.Optional(ScoreCounts),
      }),
    ),
    skipped: Type.Integer({ description: 'rows of other revisions, or without an event time' }),
  }),
};

/**
 * Predictions with their truth, matched by id, or by key and event time. Columns: prediction_row, value, observed_at,
 * recorded_at, source. Of several truths of one prediction the latest observed_at counts, then the latest recorded_at.
 */
export const truthJoin = {
  input: Type.Object(
    {
      predictions: Type.Object(
        {
          paths: Paths,
          id: Type.String({ description: 'column with the id of the prediction row' }),
          key: Type.Optional(Type.String({ description: 'column with the encoded key' })),
          time: Type.Optional(Type.String({ description: 'column with the event time' })),
        },
        closed,
      ),
      truth: Type.Object(
        {
          paths: Paths,
          id: Type.Optional(Type.String({ description: 'column; without it key and time match' })),
          key: Type.Optional(Type.Array(Type.String(), { minItems: 1, description: 'columns of the key, in order' })),
          time: Type.Optional(Type.String({ description: 'column with the event time' })),
          value: Type.String({ description: 'SQL expression: arr_delay > 15' }),
          observedAt: Type.Optional(Type.String({ description: 'column; default observedAtMs' })),
          observedAtMs: Type.Optional(Type.Integer()),
          recordedAtMs: Type.Integer(),
          source: Type.String(),
        },
        closed,
      ),
      outputPath: OutputPath,
    },
    closed,
  ),
  output: Type.Object({
    ...fileFields,
    matched: Integer,
    unknown: Type.Integer({ description: 'matched with a null value: never known' }),
    unmatched: Type.Integer({ description: 'rows of the truth without a prediction' }),
  }),
};
