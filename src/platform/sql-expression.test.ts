import { expect, test } from 'vitest';
import { findExpressionProblem } from './sql-expression.ts';

test.each([
  'arr_delay > 15',
  `coalesce(a, b) in (1, 2) and "odd ; name" <> 'it''s ) , ;' -- why; (`,
  'list[1] /* ; */ + {a: 1}.a',
  String.raw`a = E'it\'s )' and b LIKE'\'`,
  'a = $$odd, ; )$$ or b = $t$ $$ ( $t$',
])('an expression is one: %s', (text) => {
  expect(findExpressionProblem(text)).toBeUndefined();
});

test.each([
  ['  -- nothing', 'it is empty'],
  ['a >', 'nothing stands behind its last ">"'],
  ['(a > 1', 'a ")" is missing'],
  ['a > 1)', 'a ")" closes nothing'],
  ['(a]', 'a "]" closes nothing'],
  ["a = 'x", "a ' is not closed"],
  [String.raw`a = E'x\'`, "a ' is not closed"],
  ['a, b', 'it is one expression, not a list'],
  ['a > 1; drop table x', 'it is one expression, not a statement'],
])('what cannot be one is told why: %s', (text, problem) => {
  expect(findExpressionProblem(text)).toBe(problem);
});
