import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import { nearestName } from '../errors.ts';

type JsonSchema = Readonly<Record<string, unknown>>;

/** A validator in the form that Fastify calls: false with `errors`, or true. */
export interface LazyValidator {
  (data: unknown): boolean;
  errors?: ErrorObject[] | null;
}

export interface SchemaCompiler {
  /** Unknown fields are refused in requests. */
  compile(schema: JsonSchema, part: 'body' | 'text' | 'answer'): LazyValidator;
}

/**
 * Two Ajvs. Bodies are JSON and keep their types: Fastify's own turns `null` into `""` and drops unknown fields. Path,
 * query and headers are text, so numbers and arrays are read from it. A schema is compiled when it is first used:
 * compiling all of them would be most of the start.
 */
export function createSchemaCompiler(): SchemaCompiler {
  const base = { allErrors: false, useDefaults: true, removeAdditional: false, verbose: true, strict: false } as const;
  const create = (coerceTypes: false | 'array'): Ajv => {
    const ajv = new Ajv({ ...base, coerceTypes });
    addFormats.default(ajv);
    return ajv;
  };
  let strictTypes: Ajv | undefined;
  let textTypes: Ajv | undefined;
  const compilerOf = (part: 'body' | 'text' | 'answer'): Ajv => {
    if (part === 'text') return (textTypes ??= create('array'));
    return (strictTypes ??= create(false));
  };
  return {
    compile(schema, part) {
      let compiled: ValidateFunction | undefined;
      const validate: LazyValidator = (data) => {
        compiled ??= compilerOf(part).compile(
          withoutRootId(part === 'answer' ? schema : (closed(schema) as JsonSchema)),
        );
        const valid = compiled(data);
        validate.errors = compiled.errors ?? null;
        return valid;
      };
      return validate;
    },
  };
}

/** Ajv refuses a second schema with the same root id; inner ones it compares. */
function withoutRootId(schema: JsonSchema): JsonSchema {
  const { $id: _, ...rest } = schema;
  return rest;
}

/** Refuses unknown fields in every object that does not say otherwise; members of an intersection see each other's fields and stay open. */
export function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy: Record<string, unknown> = { ...schema };
  for (const key of ['items', 'anyOf', 'oneOf']) if (key in copy) copy[key] = closed(copy[key]);
  for (const key of ['properties', 'patternProperties', '$defs']) {
    const members = copy[key];
    if (typeof members === 'object' && members !== null)
      copy[key] = Object.fromEntries(Object.entries(members).map(([name, member]) => [name, closed(member)]));
  }
  const open = 'additionalProperties' in copy || 'patternProperties' in copy || 'allOf' in copy;
  if ('properties' in copy && !open) copy['additionalProperties'] = false;
  return copy;
}

export interface RequestProblem {
  /** `body`, `query`, `path`. */
  readonly part: string;
  /** JSON pointer inside the part. */
  readonly pointer: string;
  readonly message: string;
}

const partNames: Readonly<Record<string, string>> = { querystring: 'query', params: 'path' };

/** One sentence about a failed check: where, what was expected, and the nearest name that would have been right. */
export function describeProblem(error: ErrorObject | undefined, context: string): RequestProblem {
  const part = partNames[context] ?? context;
  const pointer = error?.instancePath ?? '';
  const where = `${part}${pointer}`;
  const unknown: unknown = error?.params['additionalProperty'];
  if (typeof unknown === 'string') {
    const properties: unknown = error?.parentSchema?.['properties'];
    const known = typeof properties === 'object' && properties !== null ? Object.keys(properties) : [];
    const near = nearestName(unknown, known);
    const hint = near === undefined ? knownNames(known) : `; did you mean "${near}"?`;
    return { part, pointer, message: `${where} has the unknown field "${unknown}"${hint}` };
  }
  const allowed: unknown = error?.params['allowedValues'];
  if (Array.isArray(allowed)) return { part, pointer, message: `${where} must be one of ${allowed.join(', ')}` };
  return { part, pointer, message: `${where} ${error?.message ?? 'is not valid'}` };
}

function knownNames(known: readonly string[]): string {
  return known.length === 0 ? '; none is expected' : `; known are ${known.slice(0, 12).join(', ')}`;
}
