// node bench/grpc-codec.mjs    after npm run build: what reading a ModelInferRequest and writing its answer cost, by the codec of
// the data plane, by @grpc/proto-loader, and by protobufjs alone. Median of rounds, in microseconds of one thread.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadSync } from '@grpc/proto-loader';

const root = fileURLToPath(new URL('..', import.meta.url));
const from = (path) => import(join(root, 'dist/serving/grpc', path));
const { decodeInferRequest } = await from('infer-request-codec.js');
const { readRequestTensors } = await from('request-tensors.js');
const { encodeInferResponse } = await from('infer-response-codec.js');
const proto = join(root, 'src/serving/grpc/inference.proto');
const { ModelInfer } = loadSync(proto, { keepCase: true })['inference.GRPCInferenceService'];
// the decoders that protobufjs makes for the messages, without the conversion to plain objects
const protobuf = createRequire(import.meta.resolve('@grpc/proto-loader'))('protobufjs');
const types = new protobuf.Root().loadSync(proto, { keepCase: true });
const requestType = types.lookupType('inference.ModelInferRequest');
const responseType = types.lookupType('inference.ModelInferResponse');

const raw = (data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

function cases(rows) {
  const x = Float32Array.from({ length: rows * 30 }, (_, index) => index / 7);
  const request = ModelInfer.requestSerialize({
    model_name: 'bc',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [rows, 30] }],
    raw_input_contents: [raw(x)],
  });
  const outputs = [
    { name: 'label', datatype: 'INT64', shape: [rows], data: new BigInt64Array(rows) },
    { name: 'probabilities', datatype: 'FP32', shape: [rows, 2], data: new Float32Array(rows * 2) },
  ];
  const answer = () => ({
    model_name: 'bc',
    model_version: '1',
    outputs: outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    raw_output_contents: outputs.map(({ data }) => raw(data)),
  });
  return {
    'proto-loader': () => {
      ModelInfer.requestDeserialize(request);
      ModelInfer.responseSerialize(answer());
    },
    protobufjs: () => {
      requestType.decode(request);
      responseType.encode(answer()).finish();
    },
    'by hand': () => {
      readRequestTensors(request, decodeInferRequest(request));
      encodeInferResponse({ modelName: 'bc', modelVersion: '1', id: '', parameters: [], outputs, raw: true });
    },
  };
}

const turns = 20_000;
for (const rows of [1, 100]) {
  const figures = {};
  for (let round = 0; round < 7; round += 1)
    for (const [name, once] of Object.entries(cases(rows))) {
      const began = process.cpuUsage();
      for (let turn = 0; turn < turns; turn += 1) once();
      const { user, system } = process.cpuUsage(began);
      (figures[name] ??= []).push((user + system) / turns);
    }
  for (const [name, found] of Object.entries(figures)) {
    const median = found.toSorted((a, b) => a - b)[Math.floor(found.length / 2)];
    console.log(`${String(rows).padStart(4)} rows  ${name.padEnd(13)} ${median.toFixed(2)} us`);
  }
}
