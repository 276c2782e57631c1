import { readClassCount } from '../classification.ts';
import { servingErrors } from '../serving-errors.ts';
import { grpcErrors } from './grpc-errors.ts';
import { ProtoReader, wire } from './proto-reader.ts';

/** A ModelInferRequest as it lies on the wire: tensors are places in the buffer until what is to be read there is known. */
export interface InferMessage {
  modelName: string;
  modelVersion: string;
  id: string;
  parameters: Record<string, unknown>;
  readonly inputs: InputMessage[];
  readonly outputs: string[];
  /** Outputs that are asked for as their greatest values. */
  classes: Map<string, number> | undefined;
  /** Where each of `raw_input_contents` begins and ends, one pair after the other. */
  readonly raw: number[];
}

export interface InputMessage {
  name: string;
  datatype: string;
  /** As they came: negative ones are numbers past 2^63. */
  readonly shape: number[];
  /** Where the message `contents` begins and ends; more than one pair when it came in pieces. */
  readonly contents: number[];
}

const maxDimensions = 16;
const maxTensors = 4_096;
const maxParameters = 1_024;
const maxTextBytes = 1_024;

const tags = {
  modelName: (1 << 3) | wire.bytes,
  modelVersion: (2 << 3) | wire.bytes,
  id: (3 << 3) | wire.bytes,
  parameters: (4 << 3) | wire.bytes,
  inputs: (5 << 3) | wire.bytes,
  outputs: (6 << 3) | wire.bytes,
  raw: (7 << 3) | wire.bytes,
} as const;

/**
 * Reads `inference.ModelInferRequest` by hand: of all messages the one whose reading costs anything. The values of tensors
 * stay where they are. REQUEST_MALFORMED when it is none, or promises more than is sane.
 */
export function decodeInferRequest(bytes: Buffer): InferMessage {
  const reader = new ProtoReader(bytes);
  const request: InferMessage = {
    modelName: '',
    modelVersion: '',
    id: '',
    parameters: {},
    inputs: [],
    outputs: [],
    classes: undefined,
    raw: [],
  };
  while (reader.more) {
    const tag = reader.tag();
    switch (tag) {
      case tags.modelName:
        request.modelName = readText(reader, 'model_name');
        break;
      case tags.modelVersion:
        request.modelVersion = readText(reader, 'model_version');
        break;
      case tags.id:
        request.id = readText(reader, 'id');
        break;
      case tags.parameters:
        readParameter(reader, request.parameters);
        break;
      case tags.inputs:
        if (request.inputs.length === maxTensors) throw tooMany('inputs', maxTensors);
        request.inputs.push(readInput(reader));
        break;
      case tags.outputs:
        if (request.outputs.length === maxTensors) throw tooMany('outputs', maxTensors);
        request.outputs.push(readOutput(reader, request));
        break;
      case tags.raw:
        if (request.raw.length === 2 * maxTensors) throw tooMany('raw_input_contents', maxTensors);
        pushChunk(reader, request.raw);
        break;
      default:
        reader.skip(tag);
    }
  }
  return request;
}

function readInput(reader: ProtoReader): InputMessage {
  const input: InputMessage = { name: '', datatype: '', shape: [], contents: [] };
  const outer = reader.enter();
  while (reader.more) {
    const tag = reader.tag();
    switch (tag) {
      case (1 << 3) | wire.bytes:
        input.name = readText(reader, 'the name of an input');
        break;
      case (2 << 3) | wire.bytes:
        input.datatype = readText(reader, 'the datatype of an input');
        break;
      case (3 << 3) | wire.bytes: {
        const shapeOuter = reader.enter();
        while (reader.more) pushDimension(input.shape, reader.uint());
        reader.leave(shapeOuter);
        break;
      }
      case (3 << 3) | wire.varint:
        pushDimension(input.shape, reader.uint());
        break;
      case (4 << 3) | wire.bytes:
        refuseSharedMemory(readParameter(reader, {}));
        break;
      case (5 << 3) | wire.bytes:
        if (input.contents.length === 64) throw tooMany('pieces of "contents"', 32);
        pushChunk(reader, input.contents);
        break;
      default:
        reader.skip(tag);
    }
  }
  reader.leave(outer);
  return input;
}

function readOutput(reader: ProtoReader, request: InferMessage): string {
  let name = '';
  let classes: unknown;
  const outer = reader.enter();
  while (reader.more) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | wire.bytes)) name = readText(reader, 'the name of an output');
    else if (tag === ((2 << 3) | wire.bytes)) {
      const parameters: Record<string, unknown> = {};
      const key = readParameter(reader, parameters);
      refuseSharedMemory(key);
      if (key === 'classification') classes = parameters[key];
    } else reader.skip(tag);
  }
  reader.leave(outer);
  const count = readClassCount(name, classes);
  if (count > 0) (request.classes ??= new Map()).set(name, count);
  return name;
}

function refuseSharedMemory(key: string): void {
  if (key.startsWith('shared_memory_')) throw grpcErrors.CALL_NOT_SUPPORTED('tensors in shared memory are not read');
}

/** Reads one entry of a map of InferParameter into `into`; gives its key. */
function readParameter(reader: ProtoReader, into: Record<string, unknown>): string {
  let key = '';
  let value: unknown;
  const outer = reader.enter();
  while (reader.more) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | wire.bytes)) key = readText(reader, 'the name of a parameter');
    else if (tag === ((2 << 3) | wire.bytes)) value = readParameterValue(reader);
    else reader.skip(tag);
  }
  reader.leave(outer);
  if (key === '__proto__') return key; // of no use to anybody but an attacker
  into[key] = value;
  if (Object.keys(into).length > maxParameters) throw tooMany('parameters', maxParameters);
  return key;
}

function readParameterValue(reader: ProtoReader): unknown {
  let value: unknown;
  const outer = reader.enter();
  while (reader.more) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | wire.varint)) value = reader.uint() !== 0;
    else if (tag === ((2 << 3) | wire.varint)) value = numberOf(reader.int64());
    else if (tag === ((3 << 3) | wire.bytes)) value = reader.text();
    else if (tag === ((4 << 3) | wire.fixed64)) value = reader.double();
    else if (tag === ((5 << 3) | wire.varint)) value = numberOf(reader.uint64());
    else reader.skip(tag);
  }
  reader.leave(outer);
  return value;
}

/** A number where one holds it, else its digits, as keys of rows may have any length. */
const numberOf = (value: bigint): number | string =>
  Number.isSafeInteger(Number(value)) ? Number(value) : String(value);

function readText(reader: ProtoReader, what: string): string {
  const end = reader.chunkEnd();
  const { at } = reader;
  if (end - at > maxTextBytes) throw servingErrors.REQUEST_MALFORMED(`${what} is longer than ${maxTextBytes} bytes`);
  reader.at = end;
  return reader.bytes.toString('utf8', at, end);
}

function pushDimension(shape: number[], dimension: number): void {
  if (shape.length === maxDimensions) throw tooMany('dimensions', maxDimensions);
  shape.push(dimension);
}

function pushChunk(reader: ProtoReader, places: number[]): void {
  const end = reader.chunkEnd();
  places.push(reader.at, end);
  reader.at = end;
}

function tooMany(what: string, limit: number): Error {
  return servingErrors.REQUEST_MALFORMED(`a request has at most ${limit} ${what}`);
}
