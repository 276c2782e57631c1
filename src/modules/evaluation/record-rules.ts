import { createHash } from 'node:crypto';
import { type ExactJson, isJsonObject, numberText, plainText, sortKeys, writeExactJson } from '#platform/exact-json';
import { evaluationErrors } from './evaluation-errors.ts';

type Fields = { readonly [key: string]: ExactJson };

/** One row to evaluate: what goes in, what came out, and what should have. */
export interface EvaluationRecord {
  readonly inputs: Fields;
  /** Any value; undefined: none. */
  readonly outputs: ExactJson | undefined;
  readonly expectations: Fields | undefined;
  readonly tags: Fields;
  readonly source: { readonly source_type: string; readonly source_data: Fields } | undefined;
}

const sourceTypes: readonly string[] = ['UNSPECIFIED', 'TRACE', 'HUMAN', 'DOCUMENT', 'CODE'];
/** Who says that a change is theirs: a tag that MLflow's clients set. */
const userTag = 'mlflow.user';

const invalid = evaluationErrors.EVALUATION_RECORD_INVALID;

function fieldsOf(record: Fields, name: string, at: number): Fields | undefined {
  const value = record[name] ?? undefined;
  if (value === undefined || isJsonObject(value)) return value;
  throw invalid(at, `"${name}" must be an object`);
}

function sourceOf(record: Fields, at: number): EvaluationRecord['source'] {
  const source = fieldsOf(record, 'source', at);
  if (source === undefined || Object.keys(source).length === 0) return undefined;
  const type = plainText(source['source_type'])?.toUpperCase() ?? '';
  if (!sourceTypes.includes(type))
    throw invalid(
      at,
      `Invalid dataset record source type: ${type}. Valid source types: [${sourceTypes.map((each) => `'${each}'`).join(', ')}]`,
    );
  return { source_type: type, source_data: fieldsOf(source, 'source_data', at) ?? {} };
}

/** A record as it was sent, with what it leaves out: `given` says which fields it has. */
export interface GivenRecord extends EvaluationRecord {
  readonly given: ReadonlySet<string>;
}

/** Reads what a client sent for its record number `at`; EVALUATION_RECORD_INVALID. */
export function readRecord(value: ExactJson, at: number): GivenRecord {
  if (!isJsonObject(value)) throw invalid(at, 'it must be an object');
  return {
    given: new Set(Object.keys(value)),
    inputs: fieldsOf(value, 'inputs', at) ?? {},
    outputs: value['outputs'] ?? undefined,
    expectations: fieldsOf(value, 'expectations', at),
    tags: fieldsOf(value, 'tags', at) ?? {},
    source: sourceOf(value, at),
  };
}

/** What makes two records one: equal inputs, whatever the order of their keys. */
export function hashInputs(inputs: Fields): string {
  return createHash('sha256')
    .update(writeExactJson(sortKeys(inputs)))
    .digest('hex');
}

/** A record given again: outputs are replaced when they are given, expectations and tags are joined, the source stays. */
export function mergeRecord(before: EvaluationRecord, now: GivenRecord): EvaluationRecord {
  return {
    inputs: before.inputs,
    outputs: now.given.has('outputs') ? now.outputs : before.outputs,
    expectations:
      now.expectations === undefined ? before.expectations : { ...before.expectations, ...now.expectations },
    tags: { ...before.tags, ...now.tags },
    source: before.source,
  };
}

export function userOf(tags: Fields): string | undefined {
  return plainText(tags[userTag]);
}

function typeOf(value: ExactJson): string {
  if (value === null) return 'null';
  if (numberText(value) !== undefined) return /^-?\d+$/.test(numberText(value) ?? '') ? 'integer' : 'float';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'float';
  if (Array.isArray(value)) return 'array';
  return typeof value; // boolean, string, object
}

/** The type of each field, by the first record that had it; outputs that are no object have one type for all. */
export interface RecordSchema {
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>> | string;
  readonly expectations: Readonly<Record<string, string>>;
  readonly version: '1.0';
}

export const emptySchema: RecordSchema = { inputs: {}, outputs: {}, expectations: {}, version: '1.0' };

/** Adds the fields that are new, in place: a schema grows with every record. */
function addTypes(types: Record<string, string>, fields: Fields): void {
  for (const [key, value] of Object.entries(fields)) if (!Object.hasOwn(types, key)) types[key] = typeOf(value);
}

export function extendSchema(schema: RecordSchema, records: readonly EvaluationRecord[]): RecordSchema {
  const inputs = { ...schema.inputs };
  const expectations = { ...schema.expectations };
  let outputs = typeof schema.outputs === 'string' ? schema.outputs : { ...schema.outputs };
  for (const record of records) {
    addTypes(inputs, record.inputs);
    addTypes(expectations, record.expectations ?? {});
    if (record.outputs === undefined || typeof outputs === 'string') continue;
    if (isJsonObject(record.outputs)) addTypes(outputs, record.outputs);
    else if (Object.keys(outputs).length === 0) outputs = typeOf(record.outputs);
  }
  return { inputs, outputs, expectations, version: '1.0' };
}
