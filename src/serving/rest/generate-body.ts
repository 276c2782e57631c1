import type { ModelSignature, Tensor, TensorSignature } from '#contracts/tensor';
import type { InferRequest, ParsedTensor } from '../infer-request.ts';
import { servingErrors } from '../serving-errors.ts';
import { type AnswerHead, formatData } from './infer-response.ts';
import { JsonCursor } from './json-cursor.ts';
import { readTensor } from './tensor-reader.ts';

/**
 * Reads the body of `generate`: a JSON object whose keys are the model's inputs by name, each a value, a list or nested
 * lists; the shape follows from the signature. `id` and `parameters` are those of `infer`, every other scalar is a
 * parameter too. REQUEST_MALFORMED.
 */
export function parseGenerateRequest(body: Buffer, signature: ModelSignature): InferRequest {
  const cursor = new JsonCursor(body);
  const inputs: ParsedTensor[] = [];
  const parameters: Record<string, unknown> = {};
  let id: string | undefined;

  cursor.expect(0x7b);
  if (!cursor.take(0x7d)) {
    do {
      const field = cursor.string();
      cursor.expect(0x3a);
      const declared = signature.inputs.find(({ name }) => name === field);
      if (declared !== undefined) {
        inputs.push(readInput(cursor, body, declared));
        continue;
      }
      const value = cursor.value();
      if (field === 'id' && typeof value === 'string') id = value.slice(0, 1_024);
      else if (field === 'parameters' && typeof value === 'object' && !Array.isArray(value))
        Object.assign(parameters, value);
      else if (typeof value !== 'object') parameters[field] = value;
    } while (cursor.take(0x2c));
    cursor.expect(0x7d);
  }
  cursor.end();
  return { id, parameters, inputs, outputs: undefined };
}

function readInput(cursor: JsonCursor, body: Buffer, declared: TensorSignature): ParsedTensor {
  cursor.peek();
  const start = cursor.at;
  const value = cursor.value();
  const slice = body.subarray(start, cursor.at);
  const { name, datatype } = declared;
  const shape = shapeOf(declared, value);
  const front = `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(',')}],"data":`;
  const isList = Array.isArray(value);
  // Read once more from its text, as one of `infer` is: JSON.parse is not exact for integers of 64 bits.
  const text = Buffer.concat([Buffer.from(isList ? front : `${front}[`), slice, Buffer.from(isList ? '}' : ']}')]);
  const tensor = readTensor(new JsonCursor(text), text.length);
  if ('binaryBytes' in tensor) throw servingErrors.REQUEST_MALFORMED(`input "${name}" has no value`);
  return tensor;
}

/** The declared shape with its free dimensions filled: by how the value is nested, else by how many values it has. */
function shapeOf({ name, shape }: TensorSignature, value: unknown): readonly number[] {
  const nesting = nestingOf(value);
  const fits = nesting.length === shape.length && shape.every((d, index) => d === -1 || d === nesting[index]);
  if (fits) return nesting;
  const count = countValues(value);
  const known = shape.reduce((product, dimension) => (dimension === -1 ? product : product * dimension), 1);
  const free = shape.filter((dimension) => dimension === -1).length;
  // Of several free dimensions the first is the row: a flat value is one.
  let unfilled = free;
  const filled = shape.map((dimension) => {
    if (dimension !== -1) return dimension;
    unfilled -= 1;
    return unfilled === 0 ? count / known : 1;
  });
  if (free <= 2 && filled.every((dimension) => Number.isSafeInteger(dimension))) return filled;
  throw servingErrors.REQUEST_MALFORMED(
    `input "${name}" has ${count} values, of which none of the shape [${shape.join(', ')}] can be made; nest them by shape, or send them to infer`,
  );
}

function nestingOf(value: unknown): readonly number[] {
  const shape: number[] = [];
  for (let inner = value; Array.isArray(inner); inner = inner[0] as unknown) shape.push(inner.length);
  return shape;
}

function countValues(value: unknown): number {
  return Array.isArray(value) ? value.reduce((sum: number, one: unknown) => sum + countValues(one), 0) : 1;
}

/** The answer of `generate`: each output by its name, a list, or the value itself where there is one. */
export function formatGenerated({ model, version, id }: AnswerHead, outputs: readonly Tensor[]): string {
  let text = `{"model_name":${JSON.stringify(model)},"model_version":${JSON.stringify(version)}`;
  if (id !== undefined) text += `,"id":${JSON.stringify(id)}`;
  for (const { name, datatype, data } of outputs) {
    const values = formatData(datatype, data);
    text += `,${JSON.stringify(name)}:${data.length === 1 ? values : `[${values}]`}`;
  }
  return `${text}}`;
}
