import { expect, test } from 'vitest';
import { parseTruths } from './truth-file.ts';

test('reads CSV with quotes, keys of several values and empty cells, and JSON lines', () => {
  const csv = `\uFEFFkey,eventTime,value,observedAt\r\n"say ""a"", b",2013-03-01T00:00:00Z,true,\r\n\r\n"[""UA"",12]",2013-03-01T00:00:00Z,null,2013-03-02T00:00:00Z`;
  expect(parseTruths(csv, 'a.csv')).toEqual([
    { key: 'say "a", b', eventTime: '2013-03-01T00:00:00Z', value: true },
    { key: ['UA', 12], eventTime: '2013-03-01T00:00:00Z', value: null, observedAt: '2013-03-02T00:00:00Z' },
  ]);
  expect(parseTruths('prediction,value\np1.2,-0.5\n', 'a.csv')).toEqual([{ prediction: 'p1.2', value: -0.5 }]);
  expect(parseTruths('\n{"prediction":"p1","value":1}\n{"key":7,"eventTime":"t","value":false}\n', 'a.jsonl')).toEqual([
    { prediction: 'p1', value: 1 },
    { key: 7, eventTime: 't', value: false },
  ]);
  expect(parseTruths('prediction,value\n', 'a.csv')).toEqual([]);
});

test.each([
  ['prediction,worth\np1,1\n', 'line 1: the column names must be of'],
  ['prediction,value\np1,1\np2\n', 'line 3: it has 1 fields where 2 are named'],
  ['{"prediction":"a"}\n', 'line 1: the value is missing: a number, true, false, or null'],
  ['key,eventTime,value\n"a\nb",t,1\nb,t,late\n', 'line 4: the value "late" is no number'],
  ['prediction,value\np1,\n', 'line 2: the value is missing'],
  ['key,value\nk,1\n', 'line 2: a key needs its eventTime'],
  ['{"value":1}', 'line 1: it must have one of prediction and key'],
  ['{"prediction":"a","value":1}\n{"prediction"', 'line 2: it is no JSON object'],
  ['{"prediction":"a","value":1,"extra":1}', 'line 1: "extra" is not known'],
])('names the line that it cannot read, and what it must be: %j', (text, problem) => {
  expect(() => parseTruths(text, 'a.csv')).toThrow(`a.csv, ${problem}`);
});
