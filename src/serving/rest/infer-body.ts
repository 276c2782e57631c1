import { type ClassCounts, readClassCount } from '../classification.ts';
import type { InferRequest, ParsedTensor } from '../infer-request.ts';
import { readRawTensor } from '../raw-tensor.ts';
import { servingErrors } from '../serving-errors.ts';
import { JsonCursor } from './json-cursor.ts';
import { type BinaryTensor, readTensor } from './tensor-reader.ts';

/** The body of `POST /v2/models/{m}/infer`, read. */
export interface InferBody extends InferRequest {
  /** Whether an output is to be answered as binary data. */
  readonly isBinary: (output: string) => boolean;
}

const none: Readonly<Record<string, unknown>> = {};
const never = (): boolean => false;
const always = (): boolean => true;

/**
 * Reads a request of the Open Inference Protocol v2; REQUEST_MALFORMED says what is wrong and where. With `headerBytes`
 * (Inference-Header-Content-Length) that many bytes are JSON, and behind them lie the inputs that say `binary_data_size`,
 * in their order.
 */
export function parseInferRequest(body: Buffer, headerBytes?: number): InferBody {
  const cursor = new JsonCursor(headerBytes === undefined ? body : body.subarray(0, headerBytes));
  let id: string | undefined;
  let parameters = none;
  let inputs: (ParsedTensor | BinaryTensor)[] | undefined;
  let outputs: readonly OutputRequest[] | undefined;

  cursor.expect(0x7b);
  if (!cursor.take(0x7d)) {
    do {
      const field = cursor.string();
      cursor.expect(0x3a);
      if (field === 'inputs') inputs = readInputs(cursor, body.length);
      else if (field === 'id') id = toId(cursor.value());
      else if (field === 'parameters') parameters = toParameters(cursor.value());
      else if (field === 'outputs') outputs = toOutputs(cursor.value());
      else cursor.value();
    } while (cursor.take(0x2c));
    cursor.expect(0x7d);
  }
  cursor.end();
  if (inputs === undefined) throw servingErrors.REQUEST_MALFORMED('the body has no "inputs"');
  return {
    id,
    parameters,
    inputs: attachBytes(inputs, body, headerBytes),
    outputs: outputs === undefined || outputs.length === 0 ? undefined : outputs.map(({ name }) => name),
    classes: toClassCounts(outputs ?? noOutputs),
    isBinary: toBinaryChoice(parameters['binary_data_output'] === true, outputs ?? noOutputs),
  };
}

/** How many bytes of the body are JSON; undefined without the header, when all of it is. */
export function parseHeaderBytes(header: string | undefined, bodyBytes: number): number | undefined {
  if (header === undefined) return undefined;
  const bytes = Number(header);
  if (!/^\d{1,15}$/.test(header) || bytes > bodyBytes)
    throw servingErrors.REQUEST_MALFORMED(
      `Inference-Header-Content-Length is "${header.slice(0, 50)}"; it takes the length of the JSON, of a body of ${bodyBytes} bytes`,
    );
  return bytes;
}

function attachBytes(
  inputs: readonly (ParsedTensor | BinaryTensor)[],
  body: Buffer,
  headerBytes: number | undefined,
): readonly ParsedTensor[] {
  let at = headerBytes ?? body.length;
  const whole = inputs.map((input): ParsedTensor => {
    if (!('binaryBytes' in input)) return input;
    const { name, datatype, shape, binaryBytes } = input;
    if (headerBytes === undefined)
      throw servingErrors.REQUEST_MALFORMED(
        `input "${name}" has a "binary_data_size", and the request no Inference-Header-Content-Length that says where the JSON ends`,
      );
    if (binaryBytes > body.length - at)
      throw servingErrors.REQUEST_MALFORMED(
        `input "${name}" has a "binary_data_size" of ${binaryBytes}, and ${body.length - at} bytes of the body are left`,
      );
    const data = readRawTensor(name, datatype, shape, body.subarray(at, at + binaryBytes));
    at += binaryBytes;
    return { name, datatype, shape, data, hasNull: false };
  });
  if (at !== body.length)
    throw servingErrors.REQUEST_MALFORMED(
      `the body has ${body.length - at} bytes behind the last input; each that is binary says its "binary_data_size"`,
    );
  return whole;
}

function readInputs(cursor: JsonCursor, bodyBytes: number): (ParsedTensor | BinaryTensor)[] {
  const inputs: (ParsedTensor | BinaryTensor)[] = [];
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

function toParameters(value: unknown): Readonly<Record<string, unknown>> {
  const parameters = toObject(value, '"parameters"');
  const sequence = parameters['sequence_id'];
  if ((sequence !== undefined && sequence !== 0 && sequence !== '') || parameters['sequence_start'] === true)
    throw servingErrors.SEQUENCES_NOT_YET();
  return parameters;
}

interface OutputRequest {
  readonly name: string;
  /** Undefined: as the request says for all. */
  readonly binary: boolean | undefined;
  /** How many classes are asked for instead of the values. */
  readonly classes: number;
}
const noOutputs: readonly OutputRequest[] = [];

function toClassCounts(outputs: readonly OutputRequest[]): ClassCounts | undefined {
  if (!outputs.some(({ classes }) => classes > 0)) return undefined;
  return new Map(outputs.flatMap(({ name, classes }) => (classes > 0 ? [[name, classes]] : [])));
}

function toOutputs(value: unknown): readonly OutputRequest[] {
  if (!Array.isArray(value)) throw servingErrors.REQUEST_MALFORMED('"outputs" must be a list');
  return value.map((item: unknown) => {
    const { name, parameters } = toObject(item, 'an output');
    if (typeof name !== 'string') throw servingErrors.REQUEST_MALFORMED('an output has no "name"');
    if (parameters === undefined || parameters === null) return { name, binary: undefined, classes: 0 };
    const given = toObject(parameters, `output "${name}" has "parameters" that`);
    if ('shared_memory_region' in given) throw servingErrors.SHARED_MEMORY_NOT_YET();
    const binary = given['binary_data'];
    if (binary !== undefined && typeof binary !== 'boolean')
      throw servingErrors.REQUEST_MALFORMED(`output "${name}" has a "binary_data" that is neither true nor false`);
    return { name, binary, classes: readClassCount(name, given['classification']) };
  });
}

/** Those outputs that say so, else as the request says for all. */
function toBinaryChoice(all: boolean, outputs: readonly OutputRequest[]): (output: string) => boolean {
  if (outputs.every(({ binary }) => (binary ?? all) === all)) return all ? always : never;
  const chosen = new Set(outputs.filter(({ binary }) => binary ?? all).map(({ name }) => name));
  return (output) => chosen.has(output);
}
