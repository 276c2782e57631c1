import { expect } from 'vitest';
import { flight, refusedBy, type ScoringPlane } from './scoring-plane.ts';

const tensor = (name: string, dtype: string) => ({
  [name]: { name, dtype, tensor_shape: { dim: [{ size: '-1', name: '' }], unknown_rank: false } },
});

/** Every row of the protocol's table. */
export function tensorflowServingProofs(plane: ScoringPlane): Readonly<Record<string, () => Promise<void>>> {
  const row = Array.from({ length: 30 }, (_, index) => index + 0.5);
  const predict = (model: string, body: unknown) => plane.call(`/v1/models/${model}:predict`, body);
  const answer = async (model: string, body: unknown) => (await predict(model, body)).json;
  const refused = (model: string, body: unknown, part: string, status = 400) =>
    refusedBy(predict(model, body), status, part);
  const absent = (path: string, part: string, body?: unknown) => () => refusedBy(plane.call(path, body), 400, part);
  const verb = (name: string) => absent(`/v1/models/gather:${name}`, `:${name} is not answered here`, {});

  return {
    'POST /v1/models/{model}[/versions/{version}]:predict': async () => {
      const { json, headers } = await predict('gather', { instances: [0, 1] });
      expect(json).toEqual({ predictions: [10, 20] });
      expect(headers.get('x-tidemill-revision')).toBe('gather');
      expect(await answer('gather/versions/3', { instances: [2] })).toEqual({ predictions: [30] });
      const closed = '/projects/closed/v1/models/gather:predict';
      expect((await plane.call(closed, { instances: [1] }, { authorization: 'Bearer right' })).json).toEqual({
        predictions: [20],
      });
    },
    'GET /v1/models/{model}[/versions/{version}]': async () => {
      const status = { version: '3', state: 'AVAILABLE', status: { error_code: 'OK', error_message: '' } };
      const expected = { name: 'gather', ready: true, model_version_status: [status] };
      expect((await plane.call('/v1/models/gather')).json).toEqual(expected);
      expect((await plane.call('/v1/models/gather/versions/3')).json).toEqual(expected);
      await refusedBy(plane.call('/v1/models/gather/versions/4'), 404, 'no version "4"');
    },
    'GET /v1/models/{model}[/versions/{version}]/metadata': async () => {
      const { json } = await plane.call('/v1/models/gather/metadata');
      expect(json).toEqual({
        model_spec: { name: 'gather', signature_name: '', version: '3' },
        metadata: {
          signature_def: {
            signature_def: {
              serving_default: {
                inputs: tensor('index', 'DT_INT64'),
                outputs: tensor('picked', 'DT_FLOAT'),
                method_name: 'tensorflow/serving/predict',
              },
            },
          },
        },
      });
    },
    'GET /v1/models': async () => {
      const { json } = await plane.call('/v1/models');
      expect(json).toEqual({ models: ['columns', 'optional', 'whole', 'matrix', 'named', 'gather', 'types'] });
    },
    'POST /v1/models/{model}[/versions/{version}]:classify': verb('classify'),
    'POST /v1/models/{model}[/versions/{version}]:regress': verb('regress'),
    'POST /v1/models/{model}[/versions/{version}]:explain': verb('explain'),
    'POST /v1/models/{model}/labels/{label}:predict': absent('/v1/models/gather/labels/stable:predict', 'labels', {}),
    'POST /v1/models/{model}/labels/{label}:classify': absent('/v1/models/gather/labels/stable:classify', 'labels', {}),
    'POST /v1/models/{model}/labels/{label}:regress': absent('/v1/models/gather/labels/stable:regress', 'labels', {}),
    'GET /v1/models/{model}/labels/{label}[/metadata]': absent('/v1/models/gather/labels/stable', 'labels'),
    'instances: a list of rows, each a value or an object of inputs': async () => {
      expect(await answer('columns', { instances: [flight(1), flight(2)] })).toEqual({ predictions: [[2], [3]] });
      const tensors = { carrier: ['UA'], flight: [1], distance: [1] };
      expect(await answer('columns', { instances: [tensors] })).toEqual({ predictions: [[2]] });
      expect(await answer('gather', { instances: [{ index: 1 }] })).toEqual({ predictions: [20] });
      expect(await answer('matrix', { instances: [{ x: row }] })).toEqual(await answer('matrix', { instances: [row] }));
      expect(await answer('gather', { instances: [] })).toEqual({ predictions: [] });
    },
    'inputs: a value, or an object of inputs': async () => {
      expect(await answer('gather', { inputs: [1, 2] })).toEqual({ outputs: [20, 30] });
      const inputs = { carrier: [['UA'], ['DL']], flight: [[1], [2]], distance: [[1], [2]] };
      expect(await answer('columns', { inputs })).toEqual({ outputs: [[2], [3]] });
    },
    'signature_name, when it is serving_default': async () =>
      expect(await answer('gather', { signature_name: 'serving_default', instances: [1] })).toEqual({
        predictions: [20],
      }),
    'texts as {"b64"}': async () => {
      const instances = [{ ...flight(1), carrier: { b64: Buffer.from('ÜA').toString('base64') } }];
      expect(await answer('whole', { instances })).toEqual({
        predictions: [{ score: [2], carrier_out: ['ÜA'], flight_out: [1545] }],
      });
      await refused('whole', { instances: [{ ...flight(1), carrier: { b64: '/w==' } }] }, 'takes texts alone');
      await refused('whole', { instances: [{ ...flight(1), carrier: { b65: '' } }] }, 'without "b64"');
    },
    'a row as a list, in the order of the inputs': async () => {
      expect(await answer('columns', { instances: [['UA', 1, 2]] })).toEqual({ predictions: [[3]] });
      await refused('columns', { instances: [['UA', 1]] }, '3 columns');
    },
    parameters: () => refused('gather', { instances: [1], parameters: { keys: ['a', 'b'] } }, '2 entries for 1 rows'),
    'predictions: for rows, a value each, or an object where there are several outputs': async () => {
      const json = await answer('matrix', { instances: [row, row] });
      const one = { label: expect.any(Number), probabilities: [expect.any(Number), expect.any(Number)] };
      expect(json).toEqual({ predictions: [one, one] });
    },
    'outputs: for columns, the value, or an object where there are several outputs': async () => {
      const json = await answer('matrix', { inputs: [row] });
      expect(json).toEqual({
        outputs: { label: [expect.any(Number)], probabilities: [[expect.any(Number), expect.any(Number)]] },
      });
    },
    'neither instances nor inputs, or both: 400': async () => {
      await refused('gather', {}, 'it has neither');
      await refused('gather', [], 'either "instances"');
      await refused('gather', { instances: [1], inputs: [1] }, 'more than one');
      await refused('gather', { instances: { index: [1] } }, 'a list of rows');
    },
    'another signature_name: 400': () =>
      refused('gather', { signature_name: 'classify_me', instances: [1] }, 'must be "serving_default"'),
    'an input that is missing, or is of another shape: 400': async () => {
      await refused('columns', { instances: [{ carrier: 'UA', flight: 1 }] }, 'column "distance" is missing');
      await refused('matrix', { instances: [row.slice(1)] }, '29 values');
      await refused('matrix', { instances: [[row]] }, 'row 1 has a list');
    },
    'an unknown model or version: 404': async () => {
      await refused('nope', { instances: [1] }, 'serves no model', 404);
      await refused('gather/versions/9', { instances: [1] }, 'no version "9"', 404);
    },
  };
}
