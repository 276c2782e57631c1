import { loadSync } from '@grpc/proto-loader';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type BytesElement,
  type Datatype,
  datatypes,
  elementWidths,
  emptyData,
  isHalf,
  type TensorData,
} from '#contracts/tensor';
import { readElement } from '#contracts/tensor-bytes';
import { describeFile, fileDescriptor } from './file-descriptor.ts';
import { healthDescription } from './health-service.ts';
import { decodeInferRequest } from './infer-request-codec.ts';
import { encodeInferResponse } from './infer-response-codec.ts';
import { inferenceService } from './inference-messages.ts';
import { decodeMessage, encodeMessage } from './proto-message.ts';
import { readRequestTensors } from './request-tensors.ts';
import { protoOptions, protoPath } from './testing/grpc-client.ts';
import { contentsFields } from './typed-contents.ts';

const definition = loadSync(protoPath, protoOptions);
const { ModelInfer: theirs } = definition['inference.GRPCInferenceService'] as unknown as Record<
  string,
  {
    requestSerialize(value: unknown): Buffer;
    responseDeserialize(bytes: Buffer): Record<string, unknown>;
    requestDeserialize(bytes: Buffer): Record<string, unknown>;
  }
>;
if (theirs === undefined) throw new Error('the .proto file has no ModelInfer');

/** One parser names types in full, another as they stand in the file. */
const lastName = (name: string): string | undefined =>
  name
    .split('.')
    .at(-1)
    ?.replace(/Entry$/, '');

/** Messages by full name, each with its fields: order and places of descriptors apart. */
function flatten(bytes: Buffer) {
  const file = decodeMessage(fileDescriptor, bytes);
  const messages: Record<string, unknown> = {};
  type Described = (typeof file.message_type)[number];
  const visit = ({ name, field, nested_type, oneof_decl, options }: Described, place: string): void => {
    const fields = field.map((one) => ({ ...one, type_name: lastName(one.type_name) }));
    // protoc and we say ParametersEntry for the entries of a map, protobufjs says Parameters
    const isEntry = options?.map_entry === true;
    messages[isEntry ? `${place}.${name.replace(/Entry$/, '')}` : `${place}.${name}`] = {
      fields: fields.toSorted((a, b) => a.number - b.number),
      oneofs: oneof_decl.map((one) => one.name),
      isEntry,
    };
    for (const nested of nested_type ?? []) visit(nested as Described, `${place}.${name}`);
  };
  for (const described of file.message_type) visit(described, file.package);
  const services = file.service.map(({ name, method }) => ({
    name,
    method: method.map((one) => ({
      ...one,
      input_type: lastName(one.input_type),
      output_type: lastName(one.output_type),
    })),
  }));
  return { messages, enums: file.enum_type, services };
}

test('an enumeration of a message is described inside it, as clients of reflection take it alone', () => {
  const file = decodeMessage(fileDescriptor, describeFile(healthDescription).bytes);
  expect(file.enum_type).toEqual([]);
  expect(file.message_type.map(({ name, enum_type: enums }) => [name, enums.map((one) => one.name)])).toEqual([
    ['HealthCheckRequest', []],
    ['HealthCheckResponse', ['ServingStatus']],
  ]);
});

test('the .proto file and the description that the program reads and writes by say the same', () => {
  const service = Object.values(definition).find((entry) => 'fileDescriptorProtos' in entry);
  const [file] = (service as { readonly fileDescriptorProtos: readonly Buffer[] }).fileDescriptorProtos;
  const written = flatten(file ?? Buffer.alloc(0));
  const own = flatten(describeFile(inferenceService).bytes);
  expect(Object.keys(own.messages).toSorted()).toEqual(Object.keys(written.messages).toSorted());
  for (const [name, described] of Object.entries(own.messages))
    expect([name, described]).toEqual([name, written.messages[name]]);
  expect(own.services).toEqual(written.services);
  expect(own.enums).toEqual(written.enums);
});

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });
const elements: Readonly<Record<Datatype, fc.Arbitrary<number | bigint | BytesElement>>> = {
  BOOL: fc.integer({ min: 0, max: 1 }),
  INT8: fc.integer({ min: -128, max: 127 }),
  INT16: fc.integer({ min: -32_768, max: 32_767 }),
  INT32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  INT64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  UINT8: fc.integer({ min: 0, max: 255 }),
  UINT16: fc.integer({ min: 0, max: 65_535 }),
  UINT32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  UINT64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  FP16: fc.integer({ min: 0, max: 65_535 }),
  BF16: fc.integer({ min: 0, max: 65_535 }),
  FP32: fc.float(),
  FP64: fc.double(),
  BYTES: fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array().map((bytes) => readElement(Buffer.from(bytes), 0, bytes.length)),
  ),
};
const tensor = fc.constantFrom(...datatypes).chain((datatype) =>
  shapes.chain((shape) => {
    const count = shape.reduce((product, dimension) => product * dimension, 1);
    return fc.record({
      name: fc.string(),
      datatype: fc.constant(datatype),
      shape: fc.constant(shape),
      data: fc.array(elements[datatype], { minLength: count, maxLength: count }).map((values): TensorData => {
        if (datatype === 'BYTES') return values as string[];
        const data = emptyData(datatype, count);
        for (const [index, value] of values.entries()) (data as unknown as (number | bigint)[])[index] = value as never;
        return data;
      }),
    });
  }),
);
type TestTensor = typeof tensor extends fc.Arbitrary<infer T> ? T : never;

function rawOf({ datatype, data }: TestTensor): Buffer {
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.concat(
    data.flatMap((text) => {
      const bytes = Buffer.from(text);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  ).subarray(0, elementWidths[datatype] === 0 ? undefined : 0);
}

function contentsOf({ datatype, data }: TestTensor) {
  const field = contentsFields[datatype];
  if (field === undefined) return undefined;
  const values = Array.from(data as ArrayLike<number | bigint | string>, (value) =>
    datatype === 'BYTES' ? Buffer.from(value as string) : typeof value === 'bigint' ? String(value) : value,
  );
  return { [field.name]: datatype === 'BOOL' ? values.map((value) => value !== 0) : values };
}

const bits = ({ data }: { readonly data: TensorData }): unknown =>
  ArrayBuffer.isView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex') : data;

test('a request that another protobuf wrote is read as it was meant, raw and typed', () => {
  fc.assert(
    fc.property(fc.array(tensor, { minLength: 1, maxLength: 3 }), fc.boolean(), fc.string(), (tensors, raw, id) => {
      const given = raw ? tensors : tensors.filter(({ datatype }) => !isHalf(datatype));
      const bytes = theirs.requestSerialize({
        model_name: 'm',
        model_version: '3',
        id,
        parameters: {
          flag: { bool_param: true },
          n: { int64_param: '-7' },
          big: { uint64_param: String(2n ** 63n) },
          x: { double_param: 0.5 },
          s: { string_param: id },
        },
        inputs: given.map((one) => ({
          name: one.name,
          datatype: one.datatype,
          shape: one.shape,
          ...(!raw && { contents: contentsOf(one) }),
        })),
        outputs: [{ name: 'b' }, { name: 'a' }],
        ...(raw && { raw_input_contents: given.map(rawOf) }),
      });
      const message = decodeInferRequest(bytes);
      expect(message).toMatchObject({ modelName: 'm', modelVersion: '3', id, outputs: ['b', 'a'] });
      expect(message.parameters).toEqual({ flag: true, n: -7, big: String(2n ** 63n), x: 0.5, s: id });
      const read = readRequestTensors(bytes, message);
      expect(read.map((one) => [one.name, one.datatype, one.shape, bits(one)])).toEqual(
        given.map((one) => [one.name, one.datatype, one.shape, bits(one)]),
      );
    }),
  );
});

test('an answer is read by another protobuf as it was meant, raw and typed, and by ours', () => {
  fc.assert(
    fc.property(fc.array(tensor, { maxLength: 3 }), fc.boolean(), (outputs, raw) => {
      const bytes = encodeInferResponse({
        modelName: 'm',
        modelVersion: '1',
        id: 'q',
        parameters: [
          ['prediction_id', 'p'],
          ['final', true],
        ],
        outputs,
        raw,
      });
      const answer = theirs.responseDeserialize(bytes) as unknown as {
        readonly parameters: unknown;
        readonly outputs: readonly {
          readonly name: string;
          readonly shape: readonly string[];
          readonly contents: Record<string, unknown[]> | null;
        }[];
        readonly raw_output_contents: readonly Buffer[];
      };
      expect(answer.parameters).toEqual({
        prediction_id: { string_param: 'p', parameter_choice: 'string_param' },
        final: { bool_param: true, parameter_choice: 'bool_param' },
      });
      expect(answer.outputs.map(({ name, shape }) => [name, shape.map(Number)])).toEqual(
        outputs.map(({ name, shape }) => [name, shape]),
      );
      const isRaw = raw || outputs.some(({ datatype }) => isHalf(datatype));
      expect(answer.raw_output_contents.map((part) => part.toString('hex'))).toEqual(
        isRaw ? outputs.map((one) => rawOf(one).toString('hex')) : [],
      );
      const typed = outputs.map((output, index) => {
        const field = contentsFields[output.datatype]?.name ?? '';
        return [answer.outputs[index]?.contents?.[field] ?? [], isRaw ? [] : contentsOf(output)?.[field]];
      });
      expect(typed.map(([read]) => read)).toEqual(typed.map(([, written]) => written));
      // our general codec has numbers, as what is asked now and then needs no more
      if (outputs.some(({ datatype }) => elementWidths[datatype] === 8)) return;
      const { response } = inferenceService.calls.ModelInfer;
      expect(theirs.responseDeserialize(encodeMessage(response, decodeMessage(response, bytes)))).toEqual(answer);
    }),
  );
});
