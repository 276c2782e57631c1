import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { UseNode } from '#contracts/graph-document';
import { typeOfOperation } from '#contracts/graph-operations';
import { type Datatype, emptyData, type Tensor } from '#contracts/tensor';
import { createOperation } from './operations.ts';

const numbers = (
  datatype: Exclude<Datatype, 'BYTES'>,
  width: number | undefined,
  ...values: readonly number[]
): Tensor => {
  const data = emptyData(datatype, values.length);
  for (const [at, value] of values.entries())
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[at] = BigInt(value);
    else data[at] = value;
  return { name: 'x', datatype, shape: width === undefined ? [values.length] : [values.length / width, width], data };
};
const texts = (...data: readonly string[]): Tensor => ({ name: 'x', datatype: 'BYTES', shape: [data.length, 1], data });
const listOf = ({ data }: Pick<Tensor, 'data'>) =>
  Array.from(data as Iterable<unknown>, (value) => (typeof value === 'bigint' ? Number(value) : value));
const made = (node: Omit<UseNode, 'of'>, ...of: readonly Tensor[]) => {
  const { datatype, shape, ...rest } = createOperation({ ...node, of: 'x' })(of);
  return [datatype, shape, listOf(rest)];
};

test.each<[Omit<UseNode, 'of'>, readonly Tensor[], readonly [Datatype, readonly number[], readonly unknown[]]]>([
  [{ use: 'argmax' }, [numbers('FP32', 3, 1, 5, 2, 7, 7, 0)], ['INT64', [2], [1, 0]]],
  [{ use: 'cast', to: 'INT32' }, [numbers('FP64', 1, 1, -2)], ['INT32', [2, 1], [1, -2]]],
  [{ use: 'cast', to: 'FP32' }, [texts('1.5', '')], ['FP32', [2, 1], [1.5, Number.NaN]]],
  [{ use: 'cast', to: 'BYTES' }, [numbers('BOOL', undefined, 0, 1)], ['BYTES', [2], ['false', 'true']]],
  [{ use: 'cast', to: 'FP32' }, [numbers('FP16', undefined, 0x3c00, 0xc000, 0x0001)], ['FP32', [3], [1, -2, 2 ** -24]]],
  [{ use: 'clip', min: 0, max: 2 }, [numbers('INT64', 1, -5, 1, 9)], ['FP64', [3, 1], [0, 1, 2]]],
  [{ use: 'columns', take: [2, 0] }, [numbers('FP32', 3, 1, 2, 3, 4, 5, 6)], ['FP32', [2, 2], [3, 1, 6, 4]]],
  [{ use: 'concat' }, [texts('a', 'b'), texts('c', 'd')], ['BYTES', [2, 2], ['a', 'c', 'b', 'd']]],
  [
    { use: 'concat', to: 'FP32' },
    [numbers('INT64', undefined, 1, 2), numbers('FP64', 2, 3, 4, 5, 6)],
    ['FP32', [2, 3], [1, 3, 4, 2, 5, 6]],
  ],
  [{ use: 'constant', value: 'none' }, [numbers('FP32', 2, 1, 2, 3, 4)], ['BYTES', [2], ['none', 'none']]],
  [{ use: 'constant', value: 1, to: 'FP32' }, [texts('a')], ['FP32', [1], [1]]],
  [{ use: 'impute', with: [7, 8] }, [numbers('FP32', 2, Number.NaN, 1, 2, Number.NaN)], ['FP32', [2, 2], [7, 1, 2, 8]]],
  [{ use: 'impute', with: 'none' }, [texts('', 'a')], ['BYTES', [2, 1], ['none', 'a']]],
  [{ use: 'map', values: ['no', 'yes'] }, [numbers('INT64', undefined, 1, 0)], ['BYTES', [2], ['yes', 'no']]],
  [{ use: 'map', values: { UA: 1, AA: 2 }, else: 0 }, [texts('AA', 'x')], ['INT64', [2, 1], [2, 0]]],
  [{ use: 'map', values: { true: 0.5, false: 1 } }, [numbers('BOOL', undefined, 1)], ['FP64', [1], [0.5]]],
  [{ use: 'one_hot', values: ['UA', 'AA'] }, [texts('AA', 'x')], ['FP32', [2, 2], [0, 1, 0, 0]]],
  [{ use: 'reshape', shape: [-1, 1, 2] }, [numbers('FP32', 2, 1, 2, 3, 4)], ['FP32', [2, 1, 2], [1, 2, 3, 4]]],
  [{ use: 'scale', mean: [1, 2], std: [2, 4] }, [numbers('FP32', 2, 3, 6)], ['FP32', [1, 2], [1, 1]]],
  [{ use: 'sigmoid' }, [numbers('FP64', undefined, 0)], ['FP64', [1], [0.5]]],
  [{ use: 'softmax' }, [numbers('FP64', 2, 1000, 1000)], ['FP64', [1, 2], [0.5, 0.5]]],
  [{ use: 'threshold', at: 0.5 }, [numbers('FP32', 1, 0.4, 0.5)], ['INT64', [2, 1], [0, 1]]],
  [{ use: 'vote' }, [texts('a', 'b'), texts('b', 'b'), texts('a', 'c')], ['BYTES', [2, 1], ['a', 'b']]],
  [
    { use: 'vote', weights: [1, 3, 1] },
    [numbers('INT64', undefined, 1), numbers('INT64', undefined, 2), numbers('INT64', undefined, 1)],
    ['INT64', [1], [2]],
  ],
])('%j', (node, of, expected) => {
  expect(made(node, ...of)).toEqual(expected);
  const declared = of.map(({ name, datatype, shape }) => ({ name, datatype, shape: [-1, ...shape.slice(1)] }));
  const type = typeOfOperation({ ...node, of: 'x' }, declared);
  expect(type).toEqual({ datatype: expected[0], shape: [-1, ...expected[1].slice(1)] }); // what was said is what comes
});

test.each<[Omit<UseNode, 'of'>, Tensor, string]>([
  [{ use: 'cast', to: 'INT64' }, numbers('FP64', 1, 1.5), 'value 0: 1.5 is no INT64'],
  [{ use: 'cast', to: 'UINT8' }, numbers('INT64', 1, 1, 300), 'value 1: 300 is no UINT8'],
  [{ use: 'cast', to: 'FP32' }, texts('1,5'), 'value 0: "1,5" is no FP32'],
  [{ use: 'cast', to: 'BOOL' }, numbers('INT64', 1, 2), 'value 0: 2 is no BOOL'],
  [{ use: 'map', values: ['no', 'yes'] }, numbers('INT64', 1, 0, 2), 'row 1: "2" is none of the values of map'],
  [{ use: 'columns', take: [4] }, numbers('FP32', 2, 1, 2), 'there is no column 4: there are 2'],
  [{ use: 'reshape', shape: [-1, 3] }, numbers('FP32', 2, 1, 2), 'cannot become [-1, 3]'],
])('%j refuses what it would have to cut or guess', (node, tensor, message) => {
  expect(() => made(node, tensor)).toThrow(message);
});

const members = fc.integer({ min: 1, max: 6 }).chain((width) =>
  fc.integer({ min: 1, max: 5 }).chain((count) =>
    fc.record({
      columns: fc.array(
        fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: width, maxLength: width }),
        { minLength: count, maxLength: count },
      ),
      weights: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: count, maxLength: count }),
    }),
  ),
);

test('an ensemble is what plain computation makes of its members, whatever their number and weights', () => {
  fc.assert(
    fc.property(members, ({ columns, weights }) => {
      const width = columns[0]?.length ?? 1;
      const sum = weights.reduce((total, weight) => total + weight, 0);
      const weighted = Array.from(
        { length: width },
        (_, at) =>
          columns.reduce((total, column, member) => total + (weights[member] ?? 0) * (column[at] ?? 0), 0) / sum,
      );
      const doubles = columns.map((column) => numbers('FP64', width, ...column));
      expect(listOf({ data: createOperation({ use: 'mean', of: 'x', weights })(doubles).data })).toEqual(weighted);
      const singles = columns.map((column) => numbers('FP32', width, ...column));
      const plain = Array.from({ length: width }, (_, at) =>
        Math.fround(columns.reduce((total, column) => total + Math.fround(column[at] ?? 0), 0) / columns.length),
      );
      expect(listOf({ data: createOperation({ use: 'mean', of: 'x' })(singles).data })).toEqual(plain);

      const labels = columns.map((column) => column.map((value) => Math.abs(Math.trunc(value)) % 3));
      const winners = Array.from({ length: width }, (_, at) => {
        const scores = [0, 1, 2].map((label) =>
          labels.reduce((total, own, member) => total + (own[at] === label ? (weights[member] ?? 0) : 0), 0),
        );
        const most = Math.max(...scores);
        return labels.map((own) => own[at] ?? 0).find((label) => scores[label] === most);
      });
      const votes = labels.map((own) => numbers('INT64', width, ...own));
      expect(listOf({ data: createOperation({ use: 'vote', of: 'x', weights })(votes).data })).toEqual(winners);
    }),
  );
});
