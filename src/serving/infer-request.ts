import { JsonCursor } from './json-cursor.ts';
import { servingErrors } from './serving-errors.ts';
import { type ParsedTensor, readTensor } from './tensor-reader.ts';

/** The body of `POST /v2/models/{m}/infer`, read. */
export interface InferRequest {
  readonly id: string | undefined;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly inputs: readonly ParsedTensor[];
  /** Names of the outputs that are asked for, in order; undefined = all. */
  readonly outputs: readonly string[] | undefined;
}

const none: Readonly<Record<string, unknown>> = {};

/** Reads a request of the Open Inference Protocol v2 in JSON; REQUEST_MALFORMED says what is wrong and where. */
export function parseInferRequest(body: Buffer): InferRequest {
  const cursor = new JsonCursor(body);
  let id: string | undefined;
  let parameters = none;
  let inputs: ParsedTensor[] | undefined;
  let outputs: readonly string[] | undefined;

  cursor.expect(0x7b);
  if (!cursor.take(0x7d)) {
    do {
      const field = cursor.string();
      cursor.expect(0x3a);
      if (field === 'inputs') inputs = readInputs(cursor, body.length);
      else if (field === 'id') id = toId(cursor.value());
      else if (field === 'parameters') parameters = toObject(cursor.value(), '"parameters"');
      else if (field === 'outputs') outputs = toOutputNames(cursor.value());
      else cursor.value();
    } while (cursor.take(0x2c));
    cursor.expect(0x7d);
  }
  cursor.end();
  if (inputs === undefined) throw servingErrors.REQUEST_MALFORMED('the body has no "inputs"');
  if (outputs === undefined || outputs.length === 0) return { id, parameters, inputs, outputs: undefined };
  return { id, parameters, inputs, outputs };
}

function readInputs(cursor: JsonCursor, bodyBytes: number): ParsedTensor[] {
  const inputs: ParsedTensor[] = [];
  cursor.expect(0x5b);
  if (cursor.take(0x5d)) return inputs;
  do inputs.push(readTensor(cursor, bodyBytes));
  while (cursor.take(0x2c));
  cursor.expect(0x5d);
  return inputs;
}

function toId(value: unknown): string {
  if (typeof value === 'string' && value.length <= 1024) return value;
  throw servingErrors.REQUEST_MALFORMED('"id" must be a text of at most 1,024 characters');
}

function toObject(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw servingErrors.REQUEST_MALFORMED(`${what} must be an object`);
}

function toOutputNames(value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw servingErrors.REQUEST_MALFORMED('"outputs" must be a list');
  return value.map((item: unknown) => {
    const output = toObject(item, 'an output');
    const { name, parameters } = output as {
      readonly name?: unknown;
      readonly parameters?: { readonly binary_data?: unknown } | null;
    };
    if (typeof name !== 'string') throw servingErrors.REQUEST_MALFORMED('an output has no "name"');
    if (parameters?.binary_data === true)
      throw servingErrors.REQUEST_MALFORMED(`output "${name}" is asked for as binary data; this server answers JSON`);
    return name;
  });
}
