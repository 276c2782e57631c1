import fc from 'fast-check';
import { expect, test } from 'vitest';
import { numberText, parseExactJson, quoteOddNumbers, sortKeys, writeExactJson } from './exact-json.ts';

const again = (text: string) => writeExactJson(parseExactJson(text));
const written = (text: string) => writeExactJson(sortKeys(parseExactJson(text)));

test('numbers are written as they were read, whatever JavaScript makes of them', () => {
  for (const number of ['1.0', '12345678901234567890', '-0.0', '1e400', '1E5', 'NaN', '-Infinity', '0.1', '-7', '1.50'])
    expect(again(`{"a":[${number},"${number}"]}`)).toBe(`{"a":[${number},"${number}"]}`);
  expect(parseExactJson('[1,"1.0"]')).toEqual([1, '1.0']);
  expect(numberText((parseExactJson('[1.0]') as readonly string[])[0] ?? null)).toBe('1.0');
  expect(numberText('1.0')).toBeUndefined();
});

test('any JSON comes back as it was', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(again(JSON.stringify(value))).toBe(JSON.stringify(value));
    }),
  );
});

test('texts with quotes, backslashes and numbers in them are texts', () => {
  for (const text of ['a"1.0"', '\\', '\\"1.0', '\u0000', 'NaN', '{"a":1.0}'])
    expect(parseExactJson(JSON.stringify({ text, n: 1 }))).toEqual({ text, n: 1 });
});

test('what is no JSON, or nested too deep, is refused', () => {
  for (const text of [
    '',
    '{',
    '"',
    '"\\"',
    '[1.0',
    'NaNa',
    '1.2.3',
    '--1',
    '[1.0.0]',
    '1.0"a"',
    'undefined',
    '{"a":01}',
    '{1.0:1}',
    '{NaN :1}',
  ])
    expect(() => parseExactJson(text)).toThrow(SyntaxError);
  expect(() => parseExactJson('['.repeat(100_000))).toThrow(/deeper/);
});

test('objects that differ in the order of their keys alone are written equally', () => {
  expect(written('{"b":{"y":1.0,"x":[{"q":1,"p":2}]},"a":1}')).toBe(
    written('{"a":1,"b":{"x":[{"p":2,"q":1}],"y":1.0}}'),
  );
  expect(written('{"__proto__":1}')).toBe('{"__proto__":1}');
});

test('numbers that only Python writes become texts, whatever stands in the texts beside them', () => {
  expect(quoteOddNumbers('{"NaN":[NaN,-Infinity,Infinity,"-Infinity \\" NaN"],"\\\\":NaN}')).toBe(
    '{"NaN":["NaN","-Infinity","Infinity","-Infinity \\" NaN"],"\\\\":"NaN"}',
  );
  expect(JSON.parse(quoteOddNumbers(`[NaN,"${'x'.repeat(10_000_000)}"]`))).toHaveLength(2);
});

test('a text without an end is given up in the time that reading it takes', () => {
  for (const end of ['', '\\'])
    expect(() => quoteOddNumbers(`{"${'\\"'.repeat(2_000_000)}${end}`)).toThrow(SyntaxError);
});
