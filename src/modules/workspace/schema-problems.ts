import { Ajv, type ErrorObject } from 'ajv';
import addFormats from 'ajv-formats';
import { durationPattern } from '#contracts/duration';
import type { DocumentPath } from './document-source.ts';

/** What a schema finds wrong, in words, one entry for each thing to mend. */
export interface SchemaProblem {
  readonly path: DocumentPath;
  readonly of: 'key' | 'value';
  readonly message: string;
  readonly expected?: string;
  readonly known?: readonly string[];
  readonly wrong?: string;
}

interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
}

export function createSchemaChecker(schema: object): (value: unknown) => readonly SchemaProblem[] {
  const ajv = new Ajv({ allErrors: true, verbose: true, strict: false });
  addFormats.default(ajv);
  const validate = ajv.compile(schema);
  return (value) => (validate(value) ? [] : mostLikely(validate.errors ?? []).flatMap(toProblem));
}

/**
 * A union reports the problems of each of its members. Of those the member counts that comes nearest: the fewest
 * problems, and among those the one that does not fail by its mere type.
 */
function mostLikely(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const unions = errors.filter(({ keyword }) => keyword === 'anyOf');
  let kept = errors.filter(({ keyword }) => keyword !== 'anyOf');
  for (const union of unions.toSorted((a, b) => b.schemaPath.length - a.schemaPath.length)) {
    const prefix = `${union.schemaPath}/`;
    const members = new Map<string, ErrorObject[]>();
    for (const error of kept) {
      if (!error.schemaPath.startsWith(prefix)) continue;
      const member = error.schemaPath.slice(prefix.length).split('/')[0] ?? '';
      members.set(member, [...(members.get(member) ?? []), error]);
    }
    const cost = (list: readonly ErrorObject[]): number =>
      list.length +
      (list.some(({ keyword, instancePath }) => keyword === 'type' && instancePath === union.instancePath) ? 100 : 0);
    const [best] = [...members.values()].toSorted((a, b) => cost(a) - cost(b));
    const dropped = new Set([...members.values()].flat().filter((error) => best?.includes(error) !== true));
    kept = kept.filter((error) => !dropped.has(error));
  }
  return kept;
}

function toProblem(error: ErrorObject): readonly SchemaProblem[] {
  const path = error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const schema = error.parentSchema as SchemaNode | undefined;
  const params = error.params as Readonly<Record<string, unknown>>;
  const of = 'value' as const;
  switch (error.keyword) {
    case 'additionalProperties': {
      const wrong = String(params['additionalProperty']);
      const known = Object.keys(schema?.properties ?? {});
      return [
        {
          path: [...path, wrong],
          of: 'key',
          message: `unknown key "${wrong}"`,
          expected: known.join(', '),
          known,
          wrong,
        },
      ];
    }
    case 'required':
      return [{ path, of, message: `"${String(params['missingProperty'])}" is missing` }];
    case 'type':
      return [
        {
          path,
          of,
          message: `${inWords(error.data)} is not right here`,
          expected: describe(schema, String(params['type'])),
        },
      ];
    case 'enum': {
      const known = (params['allowedValues'] as readonly unknown[]).map(String);
      return [
        {
          path,
          of,
          message: `${inWords(error.data)} is not one of the values`,
          expected: known.join(', '),
          known,
          wrong: String(error.data),
        },
      ];
    }
    case 'const':
      return [
        {
          path,
          of,
          message: `${inWords(error.data)} is not right here`,
          expected: JSON.stringify(params['allowedValue']),
        },
      ];
    case 'pattern':
      return [
        {
          path,
          of,
          message: `${inWords(error.data)} has not the right form`,
          expected: formOf(String(params['pattern']), schema),
        },
      ];
    case 'propertyNames':
      return [
        {
          path: [...path, String(params['propertyName'])],
          of: 'key',
          message: `"${String(params['propertyName'])}" cannot be a name`,
        },
      ];
    case 'if':
      return [];
    default:
      return [{ path, of, message: `${inWords(error.data)} ${error.message ?? 'is not valid'}` }];
  }
}

/** What a field means does not say how a duration is written. */
function formOf(pattern: string, schema: SchemaNode | undefined): string {
  if (pattern === durationPattern) return 'a duration: 90s, 3h, 28d';
  return schema?.description ?? `a text like ${pattern}`;
}

function describe(schema: SchemaNode | undefined, type: string): string {
  const article = /^[aeiou]/.test(type) ? 'an' : 'a';
  return schema?.description === undefined ? `${article} ${type}` : `${article} ${type}: ${schema.description}`;
}

function inWords(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  return JSON.stringify(value);
}
