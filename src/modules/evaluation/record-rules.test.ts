import { expect, test } from 'vitest';
import { type ExactJson, parseExactJson } from '#platform/exact-json';
import { emptySchema, extendSchema, hashInputs, mergeRecord, readRecord, userOf } from './record-rules.ts';

const record = (text: string) => readRecord(parseExactJson(text), 0);
const hash = (text: string) => hashInputs(parseExactJson(text) as { readonly [key: string]: ExactJson });

test('inputs that differ in the order of keys alone are one record; a number and its text are two', () => {
  expect(hash('{"a":1,"b":{"c":[1,2],"d":null}}')).toBe(hash('{"b":{"d":null,"c":[1,2]},"a":1}'));
  expect(hash('{"a":1}')).not.toBe(hash('{"a":"1"}'));
  expect(hash('{"a":12345678901234567890}')).not.toBe(hash('{"a":12345678901234567891}'));
});

test('a record given again joins expectations and tags, and replaces outputs only when it has some', () => {
  const before = record('{"inputs":{"q":1},"outputs":"x","expectations":{"a":1,"b":2},"tags":{"t":"1"}}');
  const merged = mergeRecord(
    before,
    record('{"inputs":{"q":1},"expectations":{"b":3},"source":{"source_type":"code"}}'),
  );
  expect(merged).toMatchObject({ outputs: 'x', expectations: { a: 1, b: 3 }, tags: { t: '1' }, source: undefined });
  expect(mergeRecord(before, record('{"inputs":{"q":1},"outputs":null}')).outputs).toBeUndefined();
});

test('the schema keeps the first type of each field', () => {
  const first = extendSchema(emptySchema, [
    record('{"inputs":{"n":1,"f":1.0,"s":"","l":[],"o":{},"b":true,"z":null},"outputs":"text"}'),
  ]);
  expect(first).toEqual({
    inputs: { n: 'integer', f: 'float', s: 'string', l: 'array', o: 'object', b: 'boolean', z: 'null' },
    outputs: 'string',
    expectations: {},
    version: '1.0',
  });
  const second = extendSchema(first, [record('{"inputs":{"n":"now a text","new":2.5},"outputs":{"a":1}}')]);
  expect(second.inputs).toMatchObject({ n: 'integer', new: 'float' });
  expect(second.outputs).toBe('string');
});

test('what is no record is refused by its number and its fault', () => {
  for (const text of [
    '1',
    'null',
    '[]',
    '{"inputs":1}',
    '{"inputs":{},"tags":[]}',
    '{"inputs":{},"source":{"source_type":"MOON"}}',
  ])
    expect(() => readRecord(parseExactJson(text), 3)).toThrow(/record 3/);
});

test('a number in the place of a text is none, and nothing of how it is carried is told', () => {
  expect(userOf(record('{"tags":{"mlflow.user":1.0}}').tags)).toBeUndefined();
  expect(userOf(record('{"tags":{"mlflow.user":"ann"}}').tags)).toBe('ann');
  expect(() => record('{"source":{"source_type":1.0}}')).toThrow(/source type: \. Valid/);
});
