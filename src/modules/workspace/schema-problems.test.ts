import { expect, test } from 'vitest';
import { createSchemaChecker } from './schema-problems.ts';

const anyOf = [{ type: 'number' }, { type: 'object', properties: { depth: { type: 'number' } } }];
const check = createSchemaChecker({ type: 'object', properties: { items: { type: 'array', items: { anyOf } } } });

test('each mistake of a long list is told once, and not looked for among all of them each time', () => {
  const count = 20_000;
  const problems = check({ items: Array.from({ length: count }, () => ({ depth: 'x' })) });
  expect(problems).toHaveLength(count);
  expect(problems[count - 1]).toMatchObject({ path: ['items', String(count - 1), 'depth'] });
});
