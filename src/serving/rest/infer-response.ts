import {
  type BytesElement,
  type Datatype,
  isHalf,
  type Tensor,
  type TensorData,
  toNumberFrom,
} from '#contracts/tensor';
import { tensorByteLength, writeTensorData } from '#contracts/tensor-bytes';
import { servingErrors } from '../serving-errors.ts';

/** What an answer says beside its tensors. */
export interface AnswerHead {
  readonly model: string;
  readonly version: string;
  readonly id: string | undefined;
}

/** The answer of `infer` as JSON text: data flat and row-major, NaN and the infinities as null, INT64 in full. */
export function formatInferResponse(head: AnswerHead, outputs: readonly Tensor[]): string {
  let text = openAnswer(head);
  for (const [index, { name, datatype, shape, data }] of outputs.entries()) {
    if (index > 0) text += ',';
    text += `{"name":${quote(name)},"datatype":"${jsonDatatype(datatype)}","shape":[${shape.join(',')}],"data":[${formatData(datatype, data)}]}`;
  }
  return `${text}]}`;
}

export interface BinaryAnswer {
  readonly body: Buffer;
  /** Of the JSON in front: Inference-Header-Content-Length. */
  readonly headerBytes: number;
}

/** The answer with some outputs as bytes behind the JSON, which blanks fill up so that their data can be read in place. */
export function formatBinaryResponse(
  head: AnswerHead,
  outputs: readonly Tensor[],
  isBinary: (output: string) => boolean,
): BinaryAnswer {
  let text = openAnswer(head);
  let binaryBytes = 0;
  const behind: TensorData[] = [];
  for (const [index, output] of outputs.entries()) {
    const { name, datatype, shape, data } = output;
    if (index > 0) text += ',';
    if (isBinary(name)) {
      const bytes = tensorByteLength(output);
      binaryBytes += bytes;
      behind.push(data);
      text += `{"name":${quote(name)},"datatype":"${datatype}","shape":[${shape.join(',')}],"parameters":{"binary_data_size":${bytes}}}`;
    } else
      text += `{"name":${quote(name)},"datatype":"${jsonDatatype(datatype)}","shape":[${shape.join(',')}],"data":[${formatData(datatype, data)}]}`;
  }
  text += ']}';
  const textBytes = Buffer.byteLength(text);
  const headerBytes = (textBytes + 7) & ~7;
  const body = Buffer.allocUnsafe(headerBytes + binaryBytes);
  body.write(text);
  body.fill(0x20, textBytes, headerBytes);
  let at = headerBytes;
  for (const data of behind) at = writeTensorData(body, at, data);
  return { body, headerBytes };
}

function openAnswer({ model, version, id }: AnswerHead): string {
  const text = `{"model_name":${quote(model)},"model_version":${quote(version)}`;
  return id === undefined ? `${text},"outputs":[` : `${text},"id":${JSON.stringify(id)},"outputs":[`;
}

const maxQuoted = 1_000;
const quoted = new Map<string, string>();

/** As JSON; for names, which are the same in answer after answer. */
function quote(name: string): string {
  const known = quoted.get(name);
  if (known !== undefined) return known;
  const text = JSON.stringify(name);
  if (quoted.size >= maxQuoted) quoted.clear();
  quoted.set(name, text);
  return text;
}

// JSON has no form for FP16 and BF16: their values are answered as FP32, which holds each of them.
function jsonDatatype(datatype: Datatype): Datatype {
  return isHalf(datatype) ? 'FP32' : datatype;
}

/** Bytes that are no text in JSON. */
export type FormatBytes = (bytes: Uint8Array) => string;

const refuseBytes: FormatBytes = () => {
  throw servingErrors.OUTPUT_NOT_JSON();
};

/** The values as the inside of a JSON list. OUTPUT_NOT_JSON where a dialect has no form for bytes that are no text. */
export function formatData(datatype: Datatype, data: TensorData, formatBytes: FormatBytes = refuseBytes): string {
  switch (datatype) {
    case 'BYTES':
      return formatElements(data as readonly BytesElement[], formatBytes).join(',');
    case 'BOOL':
      return Array.from(data as Uint8Array, (value) => (value === 0 ? 'false' : 'true')).join(',');
    case 'FP16':
    case 'BF16':
      return formatFloats(Float32Array.from(data as Uint16Array, toNumberFrom(datatype)));
    case 'FP32':
    case 'FP64':
      return formatFloats(data as Float64Array);
    case 'INT64':
    case 'UINT64':
      return formatLongs(data as BigInt64Array);
    default:
      return (data as Int32Array).join(',');
  }
}

export const formatElements = (data: readonly BytesElement[], formatBytes: FormatBytes): readonly string[] =>
  data.map((element) => (typeof element === 'string' ? JSON.stringify(element) : formatBytes(element)));

/** What a double holds exactly is printed from one: that takes a fraction of what printing a bigint does. */
function formatLongs(data: BigInt64Array): string {
  let text = '';
  const { length } = data;
  for (let index = 0; index < length; index += 1) {
    const value = data[index] as bigint;
    const number = Number(value);
    if (index > 0) text += ',';
    text += Number.isSafeInteger(number) ? number : value;
  }
  return text;
}

function formatFloats(data: Float32Array | Float64Array): string {
  let text = '';
  const { length } = data;
  for (let index = 0; index < length; index += 1) {
    const value = data[index] as number;
    if (index > 0) text += ',';
    text += value === 0 ? zero(value) : Number.isFinite(value) ? value : 'null';
  }
  return text;
}

/** A zero keeps its sign: JavaScript prints both alike, and Python reads "-0" as the integer. */
const zero = (value: number): string => (Object.is(value, -0) ? '-0.0' : '0');
