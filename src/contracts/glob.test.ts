import { describe, expect, test } from 'vitest';
import { parseGlob } from './glob.ts';

describe('a glob', () => {
  test.each<[string, readonly string[], readonly string[]]>([
    ['train.py', ['train.py'], ['train,py', 'a/train.py', 'train.pyc']],
    ['./data/*.csv', ['data/a.csv', 'data/.csv'], ['data/a/b.csv', 'data/a.csv.gz', 'a.csv']],
    ['data/202?/*', ['data/2024/x'], ['data/202/x', 'data/2024', 'data/2024/x/y', 'data/202//x']],
    ['**/*.py', ['a.py', 'a/b.py', 'a/b/c.py'], ['a/b.pyc', 'py']],
    ['src/**', ['src/a', 'src/a/b', 'src/'], ['src', 'other/src/a']],
    ['a/**/b', ['a/b', 'a/x/b', 'a/x/y/b'], ['a/xb', 'ab', 'a/b/c']],
    ['a/**b/c', ['a/b/c', 'a/xb/c', 'a/x/yb/c'], ['a/b/d/c']],
    ['(a|b)+[c]{d}^$', ['(a|b)+[c]{d}^$'], ['acd']],
    ['**', ['a', 'a/b'], []],
  ])('%s', (glob, matching, others) => {
    const { matches } = parseGlob(glob);
    expect(matching.filter((path) => !matches(path))).toEqual([]);
    expect(others.filter(matches)).toEqual([]);
  });

  test('of many wild cards takes no longer than its length times that of the path', () => {
    const { matches } = parseGlob(`${'**/a/'.repeat(20)}${'*a'.repeat(20)}/b`);
    expect(matches(`${'a/'.repeat(400)}${'a'.repeat(200)}`)).toBe(false);
  });
});
