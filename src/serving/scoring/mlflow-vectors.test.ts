import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import type { Datatype, ModelSignature, Tensor, TensorSignature } from '#contracts/tensor';
import { isAppError } from '#platform/errors';
import { readInvocation, readInvocationCsv } from './invocation-body.ts';

interface Vector {
  readonly declared: {
    readonly columns?: Readonly<Record<string, string>>;
    readonly tensor?: { readonly dtype: string; readonly shape: number[]; readonly name: string | null };
  };
  readonly body?: string;
  readonly csv?: string;
  /** The only cell, where that is what the vector is about. */
  readonly cell?: string;
  readonly taken?: Readonly<Record<string, unknown>>;
  readonly refused?: true;
}

const vectors = JSON.parse(
  readFileSync(new URL('fixtures/mlflow-vectors.json', import.meta.url), 'utf8'),
) as readonly Vector[];
const datatypes: Readonly<Record<string, Datatype>> = {
  integer: 'INT32',
  long: 'INT64',
  float: 'FP32',
  double: 'FP64',
  string: 'BYTES',
  boolean: 'BOOL',
  float32: 'FP32',
  float64: 'FP64',
  int64: 'INT64',
};

/** MLflow takes null in any column of floats or texts: so does a signature that says `nullable`. */
function signatureOf({ columns, tensor }: Vector['declared']): ModelSignature {
  const inputs: TensorSignature[] =
    tensor === undefined
      ? Object.entries(columns ?? {}).map(([name, type]) => ({
          name,
          datatype: datatypes[type.replace('?', '')] ?? 'BYTES',
          shape: [-1, 1],
          nullable: true,
          ...(type.endsWith('?') && { optional: true }),
        }))
      : [{ name: tensor.name ?? 'x', datatype: datatypes[tensor.dtype] ?? 'FP64', shape: tensor.shape }];
  return { inputs, outputs: [] };
}

/** As MLflow's side is written down: nested lists by shape, columns flat, what is beyond 2^53 as text. */
function plain({ shape, data, datatype }: Tensor, isColumn: boolean): unknown {
  const values = Array.from<unknown, unknown>(data as ArrayLike<unknown>, (value) => {
    if (datatype === 'BOOL') return value === 1;
    if (typeof value === 'bigint') return value > 2n ** 53n ? String(value) : Number(value);
    if (typeof value !== 'number') return value;
    if (Number.isNaN(value)) return null;
    return Math.abs(value) >= 2 ** 53 && Number.isInteger(value) && !datatype.startsWith('FP') ? String(value) : value;
  });
  const nest = (dims: readonly number[], from: number, to: number): unknown => {
    const [length = 0, ...rest] = dims;
    if (rest.length === 0) return values.slice(from, to);
    const width = length === 0 ? 0 : (to - from) / length;
    return Array.from({ length }, (_, index) => nest(rest, from + index * width, from + (index + 1) * width));
  };
  return isColumn ? values : nest(shape, 0, values.length);
}

function ours({ declared, body, csv }: Vector): Pick<Vector, 'taken' | 'refused'> {
  const signature = signatureOf(declared);
  try {
    const tensors =
      csv === undefined
        ? readInvocation(Buffer.from(body ?? ''), signature)
        : readInvocationCsv(Buffer.from(csv), signature);
    return { taken: Object.fromEntries(tensors.map((one) => [one.name, plain(one, declared.columns !== undefined)])) };
  } catch (error) {
    if (!isAppError(error, 'REQUEST_MALFORMED')) throw error;
    return { refused: true };
  }
}

const numbers = ['integer', 'long', 'float', 'double'];
const anyNumber = ['1', '1.0', '1.5', '-7', '300', '9007199254740993', '9223372036854775808', '3000000000'];
const moreNumbers = ['16777217', '1e400', '1e39', '1e3', '0.1', '-0.0'];

/** Where ours differ on purpose: cells of a type, or whole bodies. */
const differences: readonly {
  readonly why: string;
  readonly types: readonly string[];
  readonly cells: readonly string[];
  readonly inCsv?: boolean;
}[] = [
  { why: 'no fraction is cut off', types: ['integer', 'long'], cells: ['1.5', '0.1'] },
  {
    why: 'no integer wraps',
    types: ['integer'],
    cells: ['3000000000', '9007199254740993', '9223372036854775808', '1e39'],
  },
  { why: 'no long wraps', types: ['long'], cells: ['9223372036854775808', '1e39'] },
  { why: 'no float becomes infinite', types: ['float', 'double'], cells: ['1e400'] },
  { why: 'no float becomes infinite', types: ['float'], cells: ['1e39'] },
  { why: 'a text is no number', types: numbers, cells: ['"1"'] },
  { why: 'a row of an input [-1, 1] may be [v]', types: [...numbers, 'boolean'], cells: ['[1]'] },
  {
    why: 'a column of texts takes texts alone',
    types: ['string'],
    cells: [...anyNumber, ...moreNumbers, 'true', 'false', '[1]', '{"a":1}'],
  },
  { why: 'a text that is not there is the empty one', types: ['string'], cells: ['null'] },
  {
    why: 'a column of booleans takes true and false, 1 and 0',
    types: ['boolean'],
    cells: [...anyNumber, ...moreNumbers, '"1"', '"a"', '""', 'null', '{"a":1}'].filter(
      (cell) => !['1', '1.0', '-0.0'].includes(cell),
    ),
  },
  { why: 'only an empty cell is no text', types: ['string'], cells: ['', 'NaN'], inCsv: true },
];
const otherBodies: Readonly<Record<string, string>> = {
  '{"dataframe_split":{"data":[["UA",7,1.5]]}}': 'a table without names is read by position',
  'carrier,flight,distance\nUA,7,1.5,9,9\n': 'a line with more cells than the header is refused',
  '{"inputs":{"x":[[1,2,3]]}}': 'the only input has a name here',
  '{"dataframe_split":{"columns":["x"],"data":[[1],[2]]}}': 'a column that may lack is all null',
  '{"dataframe_records":[{"x":1,"y":2},{"x":3}]}': 'a column that may lack is all null',
  '{"inputs":{"x":[1.5],"y":[null]}}': 'a column that may lack is all null',
};

test('tables become what MLflow makes of them, or differ by a rule that is written down', () => {
  const used = new Set<string>();
  for (const vector of vectors) {
    const { declared, body, csv, cell, taken, refused } = vector;
    const theirs = refused === true ? { refused } : { taken };
    const mine = ours(vector);
    if (isDeepStrictEqual(mine, theirs)) continue;
    const type = declared.columns?.['x'] ?? '';
    const rule = differences.find(
      ({ types, cells, inCsv = false }) =>
        cell !== undefined && types.includes(type) && cells.includes(cell) && inCsv === (csv !== undefined),
    );
    const why = rule?.why ?? otherBodies[csv ?? body ?? ''];
    expect(why, `${JSON.stringify(vector)} against ${JSON.stringify(mine)}`).toBeDefined();
    used.add(why ?? '');
  }
  expect(used).toEqual(new Set([...differences.map(({ why }) => why), ...Object.values(otherBodies)]));
});
