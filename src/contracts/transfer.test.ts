import { Compile } from 'typebox/compile';
import { expect, test } from 'vitest';
import { HistoryRecord } from './transfer.ts';

const history = (number: number) => ({ runId: 'r', key: 'k', atMs: [number], steps: [number], values: [1e300] });

test('instants and steps are whole numbers that both databases hold exactly', () => {
  const shape = Compile(HistoryRecord);
  for (const number of [0, -5, Number.MAX_SAFE_INTEGER]) expect(shape.Check(history(number))).toBe(true);
  for (const number of [1.5, 1e300, -(2 ** 53)]) expect(shape.Check(history(number))).toBe(false);
});
