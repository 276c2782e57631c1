import { type ConformanceProtocol, supported } from './protocol.ts';

const managed =
  'As over REST: done under `tidemill serve`, UNIMPLEMENTED under `tidemill up`, since the deployments of `tidemill.yaml` say what is served. A model that is not there is NOT_FOUND.';
const sharedMemory = 'UNIMPLEMENTED.';

/** The Open Inference Protocol v2 over gRPC, with Triton's extensions of it, health and reflection. */
export const openInferenceGrpc = {
  title: 'Open Inference Protocol v2 over gRPC',
  about:
    'On the gRPC port (`--grpc-port`, 7880; `off` for none). A model of another project than `default` is named `<project>/<model>`, or its project by the metadata `x-tidemill-project`. `src/serving/grpc/inference.proto` has the messages; server reflection tells them too.',
  sections: [
    {
      title: 'Calls of inference.GRPCInferenceService',
      rows: [
        ...supported('rpc ServerLive', 'rpc ServerReady', 'rpc ServerMetadata', 'rpc ModelMetadata'),
        {
          what: 'rpc ModelReady',
          state: 'supported',
          note: 'False while a model loads, failed or has no version yet; one that is not there is NOT_FOUND.',
        },
        {
          what: 'rpc ModelInfer',
          state: 'supported',
          note: 'Names its prediction and revision in the parameters of the answer (`prediction_id`, `revision`) and in the trailing metadata (`x-tidemill-prediction-id`, `x-tidemill-revision`).',
        },
        {
          what: 'rpc ModelStreamInfer',
          state: 'supported',
          note: 'Answers in the order of the requests; a failure is told in its answer, with the id of its request.',
        },
        {
          what: 'rpc ModelConfig',
          state: 'supported',
          note: "What of Triton's configuration there is to say: names, types, dimensions, the greatest batch.",
        },
        {
          what: 'rpc ModelStatistics',
          state: 'supported',
          note: 'Without a name, of all models that the caller may call.',
        },
        {
          what: 'rpc RepositoryIndex',
          state: 'supported',
          note: 'Of all projects: the models that the caller may call.',
        },
        { what: 'rpc RepositoryModelLoad', state: 'differs', note: managed },
        { what: 'rpc RepositoryModelUnload', state: 'differs', note: managed },
        { what: 'rpc TraceSetting', state: 'differs', note: 'Read; a change is UNIMPLEMENTED.' },
        { what: 'rpc LogSettings', state: 'differs', note: 'Read; a change is UNIMPLEMENTED.' },
        ...['System', 'Cuda'].flatMap((kind) =>
          ['Status', 'Register', 'Unregister'].map((what) => ({
            what: `rpc ${kind}SharedMemory${what}`,
            state: 'not yet' as const,
            note: sharedMemory,
          })),
        ),
      ],
    },
    {
      title: 'Other services',
      rows: [
        {
          what: 'rpc grpc.health.v1.Health/Check',
          state: 'supported',
          note: 'Of the server, or of its service by name.',
        },
        { what: 'rpc grpc.health.v1.Health/Watch', state: 'supported' },
        { what: 'rpc grpc.reflection.v1.ServerReflection/ServerReflectionInfo', state: 'supported' },
        { what: 'rpc grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo', state: 'supported' },
      ],
    },
    {
      title: 'What a request may hold over gRPC',
      rows: [
        {
          what: 'raw_input_contents or contents',
          state: 'supported',
          note: 'One of them for all inputs, else INVALID_ARGUMENT. Raw is answered raw; contents are answered in contents, where Triton always answers raw.',
        },
        { what: 'FP16 and BF16', state: 'supported', note: 'Raw alone: contents have no place for them.' },
        {
          what: 'BYTES that are no text',
          state: 'supported',
          note: 'Raw or in contents, for models in Python and programs; ONNX models refuse them with INVALID_ARGUMENT.',
        },
        { what: 'a message in gzip or deflate', state: 'supported', note: 'Answers are not compressed.' },
        {
          what: 'a deadline',
          state: 'supported',
          note: 'Honoured before the model runs; so is a call that was given up.',
        },
        { what: 'sequence_id', state: 'not yet', note: 'UNIMPLEMENTED.' },
        {
          what: 'classification of an output',
          state: 'supported',
          note: 'As over REST: texts `<value>:<index>`, the greatest first.',
        },
      ],
    },
    {
      title: 'What is refused over gRPC, and how',
      rows: [
        ...supported(
          'an unknown model or version: NOT_FOUND',
          'a wrong shape, size, type or name; what is no protobuf: INVALID_ARGUMENT',
          'a model that could not be loaded: UNAVAILABLE',
          'no token, or a wrong one: UNAUTHENTICATED',
        ),
        {
          what: 'a message over the limit: RESOURCE_EXHAUSTED',
          state: 'supported',
          note: '`--grpc-max-message-bytes` (64 MiB), or less by `limits.max_body_bytes` of a deployment; unpacked, too.',
        },
        { what: 'a model that raises: INTERNAL', state: 'supported', note: 'In words, without a stack.' },
      ],
    },
  ],
} satisfies ConformanceProtocol;
