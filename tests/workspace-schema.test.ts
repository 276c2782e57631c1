import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { printJsonSchema } from '../src/modules/workspace/document-schema.ts';

test('the published JSON Schema of tidemill.yaml is that of the code (node tools/print-schema.mjs prints it)', () => {
  const published = readFileSync(new URL('../schema/tidemill.schema.json', import.meta.url), 'utf8');
  expect(JSON.parse(published)).toEqual(JSON.parse(JSON.stringify(printJsonSchema())));
});
