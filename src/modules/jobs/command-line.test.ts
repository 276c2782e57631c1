import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { placeholdersOf, prepareCommand } from './command-line.ts';

function run(command: string | readonly string[], values: Readonly<Record<string, string>>): string {
  const { argv, environment } = prepareCommand(command, (expression) => values[expression]);
  const [program = '', ...rest] = argv;
  return execFileSync(program, rest, { env: { ...process.env, ...environment }, encoding: 'utf8' });
}

describe('the command of a step', () => {
  test('gets each placeholder as one argument, whatever quotes stand round it', () => {
    const value = 'a b"c\'d$(echo no)`echo no`*;';
    expect(run(`printf '[%s]' \${inputs.x} "p-\${inputs.x}" 'q-\${inputs.x}' r`, { 'inputs.x': value })).toBe(
      `[${value}][p-${value}][q-${value}][r]`,
    );
  });

  test('never has a value parsed by the shell', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom('a', ' ', '"', "'", '$', '(', ')', '`', '\\', '*', ';', '\n'),
          maxLength: 12,
        }),
        (value) => {
          expect(run(`printf '[%s]' \${params.p}`, { 'params.p': value })).toBe(`[${value}]`);
        },
      ),
      { numRuns: 25 },
    );
  });

  test('keeps placeholders apart whose names differ only in case or signs', () => {
    const values = { 'each.c': '1', 'each.C': '2', 'inputs.a-b': '3', 'inputs.a_b': '4' };
    expect(run(`printf '[%s]' \${each.c} \${each.C} \${inputs.a-b} \${inputs.a_b} \${each.c}`, values)).toBe(
      '[1][2][3][4][1]',
    );
  });

  test('given as a list runs without a shell', () => {
    expect(run(['printf', '[%s]', `x\${params.p}y`, '$HOME'], { 'params.p': '1 2' })).toBe('[x1 2y][$HOME]');
  });

  test('keeps what is no placeholder', () => {
    expect(run(`A=1; printf '%s' "\${A}"`, {})).toBe('1');
    expect(placeholdersOf(`x \${inputs.a} \${params.b.c} \${HOME}`)).toEqual(['inputs.a', 'params.b.c']);
  });
});
