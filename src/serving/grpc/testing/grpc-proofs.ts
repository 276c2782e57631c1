import { once } from 'node:events';
import { Client, compressionAlgorithms, credentials, status } from '@grpc/grpc-js';
import { expect, onTestFinished } from 'vitest';
import { bytesOf } from '../../testing/binary-request.ts';
import { aLocalPlane } from '../../testing/local-plane-in-test.ts';
import { fixtureFolder } from '../../testing/test-plane.ts';
import { createTestClient, type StreamAnswer } from './grpc-client.ts';
import type { GrpcTestPlane } from './grpc-plane.ts';

const asItIs = (bytes: Buffer): Buffer => bytes;
const half = (more: object) => ({ name: 'half', datatype: 'FP16', shape: [1, 2], ...more });

const echoInputs = (rows: number) => [
  { name: 'blob', datatype: 'BYTES', shape: [rows, 1] },
  { name: 'half', datatype: 'BF16', shape: [rows, 2] },
];

const gather = (more = {}) => ({
  model_name: 'gather',
  inputs: [{ name: 'index', datatype: 'INT64', shape: [1], contents: { int64_contents: [1] } }],
  ...more,
});

/** A plane without a control plane, with these models of the fixtures loaded. */
async function aLocal(only: readonly string[]) {
  const { grpcAddress = '' } = await aLocalPlane(fixtureFolder, { only });
  const client = createTestClient(grpcAddress);
  onTestFinished(() => client.close());
  return { client };
}

const classesOf = (count: object) => gather({ outputs: [{ name: 'picked', parameters: { classification: count } }] });

/** What proves each row of `openInferenceGrpc`. */
export function grpcProofs(running: () => GrpcTestPlane): Readonly<Record<string, () => Promise<void>>> {
  const call = (...given: Parameters<GrpcTestPlane['client']['call']>) => running().client.call(...given);
  const ends = async (method: string, request: unknown, code: number, says = '') =>
    expect(await call(method, request)).toMatchObject({ code, details: expect.stringContaining(says) });
  const gives = async (method: string, request: unknown, value: object) =>
    expect(await call(method, request)).toMatchObject({ code: status.OK, value });
  const { UNIMPLEMENTED, INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED } = status;
  const refuses = (method: string, request: unknown, says: string) => async () =>
    ends(method, request, UNIMPLEMENTED, says);
  const shared = ['System', 'Cuda'].flatMap((kind) =>
    ['Status', 'Register', 'Unregister'].map((what) => `${kind}SharedMemory${what}`),
  );
  const answers = (path: string, bytes: Buffer, holds: string) => async () => {
    const talk = running().client.converse(path);
    talk.write(bytes);
    const [answer] = (await once(talk, 'data')) as [Buffer];
    expect(answer.toString('latin1')).toContain(holds);
    talk.end();
    await once(talk, 'end');
  };
  const listServices = Buffer.from('3a012a', 'hex'); // list_services: "*"

  return {
    'rpc ServerLive': () => gives('ServerLive', {}, { live: true }),
    'rpc ServerReady': () => gives('ServerReady', {}, { ready: true }),
    'rpc ServerMetadata': () => gives('ServerMetadata', {}, { name: 'tidemill' }),
    'rpc ModelMetadata': () => gives('ModelMetadata', { name: 'm', version: '1' }, { name: 'm', versions: ['1'] }),
    'rpc ModelReady': async () => {
      await gives('ModelReady', { name: 'm' }, { ready: true });
      await gives('ModelReady', { name: 'waiting' }, { ready: false });
      await ends('ModelReady', { name: 'nope' }, NOT_FOUND);
    },
    'rpc ModelInfer': async () => {
      const { value, trailers } = await call('ModelInfer', gather());
      expect(value['parameters']).toMatchObject({
        prediction_id: { string_param: trailers['x-tidemill-prediction-id'] },
        revision: { string_param: trailers['x-tidemill-revision'] },
      });
    },
    'rpc ModelStreamInfer': async () => {
      const stream = running().client.stream();
      stream.write(gather({ id: 'a', model_name: 'nope' }));
      const [failed] = (await once(stream, 'data')) as [StreamAnswer];
      expect([failed.infer_response.id, failed.error_message]).toEqual(['a', expect.stringContaining('nope')]);
      stream.write(gather({ id: 'b' }));
      expect(((await once(stream, 'data')) as [StreamAnswer])[0]).toMatchObject({ error_message: '' });
      stream.end();
      await once(stream, 'end');
    },
    'rpc ModelConfig': () => gives('ModelConfig', { name: 'bc' }, { config: { max_batch_size: 256 } }),
    'rpc ModelStatistics': () =>
      gives('ModelStatistics', {}, { model_stats: expect.arrayContaining([expect.objectContaining({ name: 'bc' })]) }),
    'rpc RepositoryIndex': () =>
      gives(
        'RepositoryIndex',
        {},
        { models: expect.arrayContaining([expect.objectContaining({ name: 'flights/m' })]) },
      ),
    'rpc RepositoryModelLoad': async () => {
      await ends('RepositoryModelLoad', { model_name: 'bc' }, UNIMPLEMENTED, 'tidemill apply');
      await ends('RepositoryModelLoad', { model_name: 'nope' }, NOT_FOUND);
      const { client } = await aLocal([]);
      expect((await client.call('ModelReady', { name: 'gather' })).value).toEqual({ ready: false });
      expect((await client.call('RepositoryModelLoad', { model_name: 'gather' })).code).toBe(status.OK);
      expect((await client.call('ModelReady', { name: 'gather' })).value).toEqual({ ready: true });
      expect((await client.call('RepositoryModelLoad', { model_name: 'nope' })).code).toBe(NOT_FOUND);
    },
    'rpc RepositoryModelUnload': async () => {
      await ends('RepositoryModelUnload', { model_name: 'bc' }, UNIMPLEMENTED, 'tidemill apply');
      const { client } = await aLocal(['gather']);
      expect((await client.call('RepositoryModelUnload', { model_name: 'gather' })).code).toBe(status.OK);
      expect((await client.call('ModelReady', { name: 'gather' })).value).toEqual({ ready: false });
    },
    'rpc TraceSetting': async () => {
      await gives(
        'TraceSetting',
        {},
        { settings: { trace_level: { value: ['OFF'] }, trace_mode: { value: ['opentelemetry'] } } },
      );
      await ends('TraceSetting', { settings: { trace_level: { value: ['x'] } } }, UNIMPLEMENTED, 'only read');
    },
    'rpc LogSettings': async () => {
      await gives('LogSettings', {}, { settings: { log_info: { bool_param: true } } });
      await ends('LogSettings', { settings: { log_info: { bool_param: false } } }, UNIMPLEMENTED, 'only read');
    },
    ...Object.fromEntries(shared.map((name) => [`rpc ${name}`, refuses(name, { name: 'a' }, 'shared memory')])),
    'rpc grpc.health.v1.Health/Check': async () =>
      expect((await running().client.send('/grpc.health.v1.Health/Check', Buffer.alloc(0))).bytes).toEqual(
        Buffer.of(8, 1),
      ),
    'rpc grpc.health.v1.Health/Watch': async () => {
      const watch = running().client.watch('/grpc.health.v1.Health/Watch', Buffer.alloc(0));
      expect(await once(watch, 'data')).toEqual([Buffer.of(8, 1)]);
      watch.on('error', () => undefined); // given up
      watch.cancel();
    },
    ...Object.fromEntries(
      ['v1', 'v1alpha'].map((version) => {
        const path = `grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
        return [`rpc ${path}`, answers(`/${path}`, listServices, 'inference.GRPCInferenceService')];
      }),
    ),
    'raw_input_contents or contents': async () => {
      const raw = Buffer.from(BigInt64Array.of(1n).buffer);
      const asRaw = {
        ...gather(),
        inputs: [{ name: 'index', datatype: 'INT64', shape: [1] }],
        raw_input_contents: [raw],
      };
      await gives('ModelInfer', asRaw, { raw_output_contents: [Buffer.from(Float32Array.of(20).buffer)] });
      await gives('ModelInfer', gather(), {
        raw_output_contents: [],
        outputs: [{ contents: { fp32_contents: [20] } }],
      });
      await ends('ModelInfer', gather({ raw_input_contents: [raw] }), INVALID_ARGUMENT, 'one or the other');
    },
    'FP16 and BF16': async () => {
      const bytes = Buffer.of(0, 60, 0, 192);
      const request = { model_name: 'half', inputs: [half({})], raw_input_contents: [bytes] };
      await gives('ModelInfer', request, { raw_output_contents: [bytes] });
      const typed = { model_name: 'half', inputs: [half({ contents: { fp32_contents: [1, -2] } })] };
      await ends('ModelInfer', typed, INVALID_ARGUMENT, 'raw_input_contents');
      const [blob, bits] = [bytesOf(''), Buffer.of(0x80, 0x3f, 0x49, 0x40)];
      const brains = { model_name: 'echo', inputs: echoInputs(1), raw_input_contents: [blob, bits] };
      await gives('ModelInfer', brains, { raw_output_contents: [blob, bits] });
    },
    'BYTES that are no text': async () => {
      const blobs = bytesOf('text', Uint8Array.of(0xff, 0xfe, 0));
      const raw = [blobs, Buffer.alloc(8)];
      const request = { model_name: 'echo', inputs: echoInputs(2), raw_input_contents: raw };
      await gives('ModelInfer', request, { raw_output_contents: raw });
      const carrier = {
        name: 'carrier',
        datatype: 'BYTES',
        shape: [1, 1],
        contents: { bytes_contents: [Buffer.of(0xff)] },
      };
      const columns = [
        carrier,
        { name: 'flight', datatype: 'INT64', shape: [1, 1], contents: { int64_contents: [1] } },
        { name: 'distance', datatype: 'FP32', shape: [1, 1], contents: { fp32_contents: [1] } },
      ];
      await ends('ModelInfer', { model_name: 'm', inputs: columns }, INVALID_ARGUMENT, 'takes texts alone');
    },
    'a message in gzip or deflate': async () => {
      for (const algorithm of [compressionAlgorithms.gzip, compressionAlgorithms.deflate]) {
        const client = new Client(running().address, credentials.createInsecure(), {
          'grpc.default_compression_algorithm': algorithm,
        });
        const path = '/inference.GRPCInferenceService/ModelReady';
        const ready = await new Promise((resolve) =>
          client.makeUnaryRequest(path, asItIs, asItIs, Buffer.from('0a026263', 'hex'), (_error, value) =>
            resolve(value),
          ),
        );
        client.close();
        expect(ready).toEqual(Buffer.of(8, 1));
      }
    },
    'a deadline': async () => {
      const turns = { name: 'turns', datatype: 'INT64', shape: [1], contents: { int64_contents: [4_000] } };
      const { code } = await call('ModelInfer', { model_name: 'slow', inputs: [turns] }, { timeoutMs: 20 });
      expect(code).toBe(status.DEADLINE_EXCEEDED);
    },
    sequence_id: refuses('ModelInfer', gather({ parameters: { sequence_id: { int64_param: 1 } } }), 'sequence'),
    'classification of an output': async () => {
      const { code, value } = await call('ModelInfer', classesOf({ int64_param: 2 }));
      expect([code, value['outputs']]).toEqual([
        status.OK,
        [
          expect.objectContaining({
            name: 'picked',
            datatype: 'BYTES',
            contents: expect.objectContaining({
              bytes_contents: [expect.toSatisfy((text: Buffer) => /^[123]0(?:\.0{6})?:0$/.test(text.toString()))],
            }),
          }),
        ],
      ]);
      await ends('ModelInfer', classesOf({ string_param: 'two' }), INVALID_ARGUMENT, 'classification');
    },
    'an unknown model or version: NOT_FOUND': () => ends('ModelInfer', gather({ model_version: '9' }), NOT_FOUND),
    'a wrong shape, size, type or name; what is no protobuf: INVALID_ARGUMENT': async () => {
      const { code } = await running().client.send('/inference.GRPCInferenceService/ModelInfer', Buffer.of(255));
      expect(code).toBe(INVALID_ARGUMENT);
    },
    'a model that could not be loaded: UNAVAILABLE': () =>
      ends('ModelInfer', gather({ model_name: 'broken' }), status.UNAVAILABLE),
    'no token, or a wrong one: UNAUTHENTICATED': () =>
      ends('ModelInfer', gather({ model_name: 'closed' }), status.UNAUTHENTICATED),
    'a message over the limit: RESOURCE_EXHAUSTED': async () => {
      await ends('ModelInfer', gather({ raw_input_contents: [Buffer.alloc(1024 ** 2)] }), RESOURCE_EXHAUSTED);
      await ends('ModelInfer', gather({ model_name: 'small', id: 'q'.repeat(99) }), RESOURCE_EXHAUSTED);
    },
    'a model that raises: INTERNAL': async () => {
      const inputs = [{ name: 'index', datatype: 'INT64', shape: [1], contents: { int64_contents: [9] } }];
      await ends('ModelInfer', gather({ inputs }), status.INTERNAL, 'the model failed');
    },
  };
}
