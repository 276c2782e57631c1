import { describe, expect, test } from 'vitest';
import type { DatasetPart } from './dataset-types.ts';
import { filesOf, stretchesToPack } from './pack-rules.ts';

const aPart = (number: number, sizeBytes = 1000): DatasetPart => ({
  sha256: `part-${number}`,
  sizeBytes,
  rows: 1,
  timeMinMs: number * 10,
  timeMaxMs: number * 10 + 9,
  source: '',
  sourceSha256: '',
  createdMs: 0,
});
const parts = (count: number): readonly DatasetPart[] => Array.from({ length: count }, (_, number) => aPart(number));

describe('packs of small parts', () => {
  test('are made of sixteen neighbours each, once', () => {
    expect(stretchesToPack(parts(15), [])).toEqual([]);
    expect(stretchesToPack(parts(40), [])).toEqual([
      { from: 0, to: 16 },
      { from: 16, to: 32 },
    ]);
    expect(stretchesToPack(parts(40), [{ from: 0, to: 16 }])).toEqual([{ from: 16, to: 32 }]);
  });

  test('leave large parts alone', () => {
    const mixed = [...parts(3), aPart(3, 100_000_000), ...parts(16)];
    expect(stretchesToPack(mixed, [])).toEqual([{ from: 4, to: 20 }]);
  });

  test('stand for their parts, in order and with their times, when a version holds all of them', () => {
    const pack = { from: 0, to: 16, sha256: 'pack', sizeBytes: 1 };
    expect(filesOf(parts(18), [pack]).map(({ sha256 }) => sha256)).toEqual(['pack', 'part-16', 'part-17']);
    expect(filesOf(parts(18), [pack])[0]).toMatchObject({ timeMinMs: 0, timeMaxMs: 159 });
    expect(filesOf(parts(15), [pack])).toHaveLength(15);
  });
});
