import { expect, test } from 'vitest';
import { chooseShare, stickyHash } from './traffic-split.ts';

const shares = [
  { target: 'old', basisPoints: 9_000 },
  { target: 'none', basisPoints: 0 },
  { target: 'new', basisPoints: 1_000 },
];

test('the hash is MurmurHash3 of 32 bits, so that other languages agree', () => {
  // Computed by the reference implementation (mmh3) over "salt\0key" and the like, seed 0.
  expect([stickyHash('', ''), stickyHash('salt', 'key'), stickyHash('s', 'Zürich')]).toEqual([
    1364076727, 1656026961, 1063780678,
  ]);
});

test('traffic is split by weight, and a weight of 0 is never chosen', () => {
  let seed = 1;
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const counts: Record<string, number> = {};
  for (let draw = 0; draw < 20_000; draw += 1) {
    const { target } = chooseShare(shares, undefined, random) ?? { target: '?' };
    counts[target] = (counts[target] ?? 0) + 1;
  }
  expect(Object.keys(counts).toSorted()).toEqual(['new', 'old']);
  expect(counts['new']).toBeGreaterThan(1_800);
  expect(counts['new']).toBeLessThan(2_200);
});

const pick = (basisPoints: number, value: string) =>
  chooseShare(
    [
      { target: 'old', basisPoints: 10_000 - basisPoints },
      { target: 'new', basisPoints },
    ],
    { salt: 's', value },
    () => Number.NaN,
  );

test('a key stays with its revision, is split by weight, and keeps the new one when its share grows', () => {
  const keys = Array.from({ length: 20_000 }, (_, index) => `key-${index}`);
  const atTen = keys.filter((key) => pick(1_000, key)?.target === 'new');
  expect(atTen.length).toBeGreaterThan(1_850);
  expect(atTen.length).toBeLessThan(2_150);
  expect(atTen.every((key) => pick(5_000, key)?.target === 'new')).toBe(true);
  expect(pick(1_000, 'key-1')).toEqual(pick(1_000, 'key-1'));
  expect(keys.some((key) => pick(0, key)?.target === 'new')).toBe(false);
});

test('reason and propensity say how the choice was made', () => {
  expect(chooseShare([{ target: 'a', basisPoints: 10_000 }], undefined, () => 0.5)).toEqual({
    target: 'a',
    reason: 'only',
    propensity: 1,
  });
  expect(chooseShare(shares, undefined, () => 0.95)).toEqual({ target: 'new', reason: 'weighted', propensity: 0.1 });
  expect(chooseShare(shares, { salt: 's', value: 'k' }, () => 0)?.reason).toBe('sticky');
});
