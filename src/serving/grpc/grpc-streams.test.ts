import { on, once } from 'node:events';
import { status } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { buildTimeoutMs } from '../testing/test-plane.ts';
import { fileDescriptor } from './file-descriptor.ts';
import { decodeMessage, encodeMessage } from './proto-message.ts';
import { reflectionServices } from './reflection-service.ts';
import type { StreamAnswer } from './testing/grpc-client.ts';
import { startGrpcTestPlane } from './testing/grpc-plane.ts';

const aPlane = async () => {
  const plane = await startGrpcTestPlane();
  onTestFinished(() => plane.close());
  return plane;
};
const gather = (index: number, more = {}) => ({
  model_name: 'gather',
  id: String(index),
  inputs: [{ name: 'index', datatype: 'INT64', shape: [1], contents: { int64_contents: [index] } }],
  ...more,
});
const slow = (turns: number) => ({
  model_name: 'slow',
  inputs: [{ name: 'turns', datatype: 'INT64', shape: [1], contents: { int64_contents: [turns] } }],
});
const isWrong = (answer: StreamAnswer | undefined, index: number) => (answer?.error_message !== '') !== (index === 9);
const healthOf = (bytes: Buffer) => ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'][bytes.at(-1) ?? 0];
const service = (name: string) => Buffer.concat([Buffer.from([0x0a, name.length]), Buffer.from(name)]);

test('a stream is answered in the order of its requests, and a failure is told in it', {
  timeout: buildTimeoutMs,
}, async () => {
  const { client } = await aPlane();
  const stream = client.stream();
  const answers: StreamAnswer[] = [];
  stream.on('data', (answer: StreamAnswer) => answers.push(answer));
  const sent = Array.from({ length: 300 }, (_, turn) => (turn % 10 === 9 ? 9 : turn % 3));
  for (const index of sent) stream.write(gather(index));
  stream.write(gather(1, { model_name: 'nope' }));
  stream.write(gather(1, { parameters: { triton_enable_empty_final_response: { bool_param: true } } }));
  stream.end();
  await once(stream, 'end');
  expect(answers.map((answer) => answer.infer_response.id)).toEqual([...sent, 1, 1].map(String));
  expect(sent.filter((index, turn) => isWrong(answers[turn], index))).toEqual([]);
  expect(answers[9]?.error_message).toContain('the model failed');
  expect(answers.at(-2)?.error_message).toContain('serves no model "nope"');
  expect(answers.at(-1)?.infer_response['parameters']).toMatchObject({ triton_final_response: { bool_param: true } });
  expect(answers[0]?.infer_response['parameters']).toHaveProperty('prediction_id');
});

test('health tells probes and watchers, to the end of the server', { timeout: buildTimeoutMs }, async () => {
  const { client, plane } = await aPlane();
  const check = (name: string) => client.send('/grpc.health.v1.Health/Check', service(name));
  expect(healthOf((await check('')).bytes)).toBe('SERVING');
  expect(healthOf((await check('inference.GRPCInferenceService')).bytes)).toBe('SERVING');
  expect((await check('nope')).code).toBe(status.NOT_FOUND);
  const watch = client.watch('/grpc.health.v1.Health/Watch', service(''));
  const unknown = client.watch('/grpc.health.v1.Health/Watch', service('nope'));
  const seen: string[] = [];
  watch.on('data', (bytes: Buffer) => seen.push(healthOf(bytes) ?? ''));
  expect(healthOf((await once(unknown, 'data'))[0] as Buffer)).toBe('SERVICE_UNKNOWN');
  const ended = Promise.all([once(watch, 'end'), once(unknown, 'end')]);
  await plane.stop();
  await ended;
  expect(seen).toEqual(['SERVING', 'NOT_SERVING']);
});

test('a server that stops answers what is under way and ends streams in order', {
  timeout: buildTimeoutMs,
}, async () => {
  const { client, plane } = await aPlane();
  const stream = client.stream();
  const answers: StreamAnswer[] = [];
  stream.on('data', (answer: StreamAnswer) => answers.push(answer));
  stream.write(gather(1));
  await once(stream, 'data');
  const ended = new Promise((resolve) => void stream.once('status', resolve));
  stream.on('error', () => undefined); // the status says it
  stream.write(slow(2_000));
  const unary = client.call('ModelInfer', slow(2_000));
  // both are under way once the model runs: a further call is answered after it has been read
  await client.call('ServerLive', {});
  await plane.stop();
  expect((await unary).code).toBe(status.OK);
  expect(await ended).toMatchObject({ code: status.UNAVAILABLE, details: 'the server is stopping' });
  expect(answers.map((answer) => answer.error_message)).toEqual(['', '']);
  expect((await client.call('ServerLive', {})).code).toBe(status.UNAVAILABLE);
});

test('reflection tells services, files and symbols, in both of its versions', { timeout: buildTimeoutMs }, async () => {
  const { client } = await aPlane();
  for (const reflection of reflectionServices) {
    const { request, response } = reflection.calls.ServerReflectionInfo;
    const talk = client.converse(`/${reflection.package}.ServerReflection/ServerReflectionInfo`);
    const answers = on(talk, 'data');
    const ask = async (question: Parameters<typeof encodeMessage<object>>[1]) => {
      talk.write(encodeMessage<unknown>(request, question));
      return decodeMessage(response, ((await answers.next()).value as [Buffer])[0]);
    };
    const listed = await ask({ list_services: '*' });
    expect(listed.list_services_response?.service.map(({ name }) => name)).toEqual([
      'inference.GRPCInferenceService',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
    ]);
    for (const question of [
      { file_containing_symbol: 'inference.GRPCInferenceService' },
      { file_containing_symbol: 'inference.ModelInferRequest.InferInputTensor' },
      { file_by_filename: 'inference.proto' },
    ]) {
      const [file] = (await ask(question)).file_descriptor_response?.file_descriptor_proto ?? [];
      expect(decodeMessage(fileDescriptor, Buffer.from(file ?? []))).toMatchObject({
        name: 'inference.proto',
        syntax: 'proto3',
      });
    }
    for (const question of [{ file_containing_symbol: 'nope' }, { file_by_filename: 'nope' }, {}])
      expect((await ask(question)).error_response).toMatchObject({ error_code: status.NOT_FOUND });
    talk.end();
    await once(talk, 'end');
  }
});
