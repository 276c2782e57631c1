import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isAppError } from '#platform/errors';
import { type Comparison, type ComparisonOperator, parseFilter, parseOrdering } from './search-grammar.ts';

test('comparisons are joined by AND, keywords in any case', () => {
  expect(parseFilter("metrics.auc >= 0.7 and params.model = 'tree' AND tags.`my key` LIKE '%x%'")).toEqual([
    { group: 'metrics', key: 'auc', operator: '>=', value: 0.7 },
    { group: 'params', key: 'model', operator: '=', value: 'tree' },
    { group: 'tags', key: 'my key', operator: 'LIKE', value: '%x%' },
  ]);
  expect(parseFilter('')).toEqual([]);
  expect(parseFilter('  ')).toEqual([]);
});

test('keys may be dotted, quoted in two ways, and attributes stand bare', () => {
  expect(parseFilter('tags.mlflow.source.name = "main.py"')).toEqual([
    { group: 'tags', key: 'mlflow.source.name', operator: '=', value: 'main.py' },
  ]);
  expect(parseFilter(`metrics."m/1 b" < -1e-3`)).toEqual([
    { group: 'metrics', key: 'm/1 b', operator: '<', value: -0.001 },
  ]);
  expect(parseFilter("`run name` = 'a' AND start_time > 12")).toEqual([
    { group: undefined, key: 'run name', operator: '=', value: 'a' },
    { group: undefined, key: 'start_time', operator: '>', value: 12 },
  ]);
});

test('lists and null checks', () => {
  expect(parseFilter("attributes.run_id NOT IN ('a','b') and params.x is not null and params.y IS NULL")).toEqual([
    { group: 'attributes', key: 'run_id', operator: 'NOT IN', value: ['a', 'b'] },
    { group: 'params', key: 'x', operator: 'IS NOT NULL', value: undefined },
    { group: 'params', key: 'y', operator: 'IS NULL', value: undefined },
  ]);
});

test.each([
  "a = 'b' OR c = 'd'",
  "(a = 'b')",
  'metrics.a >',
  'AND',
  "a = 'b' AND",
  "a ~ 'b'",
  "a = 'unclosed",
  'a = b',
])('refuses %s', (source) => {
  expect(() => parseFilter(source)).toThrow(expect.objectContaining({ code: 'SEARCH_FILTER_INVALID' }));
});

test('an ordering is ascending unless it says otherwise', () => {
  expect(parseOrdering('metrics.auc desc')).toEqual({ group: 'metrics', key: 'auc', descending: true });
  expect(parseOrdering('start_time')).toEqual({ group: undefined, key: 'start_time', descending: false });
  expect(() => parseOrdering('a DESC b')).toThrow(expect.objectContaining({ code: 'SEARCH_FILTER_INVALID' }));
});

const plainText = fc.string().map((text) => text.replaceAll("'", ''));
const key = fc.string({ minLength: 1 }).map((text) => text.replaceAll('`', '_'));
const anyComparison: fc.Arbitrary<Comparison> = fc
  .record({
    group: fc.option(fc.constantFrom('metrics', 'params', 'tags', 'attributes'), { nil: undefined }),
    key,
    operator: fc.constantFrom<ComparisonOperator>(
      ...(['=', '!=', '<', '<=', '>', '>=', 'LIKE', 'ILIKE', 'IN', 'NOT IN', 'IS NULL', 'IS NOT NULL'] as const),
    ),
    text: plainText,
    number: fc.double({ noNaN: true, noDefaultInfinity: true }),
    list: fc.array(plainText, { minLength: 1, maxLength: 4 }),
    numeric: fc.boolean(),
  })
  .map(({ group, key: name, operator, text, number, list, numeric }) => ({
    group,
    key: name,
    operator,
    value: operator.startsWith('IS')
      ? undefined
      : operator.endsWith('IN')
        ? list
        : numeric
          ? number === 0
            ? 0
            : number
          : text,
  }));

function print({ group, key: name, operator, value }: Comparison): string {
  const identifier = group === undefined ? `\`${name}\`` : `${group}.\`${name}\``;
  if (value === undefined) return `${identifier} ${operator}`;
  if (typeof value === 'number') return `${identifier} ${operator} ${value}`;
  if (typeof value === 'string') return `${identifier} ${operator} '${value}'`;
  return `${identifier} ${operator} (${value.map((item) => `'${item}'`).join(', ')})`;
}

test('what is printed is read back', () => {
  fc.assert(
    fc.property(fc.array(anyComparison, { maxLength: 5 }), (comparisons) => {
      expect(parseFilter(comparisons.map(print).join(' AND '))).toEqual(comparisons);
    }),
  );
});

function outcome(source: string) {
  try {
    parseFilter(source);
    return 'read';
  } catch (error) {
    return isAppError(error, 'SEARCH_FILTER_INVALID') ? 'refused' : error;
  }
}

test('any text is read or refused with a code, never anything else', () => {
  const nearMiss = fc.array(
    fc.constantFrom('a', '.', "'", '"', '`', '=', '<', '>', '!', '(', ')', ' ', ',', '1', ' AND '),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        nearMiss.map((parts) => parts.join('')),
      ),
      (source) => {
        expect(['read', 'refused']).toContain(outcome(source));
      },
    ),
  );
});
