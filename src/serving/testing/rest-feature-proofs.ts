import { deflateSync, gunzipSync, gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { bytesOf, readBinaryAnswer } from './binary-request.ts';
import { bytes, column, halves, many, picked, row, types, x } from './rest-bodies.ts';
import { type RestPlane, refused, refusedBinary } from './rest-plane.ts';
import { columnsBody } from './test-plane.ts';

const columns = columnsBody(3);

const classesOf = (name: string, classification: unknown, more = {}) => ({
  ...x([1, 30], row),
  outputs: [{ name, parameters: { classification, ...more } }],
});

/** Both inputs of `echo` as binary data. */
const echoInputs = (rows: number, blobBytes: number) => [
  { name: 'blob', datatype: 'BYTES', shape: [rows, 1], parameters: { binary_data_size: blobBytes } },
  { name: 'half', datatype: 'BF16', shape: [rows, 2], parameters: { binary_data_size: 4 * rows } },
];

/** What a request may hold, and what becomes of it. */
export const featureProofs = (rest: RestPlane): Readonly<Record<string, () => Promise<void>>> => ({
  'data nested by shape, or flat and row-major': async () => {
    const flat = await rest.infer('bc', x([2, 30], [...row, ...row]));
    expect(flat.status).toBe(200);
    expect((await rest.infer('bc', x([2, 30], [row, row]))).json).toEqual(flat.json);
  },
  'zero rows': async () => {
    const { json } = await rest.infer('bc', x([0, 30], []));
    expect(json.outputs?.map(({ shape, data }) => [shape, data])).toEqual([
      [[0], []],
      [[0, 2], []],
    ]);
    const header = { inputs: [{ name: 'x', shape: [0, 30], datatype: 'FP32', parameters: { binary_data_size: 0 } }] };
    expect((await rest.inferBinary('bc', header)).status).toBe(200);
  },
  'INT64 and UINT64 in JSON, exactly': async () => {
    const body = JSON.stringify(types(column('INT64', 'INT64', ['min', 'max']), column('UINT64', 'UINT64', [0, 'top'])))
      .replace('"min","max"', '-9223372036854775808,9223372036854775807')
      .replace('"top"', '18446744073709551615');
    const { text } = await rest.infer('types', body);
    expect(text).toContain('"data":[-9223372036854775808,9223372036854775807]');
    expect(text).toContain('"data":[0,18446744073709551615]');
  },
  'BYTES as texts, in JSON and as binary data': async () => {
    const given = column('BYTES', 'BYTES', ['', 'Zürich ✈\n"']);
    const { json } = await rest.infer('types', types(given));
    expect(json.outputs?.find(({ name }) => name === 'BYTES_out')?.data).toEqual(given.data);
    const binary = (chunk: Buffer) => {
      const input = { name: 'BYTES', datatype: 'BYTES', shape: [1, 2], parameters: { binary_data_size: chunk.length } };
      return rest.inferBinary(
        'types',
        { ...types(input), outputs: [{ name: 'BYTES_out', parameters: { binary_data: true } }] },
        chunk,
      );
    };
    const chunk = bytesOf('', 'Zürich ✈\n"');
    expect((await readBinaryAnswer(await binary(chunk))).outputs[0]?.bytes).toEqual(chunk);
    await refusedBinary(binary(bytesOf('a', 'b\0')), 'U+0000');
  },
  'BYTES that are no text, as binary data': async () => {
    const blobs = bytesOf('text', Uint8Array.of(0xff, 0xfe, 0));
    const half = bytes(Uint16Array.of(0x3f80, 0, 0, 0x8000));
    const echo = (more: object) =>
      rest.inferBinary('echo', { inputs: echoInputs(2, blobs.length), ...more }, blobs, half);
    const { outputs } = await readBinaryAnswer(await echo({ parameters: { binary_data_output: true } }));
    expect(outputs.map(({ name, bytes: behind }) => [name, behind])).toEqual([
      ['blob_out', blobs],
      ['half_out', half],
    ]);
    await refusedBinary(echo({}), '"binary_data_output": true');
    const onnx = { name: 'BYTES', datatype: 'BYTES', shape: [1, 2], parameters: { binary_data_size: blobs.length } };
    await refusedBinary(rest.inferBinary('types', types(onnx), blobs), 'takes texts alone');
  },
  'null for NaN': async () => {
    const distance = (value: unknown) => ({
      inputs: columns.inputs.map((input) => (input.name === 'distance' ? { ...input, data: [value] } : input)),
    });
    expect((await rest.infer('m', distance(null))).json.outputs?.[0]?.data).toEqual([null]);
    await refused(rest.infer('bc', x([1, 30], [null, ...row.slice(1)])), 400, 'null');
    await refused(rest.infer('bc', JSON.stringify(x([1, 30], row)).replace('[0,1', '[NaN,1')), 400, 'a number');
    const header = {
      inputs: [
        ...columns.inputs.slice(0, 2),
        { name: 'distance', shape: [1, 1], datatype: 'FP32', parameters: { binary_data_size: 4 } },
      ],
    };
    const { outputs } = await readBinaryAnswer(await rest.inferBinary('m', header, bytes(Float32Array.of(Number.NaN))));
    expect(outputs[0]?.data).toEqual([null]);
  },
  'binary tensors': async () => {
    const long = BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n);
    const inputs = types(
      { name: 'BOOL', datatype: 'BOOL', shape: [1, 2], parameters: { binary_data_size: 2 } },
      { name: 'INT64', datatype: 'INT64', shape: [1, 2], parameters: { binary_data_size: 16 } },
    );
    const outputs = ['BOOL', 'INT64', 'FP32'].map((name) => ({
      name: `${name}_out`,
      parameters: { binary_data: name !== 'FP32' },
    }));
    // wherever the JSON ends, so that the data are aligned and not
    for (const blanks of [0, 1, 4, 7]) {
      const header = JSON.stringify({ ...inputs, outputs }) + ' '.repeat(blanks);
      const answer = await rest.inferBinary('types', header, Uint8Array.of(1, 0), bytes(long));
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/octet-stream']);
      const read = await readBinaryAnswer(answer);
      expect(read.headerBytes % 8).toBe(0);
      expect(read.outputs).toEqual([
        { name: 'BOOL_out', datatype: 'BOOL', shape: [1, 2], bytes: Buffer.of(1, 0) },
        { name: 'INT64_out', datatype: 'INT64', shape: [1, 2], bytes: bytes(long) },
        { name: 'FP32_out', datatype: 'FP32', shape: [1, 2], data: [1, 2] },
      ]);
    }
  },
  'binary_data of an output, binary_data_output of all': async () => {
    const ask = async (more: object) => {
      const response = await fetch(`${rest.base}/v2/models/bc/infer`, {
        method: 'POST',
        body: JSON.stringify({ ...x([1, 30], row), ...more }),
      });
      const { outputs } = await readBinaryAnswer(response);
      return outputs.map(({ name, bytes: behind }) => [name, behind !== undefined]);
    };
    const parameters = { binary_data_output: true };
    expect(await ask({ parameters })).toEqual([
      ['label', true],
      ['probabilities', true],
    ]);
    const label = { name: 'label', parameters: { binary_data: false } };
    expect(await ask({ parameters, outputs: [label, { name: 'probabilities' }] })).toEqual([
      ['label', false],
      ['probabilities', true],
    ]);
    expect(await ask({ outputs: [{ name: 'label' }] })).toEqual([['label', false]]);
    await refused(
      rest.infer('bc', { ...x([1, 30], row), outputs: [{ name: 'label', parameters: { binary_data: 1 } }] }),
      400,
      'binary_data',
    );
  },
  'FP16 as binary data': async () => {
    const bits = bytes(Uint16Array.of(0x3e00, 0x8000));
    const wanted = { outputs: [{ name: 'half_out', parameters: { binary_data: true } }] };
    const { outputs } = await readBinaryAnswer(await rest.inferBinary('half', { inputs: [halves], ...wanted }, bits));
    expect(outputs[0]).toEqual({ name: 'half_out', datatype: 'FP16', shape: [1, 2], bytes: bits });
    const inJson = await readBinaryAnswer(await rest.inferBinary('half', { inputs: [halves] }, bits));
    expect(inJson.outputs[0]).toEqual({ name: 'half_out', datatype: 'FP32', shape: [1, 2], data: [1.5, -0] });
    await refused(rest.infer('half', { inputs: [column('half', 'FP16', [1, 2])] }), 400, 'binary data');
  },
  'BF16 as binary data': async () => {
    const blob = bytesOf('');
    const half = bytes(Uint16Array.of(0x4049, 0x8000)); // 3.140625, -0
    const inJson = await readBinaryAnswer(
      await rest.inferBinary('echo', { inputs: echoInputs(1, blob.length) }, blob, half),
    );
    expect(inJson.outputs[1]).toEqual({ name: 'half_out', datatype: 'FP32', shape: [1, 2], data: [3.140625, -0] });
    await refused(
      rest.infer('echo', { inputs: [column('half', 'BF16', [1, 2])] }),
      400,
      'is BF16, which JSON cannot carry',
    );
  },
  'outputs selected, in their order': async () => {
    const body = { ...x([1, 30], row), outputs: [{ name: 'probabilities' }, { name: 'label' }] };
    expect((await rest.infer('bc', body)).json.outputs?.map(({ name }) => name)).toEqual(['probabilities', 'label']);
    await refused(rest.infer('bc', { ...x([1, 30], row), outputs: [{ name: 'odds' }] }), 400, 'odds');
  },
  'id, echoed': async () => {
    expect((await rest.infer('gather', picked(1, { id: 'q' }))).json['id']).toBe('q');
    expect((await rest.infer('gather', picked(1), { 'x-request-id': 'h' })).json).not.toHaveProperty('id');
    await refused(rest.infer('gather', picked(1, { id: 7 })), 400, '"id"');
  },
  parameters: async () => {
    expect((await rest.infer('gather', picked(1, { parameters: { keys: 'k', priority: 1, own: true } }))).status).toBe(
      200,
    );
    await refused(rest.infer('gather', picked(1, { parameters: [] })), 400, 'object');
  },
  'a body in gzip or deflate': async () => {
    const body = Buffer.from(JSON.stringify(picked(2)));
    for (const [encoding, packed] of [
      ['gzip', gzipSync(body)],
      ['deflate', deflateSync(body)],
    ] as const) {
      const { status, json } = await rest.infer('gather', packed, { 'content-encoding': encoding });
      expect([encoding, status, json.outputs?.[0]?.data]).toEqual([encoding, 200, [30]]);
      await refused(rest.infer('gather', body, { 'content-encoding': encoding }), 400, encoding);
      await refused(rest.infer('gather', packed.subarray(0, 20), { 'content-encoding': encoding }), 400, encoding);
    }
    await refused(rest.infer('gather', body, { 'content-encoding': 'br' }), 400, '"br"');
  },
  'an answer in gzip or deflate': async () => {
    const plain = await rest.infer('bc', many, { 'accept-encoding': 'identity' });
    expect(plain.text.length).toBeGreaterThan(16_384);
    const raw = await rest.raw('bc', many, 'br;q=1, gzip;q=0.5, deflate;q=0');
    expect(raw.head).toMatch(/content-encoding: gzip/i);
    expect(JSON.parse(gunzipSync(raw.body).toString())).toEqual(plain.json);
    expect(raw.body.length).toBeLessThan(plain.text.length * 0.9);
    const small = await rest.raw('gather', picked(1), 'gzip');
    expect(small.head).not.toMatch(/content-encoding/i);
    expect((await rest.raw('bc', many, 'gzip;q=0')).head).not.toMatch(/content-encoding/i);
  },
  'classification of an output': async () => {
    const plain = await rest.infer('bc', { ...x([1, 30], row), outputs: [{ name: 'probabilities' }] });
    const ranked = Array.from((plain.json.outputs?.[0]?.data ?? []) as number[])
      .map((value, index) => ({ value, text: `${value.toFixed(6)}:${index}` }))
      .toSorted((a, b) => b.value - a.value)
      .map(({ text }) => text);
    for (const count of [1, 2, 9]) {
      const { json } = await rest.infer('bc', classesOf('probabilities', count));
      const data = ranked.slice(0, count);
      expect(json.outputs).toEqual([{ name: 'probabilities', datatype: 'BYTES', shape: [1, data.length], data }]);
    }
    const binary = await rest.infer('bc', classesOf('probabilities', 1, { binary_data: true }));
    expect(binary.text).toContain(ranked[0]);
    expect((await rest.infer('bc', classesOf('label', 1))).json.outputs?.[0]?.data).toEqual([
      expect.stringMatching(/^[01]:0$/),
    ]);
    await refused(rest.infer('bc', classesOf('probabilities', 'two')), 400, 'classification');
    const texts = { outputs: [{ name: 'carrier_out', parameters: { classification: 1 } }] };
    await refused(rest.infer('columns', columnsBody(1, texts)), 400, 'no greatest values');
  },
  'shared memory for a tensor': async () => {
    const parameters = { shared_memory_region: 'r', shared_memory_byte_size: 8 };
    const input = { name: 'index', shape: [1], datatype: 'INT64', parameters };
    await refused(rest.infer('gather', { inputs: [input] }), 400, 'shared memory');
    await refused(rest.infer('gather', picked(1, { outputs: [{ name: 'picked', parameters }] })), 400, 'shared memory');
  },
  sequence_id: async () => {
    await refused(
      rest.infer('gather', picked(1, { parameters: { sequence_id: 4, sequence_start: true } })),
      400,
      'sequence',
    );
    expect((await rest.infer('gather', picked(1, { parameters: { sequence_id: 0 } }))).status).toBe(200);
  },
});
