import { type ExactJson, isJsonObject, parseExactJson, plainText, writeExactJson } from '#platform/exact-json';
import { invalidParameter } from './mlflow-errors.ts';
import type { WireFields } from './wire-fields.ts';

/** JSON inside a text field of JSON, as the calls of evaluation data sets and scorers have it. */
export function readJsonText(fields: WireFields, name: string): ExactJson | undefined {
  const text = fields.text(name);
  if (text === undefined || text === '') return undefined;
  try {
    return parseExactJson(text);
  } catch (error) {
    throw invalidParameter(
      `Invalid value for parameter '${name}' supplied: it must be valid JSON; ${error instanceof Error ? error.message : 'it is none'}.`,
    );
  }
}

const toText = (value: ExactJson) => plainText(value) ?? writeExactJson(value);

/** Tags as an object in a text: values that are no texts become ones, null is none. */
export function readTagsText(fields: WireFields): { key: string; value: string }[] {
  const tags = readJsonText(fields, 'tags');
  if (tags === undefined) return [];
  if (!isJsonObject(tags))
    throw invalidParameter("Invalid value for parameter 'tags' supplied: it must be a JSON object.");
  return Object.entries(tags).flatMap(([key, value]) => (value === null ? [] : [{ key, value: toText(value) }]));
}
