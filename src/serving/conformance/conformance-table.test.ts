import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { servingConformance } from './conformance-table.ts';

test('each protocol of the page is proven row by row by a test file', () => {
  const folder = join(import.meta.dirname, '..');
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n');
  const unproven = Object.keys(servingConformance).filter(
    (name) => !new RegExp(`proveProtocol\\(\\s*${name},`).test(sources),
  );
  expect(unproven).toEqual([]);
});
