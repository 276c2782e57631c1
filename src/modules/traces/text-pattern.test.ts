import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compilePattern } from './text-pattern.ts';

test('finds a pattern anywhere in a text, as Python does', () => {
  for (const [pattern, text, found] of [
    ['gpt', 'a gpt-4', true],
    ['^gpt', 'a gpt-4', false],
    ['^gpt-\\d+$', 'gpt-42', true],
    ['^(?:a|bc)+$', 'abcbca', true],
    ['^(?P<word>\\w+)\\s[^0-9]', 'one two', true],
    ['(?i)ERROR', 'an error', true],
    ['(?i)[a-c]x', 'BX', true],
    ['a{2,3}b', 'ab', false],
    ['a{2,3}b', 'aaab', true],
    ['^a{2}$', 'aaa', false],
    ['\\bcat\\b', 'concat', false],
    ['x*?y', 'y', true],
    ['[\\w.-]+@', 'ann.lee@', true],
    ['[]a]', ']', true],
    ['é.', 'né😀', true],
    ['', 'anything', true],
    ['a|', 'zzz', true],
    ['^$', '', true],
  ] as const)
    expect([pattern, text, compilePattern(pattern)(text)]).toEqual([pattern, text, found]);
});

test('says of what it cannot run why not', () => {
  for (const pattern of [
    '(a',
    'a)',
    '[a',
    '*a',
    '(?=a)',
    '(a)\\1',
    'a{3,2}',
    '\\',
    '[z-a]',
    'a**',
    '('.repeat(60),
    'x'.repeat(2000),
  ])
    expect(() => compilePattern(pattern)).toThrow(/Invalid regular expression/);
  expect(() => compilePattern('((a{500}){500})')).toThrow('too large');
});

test('takes no longer than pattern times text, also where backtracking would never end', () => {
  const text = 'a'.repeat(5000);
  expect(compilePattern('^(a+)+$')(`${text}b`)).toBe(false);
  expect(compilePattern('(a*)*(a*)*(a*)*b')(text)).toBe(false);
  const heavy = compilePattern('(?:a?){1000}b');
  expect(() => heavy('a'.repeat(100_000))).toThrow('takes too long');
});

test('agrees with JavaScript on what both can say', () => {
  const piece = fc.constantFrom(
    'a',
    'b',
    '.',
    '[ab]',
    '[^a]',
    '(?:ab)',
    '(a|b)',
    'a?',
    'b*',
    '(?:ab)+',
    'a{1,2}',
    '\\w',
    '\\b',
    '^',
    '$',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), fc.stringMatching(/^[ab c]{0,12}$/), (pieces, text) => {
      const source = pieces.join('');
      expect(compilePattern(source)(text)).toBe(new RegExp(source, 'u').test(text));
    }),
    { numRuns: 2000 },
  );
});

test('nothing takes long: repeats of nothing, sets of very many characters, many patterns together', () => {
  for (const pattern of ['(?:(?:(?:(?:){1000}){1000}){1000}){1000}', '(?:(?:(?:a{0}){1000}){1000}){1000}'])
    expect(() => compilePattern(pattern)).toThrow(/too large/);
  const wide = `[${Array.from({ length: 900 }, (_, n) => String.fromCodePoint(0x4e00 + n)).join('')}]x`;
  expect(() => compilePattern(wide)('a'.repeat(100_000))).toThrow(/too long/);
  const effort = { steps: 0 };
  expect(() => {
    for (let n = 0; n < 50; n += 1) compilePattern('b', effort)('a'.repeat(200_000));
  }).toThrow(/too long/);
});
