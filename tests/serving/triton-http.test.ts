import { expect, test } from 'vitest';
import { type BytesElement, type Datatype, datatypes, isHalf, type Tensor } from '../../src/contracts/tensor.ts';
import { decodeInferRequest } from '../../src/serving/grpc/infer-request-codec.ts';
import { encodeInferResponse } from '../../src/serving/grpc/infer-response-codec.ts';
import { readRequestTensors } from '../../src/serving/grpc/request-tensors.ts';
import { inferMessage, readInferMessage } from '../../src/serving/grpc/testing/grpc-client.ts';
import { contentsFields } from '../../src/serving/grpc/typed-contents.ts';
import { parseInferRequest } from '../../src/serving/rest/infer-body.ts';
import { formatBinaryResponse, formatInferResponse } from '../../src/serving/rest/infer-response.ts';
import { binaryRequest } from '../../src/serving/testing/binary-request.ts';
import { useTritonPlane } from '../support/triton-plane.ts';

const scriptMs = 60_000;

const { plane, runScript } = useTritonPlane(
  { bc: 'breast-cancer.onnx', types: 'datatypes.onnx', half: 'half.onnx' },
  { scriptMs },
);

const refusal = (status: string, text: string) => [status, expect.stringContaining(text)];

test(
  'an unmodified tritonclient finds each of its calls answered, every datatype exactly and every refusal in words',
  async () => {
    const [seen = ''] = await runScript('triton_http.py', new URL(plane().url).host);
    const positive = expect.toSatisfy((value: unknown) => typeof value === 'number' && value > 0);
    expect(JSON.parse(seen)).toEqual({
      live: true,
      ready: true,
      model_ready: [true, true, false, false],
      server: 'tidemill',
      extensions: expect.arrayContaining(['binary_tensor_data', 'model_repository', 'statistics']),
      metadata: {
        name: 'bc',
        versions: ['bc'],
        platform: 'onnx_onnxruntime',
        inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 30] }],
        outputs: [
          { name: 'label', datatype: 'INT64', shape: [-1] },
          { name: 'probabilities', datatype: 'FP32', shape: [-1, 2] },
        ],
      },
      config: expect.objectContaining({
        name: 'bc',
        backend: 'onnxruntime',
        max_batch_size: 256,
        input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [30] }],
      }),
      index: [
        ['bc', 'bc', 'READY'],
        ['half', 'half', 'READY'],
        ['types', 'types', 'READY'],
      ],
      wrong: { binary: [], json: [], mixed: [], 'gzip both ways': [], 'deflate both ways': [] },
      half: true,
      rows: [400, 2],
      packed_alike: true,
      none: [[0], [0, 2]],
      named: ['q1', ['probabilities']],
      version: 'bc',
      async: [400],
      nan_answered: true,
      statistics: expect.objectContaining({
        name: 'bc',
        version: 'bc',
        last_inference: positive,
        inference_count: positive,
        execution_count: positive,
        inference_stats: {
          success: { count: positive, ns: positive },
          fail: { count: 0, ns: 0 },
          queue: { count: positive, ns: positive },
          compute_input: { count: positive, ns: positive },
          compute_infer: { count: positive, ns: positive },
          compute_output: { count: positive, ns: positive },
          cache_hit: { count: 0, ns: 0 },
          cache_miss: { count: 0, ns: 0 },
        },
      }),
      all_statistics: ['bc', 'half', 'types'],
      trace: ['OFF'],
      log: true,
      refused: {
        'unknown model': refusal('404', 'serves no model "nope"'),
        'unknown version': refusal('404', 'no version "9"'),
        columns: refusal('400', '[400, 29]'),
        datatype: refusal('400', 'FP64'),
        name: refusal('400', '"x" is missing'),
        output: refusal('400', 'odds'),
        sequence: refusal('400', 'sequence'),
        'shared memory': refusal('400', 'shared memory'),
        'shared memory status': refusal('400', 'shared memory'),
        'cuda shared memory': refusal('400', 'shared memory'),
        load: refusal('400', 'tidemill apply'),
        unload: refusal('400', 'tidemill apply'),
        'load of none': refusal('404', 'serves no model'),
        'trace settings': refusal('400', 'only read here'),
        'log settings': refusal('400', 'only read here'),
      },
    });
  },
  scriptMs,
);

const named = { modelName: 'm', modelVersion: '1', id: '', parameters: [] };

/** As the codec of gRPC reads it, in a message that another library has made. */
function overGrpc(given: {
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly raw?: Buffer;
  readonly contents?: readonly unknown[];
}): Tensor | undefined {
  const { datatype, shape, raw, contents } = given;
  const field = contentsFields[datatype]?.name ?? '';
  const bytes = inferMessage({
    model_name: 'm',
    inputs: [{ name: 'x', datatype, shape, ...(contents !== undefined && { contents: { [field]: contents } }) }],
    ...(raw !== undefined && { raw_input_contents: [raw] }),
  });
  return readRequestTensors(bytes, decodeInferRequest(bytes))[0];
}

/** The values of a vector as another library takes them for the contents of its datatype, which FP16 has not. */
function typedContents(datatype: Datatype, flat: string): readonly (readonly unknown[])[] {
  if (contentsFields[datatype] === undefined) return [];
  // 64 bits have no place in numbers of JavaScript: they go as text
  const values = JSON.parse(/INT64/.test(datatype) ? flat.replaceAll(/-?\d+/g, '"$&"') : flat) as readonly unknown[];
  return [datatype === 'BYTES' ? values.map((text) => Buffer.from(String(text))) : values];
}

interface Vector {
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly bytes: string;
  /** Absent where JSON cannot carry the values: then `elements` has them in base64. */
  readonly flat?: string;
  readonly nested?: string;
  readonly elements?: readonly string[];
}

/** A text where the bytes are one, else the bytes. */
function elementOf(base64: string): BytesElement {
  const bytes = Buffer.from(base64, 'base64');
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes) ? text : Uint8Array.from(bytes);
}

test(
  "numpy's tensors are read alike from their bytes, flat and nested, over REST and gRPC, and written back as numpy has them",
  async () => {
    const vectors = (await runScript('numpy_vectors.py', '11')).map((line) => JSON.parse(line) as Vector);
    expect(new Set(vectors.map(({ datatype }) => datatype))).toEqual(new Set(datatypes));
    for (const { datatype, shape, bytes, flat, nested, elements } of vectors) {
      const raw = Buffer.from(bytes, 'base64');
      const one = { name: 'x', datatype, shape };
      const header = (more: object) => JSON.stringify({ inputs: [{ ...one, ...more }] });
      const { body, headers } = binaryRequest(header({ parameters: { binary_data_size: raw.length } }), raw);
      const length = Number(headers['inference-header-content-length']);
      const read = parseInferRequest(body, length).inputs[0] as Tensor;
      expect({ ...read, data: [] }).toEqual({ ...one, data: [], hasNull: false });
      const answer = formatBinaryResponse({ model: 'm', version: '1', id: undefined }, [read], () => true);
      expect(answer.body.subarray(answer.headerBytes)).toEqual(raw);
      expect(read.data).toEqual(elements?.map(elementOf) ?? read.data);
      for (const data of isHalf(datatype) || flat === undefined ? [] : [flat, nested]) {
        const text = `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[${shape.join(',')}],"data":${data}}]}`;
        expect(parseInferRequest(Buffer.from(text)).inputs[0]?.data).toEqual(read.data);
      }
      expect(overGrpc({ ...one, raw })?.data).toEqual(read.data);
      for (const contents of flat === undefined
        ? [Array.from(read.data as readonly BytesElement[], (element) => Buffer.from(element as string))]
        : typedContents(datatype, flat))
        expect(overGrpc({ ...one, contents })?.data).toEqual(read.data);
      const grpcAnswer = readInferMessage(encodeInferResponse({ ...named, outputs: [read], raw: true }));
      expect(grpcAnswer).toMatchObject({
        outputs: [{ datatype, shape: shape.map(String) }],
        raw_output_contents: [raw],
      });
      if (flat === undefined) continue;
      const printed = formatInferResponse({ model: 'm', version: '1', id: undefined }, [read]);
      expect((JSON.parse(printed) as { outputs: [{ data: unknown[] }] }).outputs[0].data).toEqual(JSON.parse(flat));
    }
  },
  scriptMs,
);
