import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Datatype, datatypes, elementWidths, type Tensor, viewOf } from '#contracts/tensor';
import { tensorByteLength, writeTensorData } from '#contracts/tensor-bytes';
import { isAppError } from '#platform/errors';
import { binaryRequest, bytesOf, readBinaryAnswer } from '../testing/binary-request.ts';
import { parseHeaderBytes, parseInferRequest } from './infer-body.ts';
import { formatBinaryResponse } from './infer-response.ts';

const rawOf = (tensor: Tensor): Buffer => {
  const raw = Buffer.alloc(tensorByteLength(tensor));
  writeTensorData(raw, 0, tensor.data);
  return raw;
};

/** Any tensor of any datatype, with at most 24 values. */
const tensors: fc.Arbitrary<Omit<Tensor, 'name'>> = fc
  .tuple(
    fc.constantFrom<Datatype>(...datatypes),
    fc.array(fc.nat(3), { maxLength: 3 }).filter((shape) => shape.reduce((product, d) => product * d, 1) <= 24),
    fc.uint8Array({ minLength: 192, maxLength: 192 }),
    fc.array(fc.string({ unit: 'grapheme' }), { minLength: 24, maxLength: 24 }),
  )
  .map(([datatype, shape, bytes, texts]) => {
    const count = shape.reduce((product, dimension) => product * dimension, 1);
    if (datatype === 'BYTES') return { datatype, shape, data: texts.slice(0, count) };
    const copy = Uint8Array.from(bytes, (byte) => (datatype === 'BOOL' ? byte % 2 : byte));
    return { datatype, shape, data: viewOf(datatype, copy.buffer, 0, count) };
  });

test('any tensors come out of a binary request, and back into an answer, as they were, aligned or not', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(tensors, { maxLength: 4 }), fc.nat(8), async (some, blanks) => {
      const named = some.map((tensor, index) => ({ ...tensor, name: `t${index}` }));
      const raws = named.map(rawOf);
      const inputs = named.map(({ name, datatype, shape }, index) => ({
        name,
        datatype,
        shape,
        parameters: { binary_data_size: raws[index]?.length },
      }));
      const { body, headers } = binaryRequest(JSON.stringify({ inputs }) + ' '.repeat(blanks), ...raws);
      const length = parseHeaderBytes(headers['inference-header-content-length'], body.length);
      const read = parseInferRequest(body, length).inputs;
      expect(read.map(rawOf)).toEqual(raws);
      expect(read.map(({ name, datatype, shape }) => ({ name, datatype, shape }))).toEqual(
        named.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
      );
      const answer = formatBinaryResponse({ model: 'm', version: '1', id: 'i' }, read, () => true);
      const response = new Response(new Uint8Array(answer.body), {
        headers: { 'inference-header-content-length': String(answer.headerBytes) },
      });
      const { outputs } = await readBinaryAnswer(response);
      expect(outputs.map(({ bytes }) => bytes)).toEqual(raws);
    }),
    { numRuns: 300 },
  );
});

test('aligned numbers are read in place, others are copied, and both are the numbers', () => {
  const raw = Buffer.from(Float64Array.of(1.5, -2).buffer);
  const header = '{"inputs":[{"name":"x","datatype":"FP64","shape":[2],"parameters":{"binary_data_size":16}}]}';
  for (const blanks of [0, 1, 2, 3, 4, 5, 6, 7]) {
    const json = Buffer.from(header + ' '.repeat(blanks));
    const memory = Buffer.alloc(json.length + raw.length); // begins at a multiple of 8
    const body = Buffer.concat([json, raw]);
    memory.set(body);
    const data = parseInferRequest(memory, json.length).inputs[0]?.data as Float64Array;
    expect([...data]).toEqual([1.5, -2]);
    expect(data.buffer === memory.buffer).toBe((memory.byteOffset + json.length) % 8 === 0);
  }
});

const known = new Set(['REQUEST_MALFORMED', 'SHARED_MEMORY_NOT_YET', 'SEQUENCES_NOT_YET']);

const outcomeOf = (body: Buffer, header: string): string => {
  try {
    parseInferRequest(body, parseHeaderBytes(header, body.length));
    return 'read';
  } catch (error) {
    return isAppError(error) && known.has(error.code) ? 'refused' : String(error);
  }
};

test('a damaged binary request is refused in words or read, and never fails otherwise', () => {
  const texts = bytesOf('Zürich', '');
  const doubles = Buffer.alloc(elementWidths.FP64 * 2);
  const { body: whole, headers } = binaryRequest(
    {
      id: 'q',
      parameters: { binary_data_output: true, sequence_id: 0 },
      inputs: [
        { name: 'd', datatype: 'FP64', shape: [1, 2], parameters: { binary_data_size: doubles.length } },
        { name: 'j', datatype: 'INT64', shape: [2], data: [1, -9007199254740991] },
        { name: 't', datatype: 'BYTES', shape: [2], parameters: { binary_data_size: texts.length } },
      ],
      outputs: [{ name: 'y', parameters: { binary_data: true, classification: 0 } }],
    },
    doubles,
    texts,
  );
  const length = Number(headers['inference-header-content-length']);
  expect(outcomeOf(whole, String(length))).toBe('read');
  let refused = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 4 }),
      fc.oneof(fc.constant(whole.length), fc.nat(whole.length)),
      fc.oneof({ weight: 4, arbitrary: fc.constant(String(length)) }, fc.nat(400).map(String), fc.string()),
      (changes, cut, header) => {
        const damaged = Buffer.from(whole);
        for (const [at, byte] of changes) damaged.writeUInt8(byte, at);
        const outcome = outcomeOf(damaged.subarray(0, cut), header);
        if (outcome === 'refused') refused += 1;
        expect(['read', 'refused']).toContain(outcome);
      },
    ),
    { numRuns: 3_000 },
  );
  expect(refused).toBeGreaterThan(100);
});
