import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mayBeCondition, parseExpression, referencesOf } from './condition-syntax.ts';
import { evaluateExpression } from './condition-value.ts';
import type { Json } from './json.ts';

const params: Readonly<Record<string, Json>> = { lr: 0.1, mode: 'full', list: [1, 2, 'x'], empty: {} };
const outputs: Readonly<Record<string, Json>> = {
  'best.choice': { auc: 0.93, index: 2, name: 'deep', tags: ['a', 'b'], inner: { n: 0 } },
  'a-step.an-output': { 'n-rows': 7 },
};

function evaluate(text: string): Json | { readonly problem: string } {
  const parsed = parseExpression(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.problem.expected} at ${parsed.problem.at}`);
  const evaluated = evaluateExpression(parsed.expression, (reference) => {
    const value =
      reference.kind === 'param' ? params[reference.name] : outputs[`${reference.step}.${reference.output}`];
    return value === undefined ? { missing: 'nothing there' } : { value };
  });
  return 'problem' in evaluated ? { problem: evaluated.problem } : evaluated.value;
}

describe('a condition', () => {
  test.each([
    ['best.choice.auc > 0.9', true],
    ['best.choice.auc > 0.9 && params.mode == "full"', true],
    ["params.mode != 'full' || best.choice.index == 2", true],
    ['!(best.choice.auc >= 0.93)', false],
    ['1 + 2 * 3 == 7 && (1 + 2) * 3 == 9', true],
    ['-2 - -3 == 1 && 7 % 4 == 3 && 1 / 4 == .25 && 1e3 == 1000', true],
    ['8 / 4 / 2 == 1 && 8 - 4 - 2 == 2', true],
    ['false && true || true', true],
    ['true || false && false', true],
    ['"x" in params.list && !(3 in params.list)', true],
    ['"auc" in best.choice', true],
    ['params.mode in ["full", "part"]', true],
    ['size(params.list) == 3 && size(params.mode) == 4 && size([]) == 0 && size(params.empty) == 0', true],
    ['has(best.choice.auc) && !has(best.choice.f1) && !has(none.there) && !has(best.choice.inner.deeper.still)', true],
    ['has(best.choice.f1) && best.choice.f1 > 0.5', false],
    ['best.choice.tags[1] == "b" && best.choice["name"] == "deep"', true],
    ['params.list[best.choice.index] == "x"', true],
    ['steps["a-step"]["an-output"]["n-rows"] == 7', true],
    ['best.choice.inner == best.choice["inner"] && params.list == [1, 2, "x"]', true],
    ['"1" == 1', false],
    ['"a" + "b" == "ab" && "a" < "b"', true],
    ["'it\\'s \\n' == \"it's \\n\"", true],
  ])('%s is %s', (text, expected) => expect(evaluate(text)).toBe(expected));

  test.each([
    ['best.choice.f1 > 0.5', 'best.choice has no field "f1"; it has auc, index, name, tags, inner'],
    ['best.choice.auc.deep == 1', 'best.choice.auc has no fields: it is 0.93'],
    ['best.choice.tags[2] == "c"', 'best.choice.tags has no item 2: it has 2'],
    ['params.mode > 1', '">" needs two numbers or two texts, not "full" and 1'],
    ['params.mode && true', '"&&" needs true or false, not "full"'],
    ['!params.lr', '"!" needs true or false, not 0.1'],
    ['1 / 0 == 1', '1 / 0 is no number'],
    ['params.mode - 1 == 0', '"-" needs numbers, not "full"'],
    ['size(params.lr) == 1', 'size(…) needs a text, a list or a mapping, not 0.1'],
    ['1 in params.lr', '"in" needs a list or a mapping, not 0.1'],
    ['none.there.auc > 1', 'nothing there'],
    ['best.choice.constructor == 1', expect.stringContaining('no field "constructor"')],
  ])('%s has no value, and says why', (text, problem) => expect(evaluate(text)).toEqual({ problem }));

  test.each([
    ['', 0, 'a number, a text, params.<name> or <step>.<output>'],
    ['best', 4, 'a name after "best"'],
    ['best.choice.auc >', 17, 'a number, a text, params.<name> or <step>.<output>'],
    ['best.choice.auc > 1 > 2', 20, 'an operator or the end'],
    ['(params.lr > 1', 14, '")"'],
    ['params.lr > 1 & true', 14, 'a value or an operator'],
    ['params.mode == "full', 15, 'the end of the text'],
    ['matches(params.mode)', 0, 'a function that there is: has, size'],
    ['has(1) == true', 0, 'a field in has(…)'],
    ['steps[params.mode].x == 1', 5, 'a name after "steps"'],
    ['params.lr = 1', 10, 'a value or an operator'],
    [`${'('.repeat(70)}true${')'.repeat(70)}`, 64, 'at most 64 levels'],
  ])('%s cannot be read, and says where', (text, at, expected) =>
    expect(parseExpression(text)).toEqual({ ok: false, problem: { at, expected } }),
  );

  test('knows what it reads, in order, also what has(…) and an index ask for', () => {
    const parsed = parseExpression('has(a.b.c) && params.x > steps["d-e"].f[g.h.i]');
    const read = parsed.ok ? referencesOf(parsed.expression) : [];
    expect(read).toMatchObject([
      { step: 'a', output: 'b' },
      { kind: 'param', name: 'x' },
      { step: 'd-e', output: 'f' },
      { step: 'g', output: 'h' },
    ]);
  });

  test.each([
    ['params.x', true],
    ['a.b.c', true],
    ['!a.b', true],
    ['true', true],
    ['1 + 1', false],
    ['"yes"', false],
    ['size(params.x)', false],
    ['-1', false],
    ['[true]', false],
  ])('%s may be a condition: %s', (text, expected) => {
    const parsed = parseExpression(text);
    expect(parsed.ok && mayBeCondition(parsed.expression)).toBe(expected);
  });

  test('answers for every text and all data: a value, or a problem', () => {
    const words = [
      'a.b',
      'params.x',
      '1',
      '"t"',
      'true',
      '(',
      ')',
      '[',
      ']',
      '.',
      '&&',
      '>',
      'in',
      '!',
      '-',
      'has(',
      ',',
    ];
    const texts = fc.array(fc.constantFrom(...words), { maxLength: 20 }).map((list) => list.join(' '));
    const answers = fc.property(fc.oneof(texts, fc.string()), fc.jsonValue(), (text, value) => {
      const parsed = parseExpression(text);
      if (!parsed.ok) return parsed.problem.at >= 0 && parsed.problem.at <= text.length;
      const evaluated = evaluateExpression(parsed.expression, () => ({ value: value as Json }));
      return 'problem' in evaluated || evaluated.value !== undefined;
    });
    expect(() => fc.assert(answers)).not.toThrow();
  });
});
