import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { comparators, evaluateGate, namesOf, parseGate } from './gate-expression.ts';

const values: Readonly<Record<string, number>> = { auc: 0.74, 'champion.auc': 0.72, n: 500 };

function evaluate(text: string) {
  const parsed = parseGate(text);
  if (!parsed.ok) throw new Error(`${parsed.problem.at}: ${parsed.problem.expected}`);
  return evaluateGate(parsed.gate, (name) => values[name]);
}

describe('a gate', () => {
  test.each([
    ['auc > champion.auc - 0.005', true],
    ['auc >= 0.75', false],
    ['(auc + champion.auc) / 2 < 0.74', true],
    ['n >= 5e2', true],
    ['-auc < -0.7', true],
    ['1 - 2 - 3 == -4', true],
    ['2 * 3 + 4 != 10', false],
  ])('%s is %s', (text, holds) => {
    expect(evaluate(text)?.holds).toBe(holds);
  });

  test('names what it reads', () => {
    const parsed = parseGate('auc > champion.auc - auc * n');
    expect(parsed.ok && namesOf(parsed.gate)).toEqual(['auc', 'champion.auc', 'n']);
  });

  test('has no verdict when a name has no value or a side is no number', () => {
    expect(evaluate('recall > 0.5')).toBeUndefined();
    expect(evaluate('auc / 0 > 1')).toBeUndefined();
  });

  test.each([
    ['auc', 3, 'comparison'],
    ['auc > ', 6, 'a number'],
    ['auc > 0.7 and n > 3', 10, 'the end'],
    ['auc ~ 3', 4, 'operator'],
    ['(auc > 3', 5, '")"'],
  ])('%s is refused with the place and what was expected', (text, at, expected) => {
    expect(parseGate(text)).toMatchObject({ ok: false, problem: { at, expected: expect.stringContaining(expected) } });
  });

  test('is read as JavaScript reads the same arithmetic', () => {
    const number = fc.integer({ min: 1, max: 99 }).map(String);
    const { expression } = fc.letrec<{ expression: string }>((tie) => ({
      expression: fc.oneof(
        { maxDepth: 4 },
        number,
        fc
          .tuple(tie('expression'), fc.constantFrom('+', '-', '*', '/'), tie('expression'))
          .map(([a, o, b]) => `${a} ${o} ${b}`),
        tie('expression').map((inner) => `(${inner})`),
        tie('expression').map((inner) => `- ${inner}`),
      ),
    }));
    fc.assert(
      fc.property(expression, fc.constantFrom(...comparators), expression, (left, comparator, right) => {
        const expected = [left, right].map((side) => Number(runInNewContext(`(${side})`)));
        const found = evaluate(`${left} ${comparator} ${right}`);
        expect(found && [found.left, found.right]).toEqual(expected.every(Number.isFinite) ? expected : undefined);
      }),
    );
  });

  test('never fails on any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseGate(text)).toHaveProperty('ok');
      }),
    );
  });
});
