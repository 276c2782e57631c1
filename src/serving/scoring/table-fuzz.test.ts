import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Datatype, ModelSignature, Tensor, TensorSignature } from '#contracts/tensor';
import { isAppError } from '#platform/errors';
import { readInvocation, readInvocationCsv } from './invocation-body.ts';
import { readPredict } from './predict-body.ts';

const input = (name: string, datatype: Datatype, shape: readonly number[], more = {}): TensorSignature => ({
  name,
  datatype,
  shape,
  ...more,
});
const signatures: readonly ModelSignature[] = [
  [input('a', 'FP32', [-1, 1], { nullable: true }), input('b', 'INT64', [-1]), input('c', 'BYTES', [-1, 1])],
  [input('a', 'FP64', [-1, 1], { nullable: true, optional: true }), input('b', 'BOOL', [-1, 1])],
  [input('a', 'FP32', [-1, 3])],
  [input('a', 'UINT8', [-1, -1])],
  [input('a', 'INT16', [-1, 2, 2])],
  [input('a', 'FP32', [-1, -1, 2]), input('b', 'INT32', [])],
  [input('x', 'FP32', [-1, 3], { columns: ['a', 'b', 'c'] }), input('d', 'UINT64', [-1])],
  [input('a', 'BYTES', [-1])],
  [input('a', 'INT8', [2, 2])],
  [],
].map((inputs) => ({ inputs, outputs: [] }));

const bases: readonly unknown[] = [
  { dataframe_split: { columns: ['a', 'b', 'c'], index: [0], data: [[1.5, 2, 'x']] } },
  {
    dataframe_split: {
      data: [
        [1, 2, 3],
        [4, 5, 6],
      ],
    },
  },
  {
    dataframe_records: [
      { a: 1, b: 2, c: 'x' },
      { c: 'y', a: null, b: 3 },
    ],
  },
  { instances: [[1, 2, 3]] },
  {
    instances: [
      {
        a: [
          [1, 2],
          [3, 4],
        ],
      },
      { a: [5, 6, 7, 8] },
    ],
  },
  { instances: [{ b64: 'eA==' }, { a: { b64: 'eA==' } }] },
  { inputs: { a: [1, 2], b: [true, false], c: ['x', 'y'], d: [1, 2] } },
  {
    inputs: [
      [1, 2],
      [3, 4],
    ],
    params: { keys: [1] },
  },
  { inputs: 1 },
];
const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(-1, 0, 1.5, 2 ** 31, 2 ** 53, 2 ** 64, 1e308, -0, '', 'a', 'b', [], [[]], [[[]]], {}, null, true),
);

/** A JSON value with one of its parts replaced, left out or repeated. */
function mutate(value: unknown, pick: (upTo: number) => number, other: unknown): unknown {
  if (Array.isArray(value) && value.length > 0 && pick(5) > 0) {
    const at = pick(value.length);
    if (pick(6) === 0) return value.toSpliced(at, 1);
    if (pick(6) === 0) return [...value, value[at]];
    return value.with(at, mutate(value[at], pick, other));
  }
  if (typeof value === 'object' && value !== null && pick(6) > 0) {
    const keys = Object.keys(value);
    const key = keys[pick(keys.length)] ?? 'a';
    const { [key]: chosen, ...rest } = value as Record<string, unknown>;
    return pick(6) === 0 ? rest : { ...rest, [key]: mutate(chosen, pick, other) };
  }
  return other;
}

/** Whatever it was, it is tensors that are whole, or refused in words. */
function isSound(read: () => readonly Tensor[]): boolean {
  let tensors: readonly Tensor[];
  try {
    tensors = read();
  } catch (error) {
    if (isAppError(error, 'REQUEST_MALFORMED')) return true;
    throw error;
  }
  return tensors.every(({ shape, data, datatype }) => {
    const count = shape.reduce((product, dimension) => product * dimension, 1);
    return data.length === count && (datatype !== 'BYTES' || Object.keys(data).length === count); // no holes
  });
}

const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;

test('tables of any form are tensors that are whole, or refused in words', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...signatures),
      fc.constantFrom(...bases),
      fc.array(fc.nat(1_000), { minLength: 30, maxLength: 30 }),
      fc.array(odd, { minLength: 0, maxLength: 3 }),
      (signature, base, choices, others) => {
        let turn = 0;
        const pick = (upTo: number) => (choices[turn++ % choices.length] ?? 0) % Math.max(1, upTo);
        const body = Buffer.from(
          JSON.stringify(others.reduce((value, other) => mutate(value, pick, other), base)) ?? '',
        );
        expect(isSound(() => readInvocation(body, signature))).toBe(true);
        expect(isSound(() => readPredict(body, signature).inputs)).toBe(true);
      },
    ),
    { numRuns: 6_000 },
  );
});

test('bytes of any kind are tensors that are whole, or refused in words', () => {
  const texts = [...bases.map((base) => JSON.stringify(base)), 'a,b,c\n1,2,x\n"3",4,"y"\n', ',a,b,c\n0,1,2,3\n'];
  fc.assert(
    fc.property(
      fc.constantFrom(...signatures),
      fc.constantFrom(...texts),
      fc.array(fc.tuple(fc.nat(200), fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('{}[]",:0\\\n-e.n'))))),
      fc.nat(200),
      (signature, text, changes, cut) => {
        const body = Buffer.from(text);
        for (const [at, byte] of changes.slice(0, 4)) body[at % body.length] = byte;
        const damaged = cut < 150 ? body : body.subarray(0, cut % body.length);
        expect(isSound(() => readInvocation(damaged, signature))).toBe(true);
        expect(isSound(() => readInvocationCsv(damaged, signature))).toBe(true);
        expect(isSound(() => readPredict(damaged, signature).inputs)).toBe(true);
      },
    ),
    { numRuns: 6_000 },
  );
});

const rowOf = fc.record({
  a: fc.float({ noNaN: true, noDefaultInfinity: true }),
  b: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  c: fc.string({ unit: 'grapheme' }),
});

test('a table is the same tensors in whatever form it comes, to the last bit', () => {
  const [signature] = signatures;
  fc.assert(
    fc.property(
      fc.array(rowOf, { minLength: 1, maxLength: 20 }),
      fc.shuffledSubarray(['a', 'b', 'c', 'more'] as const, { minLength: 4 }),
      (rows, columns) => {
        const cell = (row: (typeof rows)[number], column: (typeof columns)[number]): string => {
          if (column === 'more') return '[{"a":1}]';
          if (column === 'b') return String(row.b);
          if (column === 'a') return Object.is(row.a, -0) ? '-0.0' : String(row.a);
          return JSON.stringify(row.c);
        };
        const list = (of: (row: (typeof rows)[number]) => string) => `[${rows.map(of).join(',')}]`;
        const names = JSON.stringify(columns);
        const record = (row: (typeof rows)[number]) =>
          `{${columns.map((name) => `"${name}":${cell(row, name)}`).join(',')}}`;
        const forms = [
          `{"dataframe_split":{"columns":${names},"data":${list((row) => `[${columns.map((name) => cell(row, name)).join(',')}]`)}}}`,
          `{"dataframe_records":${list(record)}}`,
          `{"instances": ${list(record)} }`,
          `{"inputs":{${columns
            .filter((name) => name !== 'more')
            .map((name) => `"${name}":${list((row) => cell(row, name))}`)
            .join(',')}}}`,
        ];
        const expected = [
          {
            name: 'a',
            datatype: 'FP32',
            shape: [rows.length, 1],
            hasNull: false,
            data: Float32Array.from(rows, ({ a }) => a),
          },
          {
            name: 'b',
            datatype: 'INT64',
            shape: [rows.length],
            hasNull: false,
            data: BigInt64Array.from(rows, ({ b }) => b),
          },
          { name: 'c', datatype: 'BYTES', shape: [rows.length, 1], hasNull: false, data: rows.map(({ c }) => c) },
        ];
        for (const form of forms)
          expect(readInvocation(Buffer.from(form), signature as ModelSignature)).toEqual(expected);
        const csv = `${columns.join(',')}\n${rows.map((row) => columns.map((name) => (name === 'c' ? quoted(row.c) : name === 'more' ? '' : cell(row, name))).join(',')).join('\n')}`;
        expect(readInvocationCsv(Buffer.from(csv), signature as ModelSignature)).toEqual(expected);
      },
    ),
    { numRuns: 300 },
  );
});

test('rows that lack what may be absent take no more memory than the body', () => {
  const wide = Array.from({ length: 500 }, (_, index) =>
    input(`c${index}`, 'FP64', [-1, 1], { optional: true, nullable: true }),
  );
  const body = Buffer.from(`{"dataframe_records":[${Array.from({ length: 5_000 }, () => '{}').join(',')}]}`);
  expect(() => readInvocation(body, { inputs: wide, outputs: [] })).toThrow('send null where there is no value');
});
