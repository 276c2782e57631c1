import { describe, expect, test } from 'vitest';
import type { Foreach } from '#contracts/pipelines';
import type { Json } from '#modules/jobs';
import { countItems, eachNames, resolveItems, staticItems } from './foreach-items.ts';
import { declaredName, isItem, itemIndex, itemsOf } from './item-names.ts';

const of = (value: Json) => resolveItems('plan.list', () => ({ value }));

describe('the items of a step', () => {
  test.each<[string, Exclude<Foreach, string>, readonly object[]]>([
    ['a list', [4, 'x', true], [{ item: 4 }, { item: 'x' }, { item: true }]],
    ['a range', { range: 2 }, [{ item: 0 }, { item: 1 }]],
    ['mappings', [{ a: 1 }, { a: 2, b: 'x' }], [{ a: 1 }, { a: 2, b: 'x' }]],
    [
      'every combination, the last name fastest',
      { depth: [4, 6], seed: { range: 2 } },
      [
        { depth: 4, seed: 0 },
        { depth: 4, seed: 1 },
        { depth: 6, seed: 0 },
        { depth: 6, seed: 1 },
      ],
    ],
    ['an axis that is called range', { range: [1, 2] }, [{ range: 1 }, { range: 2 }]],
  ])('are those of %s', (_, foreach, items) => {
    expect(staticItems(foreach)).toEqual(items);
    expect(countItems(foreach)).toBe(items.length);
    expect(eachNames(foreach)).toEqual([...new Set(items.flatMap((item) => Object.keys(item)))]);
  });

  test.each<[Exclude<Foreach, string>, readonly string[]]>([
    [{ range: 0 }, ['item']],
    // a billion combinations of the first three, and none with the last
    [{ a: { range: 1000 }, b: { range: 1000 }, c: { range: 1000 }, d: { range: 0 } }, ['a', 'b', 'c', 'd']],
  ])('may be none, and have names all the same: %j', (foreach, names) => {
    expect(countItems(foreach)).toBe(0);
    expect(staticItems(foreach)).toEqual([]);
    expect(eachNames(foreach)).toEqual(names);
  });

  test('of an expression are known when its value is', () => {
    expect(eachNames('plan.list')).toBeUndefined();
    expect(of([1, { a: 2 }, [3]])).toEqual({ items: [{ item: 1 }, { a: 2 }, { item: [3] }] });
    expect(of({ a: 1 })).toEqual({ problem: 'plan.list is {"a":1}, not a list' });
    expect(of(Array(1001).fill(0))).toEqual({ problem: 'plan.list has 1001 items, and 1000 are the most' });
    expect(resolveItems('plan.list', () => ({ problem: 'there is none' }))).toEqual({ problem: 'there is none' });
  });

  test('are counted without being made', () => {
    expect(countItems({ a: { range: 1000 }, b: { range: 1000 }, c: { range: 1000 } })).toBe(1_000_000_000);
  });

  test('have names that lead back to their step', () => {
    expect([isItem('train'), isItem('train[3]'), isItem('p.rows')]).toEqual([false, true, false]);
    expect([declaredName('train[12]'), declaredName('train')]).toEqual(['train', 'train']);
    expect([itemIndex('train'), itemIndex('train[12]')]).toEqual([-1, 12]);
    expect(itemsOf(new Set(['train', 'train[1]', 'train[0]', 'other[2]']), 'train')).toEqual(['train[0]', 'train[1]']);
  });
});
