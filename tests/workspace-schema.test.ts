import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { printJsonSchema } from '../src/modules/workspace/document-schema.ts';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

function validatorOf(schema: object) {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
  addFormats.default(ajv);
  return ajv.compile(schema);
}

test('the published JSON Schema of tidemill.yaml is that of the code (node tools/print-schema.mjs prints it)', () => {
  expect(JSON.parse(read('schema/tidemill.schema.json'))).toEqual(JSON.parse(JSON.stringify(printJsonSchema())));
});

test('the published JSON Schema takes the example, and refuses what an editor should mark', () => {
  const validate = validatorOf(JSON.parse(read('schema/tidemill.schema.json')) as object);
  const example = parse(read('examples/flights/tidemill.yaml')) as Record<string, object>;
  expect([validate(example), validate.errors]).toEqual([true, null]);
  for (const wrong of [
    { ...example, datasts: {} },
    { ...example, datasets: { flights: { source: 'a.csv', tme: 'at' } } },
    { ...example, triggers: [{ on: 'alert:late-arrival/performance', run: 'train' }] },
    { datasets: {} },
  ])
    expect(validate(wrong)).toBe(false);
});

/** `### key` and `| \`a.b[].c\` |` of the reference, as paths below their section. */
function documentedKeys(markdown: string): readonly string[] {
  return markdown
    .split(/^## /m)
    .slice(1)
    .flatMap((chapter) => {
      const section = chapter.split('\n')[0]?.trim() ?? '';
      const keys = [...chapter.matchAll(/^\| `([^`]+)` \|/gm)].map(([, key]) => `${section}: ${key ?? ''}`);
      return [section, ...keys];
    });
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

/** Every schema that a value at this place may have. */
function below(schema: Schema, part: string): readonly Schema[] {
  const members = schema.anyOf?.flatMap((member) => below(member, part)) ?? [];
  const named = part === '[]' ? schema.items : schema.properties?.[part];
  const free = [
    ...Object.values(schema.patternProperties ?? {}),
    ...(typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : []),
  ];
  return [...members, ...(named === undefined ? [] : [named]), ...(part === '<name>' ? free : [])];
}

test('each key that the reference documents is in the published JSON Schema', () => {
  const schema = JSON.parse(read('schema/tidemill.schema.json')) as Schema;
  const documented = documentedKeys(read('docs/tidemill-yaml.md'));
  expect(documented.length).toBeGreaterThan(80);
  const missing = documented.filter((key) => {
    const [section = '', path = ''] = key.split(': ');
    const parts = path.split(/\.|(?=\[\])/).filter((part) => part !== '');
    const root = below(schema, section);
    // a section by name, a list, or a mapping of its own
    const starts = [
      ...root,
      ...root.flatMap((one) => below(one, '<name>')),
      ...root.flatMap((one) => below(one, '[]')),
    ];
    const found = parts.reduce<readonly Schema[]>((at, part) => at.flatMap((one) => below(one, part)), starts);
    return found.length === 0;
  });
  expect(missing).toEqual([]);
});
