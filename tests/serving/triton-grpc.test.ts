import { expect, test } from 'vitest';
import { useTritonPlane } from '../support/triton-plane.ts';

const scriptMs = 90_000;

const { plane, runScript } = useTritonPlane(
  {
    bc: 'breast-cancer.onnx',
    types: 'datatypes.onnx',
    half: 'half.onnx',
    gather: 'gather.onnx',
    slow: 'slow.onnx',
  },
  { scriptMs, grpcPort: 0 },
);

const refusal = (status: string, text: string) => [`StatusCode.${status}`, expect.stringContaining(text)];
const count = expect.stringMatching(/^[1-9]/);
const nothingWrong = { 0: [], 1: [], 3: [], 8: [] };

test(
  'an unmodified tritonclient finds each of its calls answered, every datatype as numpy has it and every refusal in words',
  async () => {
    const [seen = ''] = await runScript('triton_grpc.py', plane().grpcAddress ?? '');
    expect(JSON.parse(seen)).toEqual({
      live: true,
      ready: true,
      model_ready: [true, true, true],
      server: 'tidemill',
      metadata: {
        name: 'bc',
        versions: ['bc'],
        platform: 'onnx_onnxruntime',
        inputs: [{ name: 'x', datatype: 'FP32', shape: ['-1', '30'] }],
        outputs: [
          { name: 'label', datatype: 'INT64', shape: ['-1'] },
          { name: 'probabilities', datatype: 'FP32', shape: ['-1', '2'] },
        ],
      },
      config: expect.objectContaining({
        name: 'bc',
        backend: 'onnxruntime',
        max_batch_size: 256,
        input: [{ name: 'x', data_type: 'TYPE_FP32', dims: ['30'] }],
      }),
      index: [
        ['bc', 'bc', 'READY'],
        ['flights/bc', 'bc', 'READY'],
        ['gather', 'gather', 'READY'],
        ['half', 'half', 'READY'],
        ['slow', 'slow', 'READY'],
        ['types', 'types', 'READY'],
      ],
      wrong: { raw: nothingWrong, typed: nothingWrong, gzip: [], deflate: [] },
      half: true,
      rows: [400, 2],
      wide: [40_000, 2],
      named: ['q1', ['probabilities']],
      version: 'bc',
      prediction: 36,
      stream: Array.from({ length: 50 }, (_, index) => [String(index), true]),
      stream_with_failures: [
        ['0', true],
        [null, expect.stringContaining('serves no model "nope"')],
        [null, expect.stringContaining('the model failed')],
        ['1', true],
      ],
      statistics: expect.objectContaining({
        name: 'bc',
        version: 'bc',
        last_inference: count,
        inference_count: count,
        execution_count: count,
        inference_stats: expect.objectContaining({
          success: { count, ns: count },
          queue: { count, ns: count },
          compute_infer: { count, ns: count },
        }),
      }),
      classification: [400, 2, true],
      trace: ['OFF'],
      log: true,
      refused: {
        'unknown model': refusal('NOT_FOUND', 'serves no model "nope"'),
        'unknown version': refusal('NOT_FOUND', 'no version "9"'),
        columns: refusal('INVALID_ARGUMENT', '[400, 29]'),
        datatype: refusal('INVALID_ARGUMENT', 'FP64'),
        name: refusal('INVALID_ARGUMENT', '"x" is missing'),
        output: refusal('INVALID_ARGUMENT', 'odds'),
        sequence: refusal('UNIMPLEMENTED', 'sequence'),
        'shared memory': refusal('UNIMPLEMENTED', 'shared memory'),
        'shared memory status': refusal('UNIMPLEMENTED', 'shared memory'),
        'cuda shared memory': refusal('UNIMPLEMENTED', 'shared memory'),
        load: refusal('UNIMPLEMENTED', 'tidemill apply'),
        unload: refusal('UNIMPLEMENTED', 'tidemill apply'),
        'load of none': refusal('NOT_FOUND', 'serves no model'),
        'trace settings': refusal('UNIMPLEMENTED', 'only read here'),
        'log settings': refusal('UNIMPLEMENTED', 'only read here'),
        deadline: refusal('DEADLINE_EXCEEDED', ''),
      },
    });
  },
  scriptMs,
);
