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
  readonly required?: readonly string[];
}

export function createSchemaChecker(schema: object): (value: unknown) => readonly SchemaProblem[] {
  const ajv = new Ajv({ allErrors: true, verbose: true, strict: false });
  addFormats.default(ajv);
  const validate = ajv.compile(schema);
  return (value) => (validate(value) ? [] : mostLikely(validate.errors ?? []).flatMap(toProblem));
}

/** A union reports the problems of each of its members: those of the member that was most likely meant count. */
function mostLikely(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const unions = errors.filter(({ keyword }) => keyword === 'anyOf');
  const others = errors.filter(({ keyword }) => keyword !== 'anyOf');
  const below = byPathAbove(others);
  /** Those that still count, as they are told. */
  const told = new Map(others.map((error) => [error, error]));
  for (const union of unions.toSorted((a, b) => b.schemaPath.length - a.schemaPath.length)) {
    const prefix = `${union.schemaPath}/`;
    const concerned = (below.get(union.instancePath) ?? []).filter(({ schemaPath }) => schemaPath.startsWith(prefix));
    const members = new Map<number, ErrorObject[]>();
    for (const error of concerned) {
      const one = told.get(error);
      if (one === undefined) continue;
      const member = Number(error.schemaPath.slice(prefix.length).split('/')[0]);
      const list = members.get(member);
      if (list === undefined) members.set(member, [one]);
      else list.push(one);
    }
    const meant = meantBy(union, members);
    for (const error of concerned) {
      const one = told.get(error);
      const kept = one && meant.get(one);
      if (kept === undefined) told.delete(error);
      else told.set(error, kept);
    }
  }
  return others.flatMap((error) => told.get(error) ?? []);
}

/** Each error under its own path and all that lead to it, so that a long list of mistakes is not looked through for each of them. */
function byPathAbove(errors: readonly ErrorObject[]): ReadonlyMap<string, readonly ErrorObject[]> {
  const below = new Map<string, ErrorObject[]>();
  for (const error of errors)
    for (let path = error.instancePath; ; path = path.slice(0, path.lastIndexOf('/'))) {
      const list = below.get(path);
      if (list === undefined) below.set(path, [error]);
      else list.push(error);
      if (path === '') break;
    }
  return below;
}

/**
 * The member that knows most of the keys that are there; among equals that with the fewest problems, which does not fail
 * by its mere type. Where several know equally much, a key that none of them knows is told with the keys of all.
 */
function meantBy(
  union: ErrorObject,
  members: ReadonlyMap<number, readonly ErrorObject[]>,
): ReadonlyMap<ErrorObject, ErrorObject> {
  const { data, instancePath } = union;
  const schemas = union.schema as readonly SchemaNode[];
  const keys = typeof data === 'object' && data !== null && !Array.isArray(data) ? Object.keys(data) : [];
  const known = (member: number): number => keys.filter((key) => key in (schemas[member]?.properties ?? {})).length;
  const cost = (list: readonly ErrorObject[]): number =>
    list.length + (list.some((error) => error.keyword === 'type' && error.instancePath === instancePath) ? 100 : 0);
  const most = Math.max(...[...members.keys()].map(known));
  const equals = [...members].filter(([member]) => known(member) === most);
  const [best] = equals.toSorted(([, a], [, b]) => cost(a) - cost(b));
  const candidates = equals.flatMap(([member]) => schemas[member] ?? []);
  const properties = Object.assign({}, ...candidates.map((schema) => schema.properties)) as SchemaNode['properties'];
  const isUnknownKey = (error: ErrorObject): boolean =>
    error.keyword === 'additionalProperties' && error.instancePath === instancePath;
  const isForAll = ({ params }: ErrorObject): boolean =>
    candidates.every(({ required }) => required?.includes(String(params['missingProperty'])));
  const problems = best?.[1] ?? [];
  const said = problems.some(isUnknownKey)
    ? problems.filter((error) => error.keyword !== 'required' || error.instancePath !== instancePath || isForAll(error))
    : problems;
  return new Map(
    said.map((error) => [error, isUnknownKey(error) ? { ...error, parentSchema: { properties } } : error]),
  );
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
