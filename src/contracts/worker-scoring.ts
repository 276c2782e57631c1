import { Type } from 'typebox';
import { EvaluationResult } from './evaluation.ts';
import { datatypes } from './tensor.ts';
import { ColumnProfile, FileOutput, OutputPath, Path, Paths } from './worker-tables.ts';

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

/** From when to when the training rows of a model lie. */
export const TrainingTime = Type.Object({
  column: Type.String(),
  fromMs: Type.Number({ description: 'milliseconds UTC' }),
  untilMs: Type.Number({ description: 'milliseconds UTC, of the last row' }),
});

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
      time: Type.Optional(Type.String({ description: 'column of the test rows that says when each was' })),
      trained: Type.Optional(
        Type.Object(
          { candidate: Type.Optional(TrainingTime), champion: Type.Optional(TrainingTime) },
          { ...closed, description: 'what the versions keep of their training rows' },
        ),
      ),
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
      time: Type.Optional(Type.String({ description: 'column of the training rows that says when each was' })),
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
      time: Type.Optional(TrainingTime),
      columns: Type.Array(ColumnProfile, { description: 'of the inputs' }),
      score: Type.Object(ColumnProfile.properties, { description: 'of 200,000 rows at most, evenly taken' }),
    }),
  }),
};
