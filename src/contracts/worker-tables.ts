import { Type } from 'typebox';
import { CheckSpec, Column, SourceFormat } from './datasets.ts';

/** Inputs and outputs of the worker's tasks over tables. Every path is absolute and is given by the caller. */
const closed = { additionalProperties: false } as const;
// DuckDB reads * ? [ in a path as a pattern and has no way to escape them.
const pathPattern = '^/[^*?\\[\\]]+$';
export const Path = Type.String({ pattern: pathPattern, description: 'absolute path, without * ? [ ]' });
export const Paths = Type.Array(Path, { minItems: 1, description: 'Parquet files, read as one table in this order' });
export const OutputPath = Type.String({ pattern: pathPattern, description: 'written aside, fsynced, renamed' });
const Integer = Type.Integer({ minimum: 0 });
const Ms = Type.Number({ description: 'milliseconds UTC' });

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };
/** Any JSON: instants are RFC 3339, integers beyond 2^53 are text, NaN and the infinities are null. */
export const JsonValue = Type.Unsafe<JsonValue>({});

/** A file that a task has left. */
/** What a task wrote. Its digest is not among it: the blob store, which must know it for certain, takes it anyway. */
export const fileFields = {
  path: Type.String(),
  sizeBytes: Integer,
  rows: Integer,
};
export const FileOutput = Type.Object(fileFields);

/** A named table of user SQL: `from flights`. */
export const NamedInput = Type.Object({ name: Type.String({ minLength: 1 }), paths: Paths }, closed);

export const CsvOptions = Type.Object(
  {
    delimiter: Type.Optional(
      Type.String({ minLength: 1, maxLength: 4, description: 'default a comma; a tab for *.tsv' }),
    ),
    quote: Type.Optional(Type.String({ maxLength: 1, description: 'default a double quote' })),
    header: Type.Optional(Type.Boolean({ description: 'the first line names the columns; default true' })),
    nulls: Type.Optional(Type.Array(Type.String(), { description: 'texts that mean null; default the empty text' })),
    types: Type.Optional(
      Type.Record(Type.String(), Type.String(), { description: 'DuckDB type by column; default inferred' }),
    ),
  },
  closed,
);

const source = {
  path: Path,
  name: Type.Optional(Type.String({ description: 'what messages call the file; default its path' })),
  format: SourceFormat,
  options: Type.Optional(CsvOptions),
};
const ExpectedSchema = Type.Array(Type.Object({ name: Type.String(), type: Type.String() }), {
  description: 'columns and DuckDB types that must come out; others are SOURCE_SCHEMA_MISMATCH',
});
const part = {
  rows: Integer,
  columns: Type.Array(Column),
  timeMinMs: Type.Optional(Ms),
  timeMaxMs: Type.Optional(Ms),
};

/** Sources of one schema become one Parquet part, rows in input order. */
export const ingest = {
  input: Type.Object(
    {
      sources: Type.Array(Type.Object(source, closed), { minItems: 1 }),
      outputPath: OutputPath,
      time: Type.Optional(Type.String()),
      expectedSchema: Type.Optional(ExpectedSchema),
    },
    closed,
  ),
  output: Type.Object({ ...fileFields, ...part }),
};

const Checks = Type.Array(CheckSpec);
export const CheckOutcome = Type.Object({
  passed: Type.Boolean(),
  failing: Integer,
  rows: Type.Array(Type.Record(Type.String(), JsonValue), {
    description: 'the first 20 failing rows, with `file` and `row` (0 is the first)',
  }),
  reason: Type.Optional(Type.String({ description: 'why it fails as a whole: the column is missing, 3 rows' })),
});

/** Each file becomes a part of its own; the checks hold over all of them together. */
export const land = {
  input: Type.Object(
    {
      files: Type.Array(Type.Object({ ...source, outputPath: OutputPath }, closed), { minItems: 1 }),
      time: Type.Optional(Type.String()),
      checks: Type.Optional(Checks),
    },
    closed,
  ),
  output: Type.Object({
    files: Type.Array(Type.Object({ ...fileFields, ...part })),
    checks: Type.Array(CheckOutcome),
  }),
};

export const check = {
  input: Type.Object(
    {
      paths: Paths,
      names: Type.Optional(Type.Array(Type.String(), { description: 'what rows call each file; default its path' })),
      checks: Checks,
    },
    closed,
  ),
  output: Type.Object({ checks: Type.Array(CheckOutcome) }),
};

export const describe = {
  input: Type.Object({ paths: Paths, time: Type.Optional(Type.String()) }, closed),
  output: Type.Object(part),
};

export const CellCounts = Type.Object({
  edges: Type.Array(Type.Number()),
  counts: Type.Array(Integer, { description: 'one more than edges: the ends are open' }),
  nulls: Integer,
});
export const CategoryCounts = Type.Object({
  categories: Type.Array(Type.String()),
  counts: Type.Array(Integer),
  other: Integer,
  nulls: Integer,
});

export const ColumnProfile = Type.Object({
  name: Type.String(),
  type: Type.String({ description: 'DuckDB type' }),
  kind: Type.Enum(['numeric', 'categorical', 'time', 'other'], { description: 'time: all values are ms UTC' }),
  count: Type.Integer({ description: 'rows with a value' }),
  missing: Type.Integer({ description: 'null or NaN' }),
  distinct: Type.Integer({ description: 'exact up to 1000, then approximate (HyperLogLog)' }),
  min: Type.Optional(Type.Number()),
  max: Type.Optional(Type.Number()),
  mean: Type.Optional(Type.Number({ description: 'of finite values' })),
  std: Type.Optional(Type.Number({ description: 'sample standard deviation of finite values' })),
  quantiles: Type.Optional(Type.Record(Type.String(), Type.Number(), { description: 'p1 p5 p25 p50 p75 p95 p99' })),
  top: Type.Optional(
    Type.Array(Type.Object({ value: Type.Union([Type.String(), Type.Number()]), count: Integer }), {
      description: 'most frequent values; of numbers only when there are few distinct ones',
    }),
  ),
  cells: Type.Optional(CellCounts),
  categories: Type.Optional(CategoryCounts),
});

export const profile = {
  input: Type.Object(
    {
      paths: Paths,
      columns: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
      bins: Type.Optional(Type.Integer({ minimum: 2, maximum: 512, description: 'cells of equal mass; default 64' })),
      top: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'top values; default 20' })),
      categories: Type.Optional(
        Type.Integer({ minimum: 1, maximum: 1000, description: 'categories counted by name; default 50' }),
      ),
    },
    closed,
  ),
  output: Type.Object({ rows: Integer, columns: Type.Array(ColumnProfile) }),
};

/** One SELECT of the user's over named tables: a file, rows, or one file per value of a column. Exactly one of the three is given. */
export const query = {
  input: Type.Object(
    {
      sql: Type.String({ minLength: 1 }),
      views: Type.Array(NamedInput),
      outputPath: Type.Optional(OutputPath),
      rows: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000, description: 'answer that many rows at most' })),
      partitions: Type.Optional(
        Type.Object(
          {
            by: Type.String({ description: 'column; its rows with null are left out and counted' }),
            folder: Path,
            name: Type.String({ pattern: '\\{value\\}', description: 'file name with {value}' }),
            keep: Type.Optional(Type.Boolean({ description: 'whether the files keep that column; default false' })),
          },
          closed,
        ),
      ),
    },
    closed,
  ),
  output: Type.Object({
    columns: Type.Array(Type.Object({ name: Type.String(), type: Type.String() })),
    file: Type.Optional(FileOutput),
    rows: Type.Optional(Type.Array(Type.Record(Type.String(), JsonValue))),
    more: Type.Optional(Type.Boolean({ description: 'there are rows beyond those answered' })),
    partitions: Type.Optional(
      Type.Object({
        files: Type.Array(Type.Object({ ...fileFields, value: Type.String() })),
        withoutValue: Integer,
      }),
    ),
  }),
};

/** Many files into one. Of rows that agree on `dedupeBy` the last in input order stays. */
export const compact = {
  input: Type.Object(
    {
      inputs: Paths,
      outputPath: OutputPath,
      orderBy: Type.Array(Type.String(), { description: 'columns, ascending, nulls last; ties keep input order' }),
      dedupeBy: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
    },
    closed,
  ),
  output: Type.Object({ ...fileFields, dropped: Type.Integer({ description: 'rows that were duplicates' }) }),
};
