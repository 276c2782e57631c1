import { expect } from 'vitest';
import { flight, refusedBy, type ScoringPlane } from './scoring-plane.ts';

const contentType = (value: string) => ({ 'content-type': value });

/** Every row of the protocol's table. */
export function mlflowScoringProofs(plane: ScoringPlane): Readonly<Record<string, () => Promise<void>>> {
  const csv = { 'content-type': 'text/csv' };
  const names = ['carrier', 'flight', 'distance'];
  const split = (data: unknown, columns: unknown = names, more = {}) => ({
    dataframe_split: { columns, data, ...more },
  });
  const row = Array.from({ length: 30 }, (_, index) => index + 0.5);
  const refused = (body: unknown, part: string, model = 'columns') => refusedBy(plane.invoke(model, body), 400, part);

  return {
    'POST /endpoints/{model}/invocations': async () => {
      const answer = await plane.invoke('columns', split([['UA', 1, 2]]));
      expect(answer.json).toEqual({ predictions: [[3]] });
      expect(answer.headers.get('content-type')).toBe('application/json');
      expect([answer.headers.get('x-tidemill-revision'), answer.headers.get('x-tidemill-prediction-id')]).toEqual([
        'columns',
        expect.stringMatching(/./),
      ]);
      const path = '/projects/closed/endpoints/gather/invocations';
      const closed = await plane.call(path, { inputs: [1] }, { authorization: 'Bearer right' });
      expect(closed.json).toEqual({ predictions: [20] });
    },
    'POST /invocations': async () => {
      expect((await plane.call(`${plane.single}/invocations`, { inputs: [0, 2] })).json).toEqual({
        predictions: [10, 30],
      });
      const { status, json } = await plane.call('/invocations', { inputs: [0] });
      expect([status, json?.['message']]).toEqual([400, expect.stringContaining('/endpoints/columns/invocations, ')]);
      expect(json?.['message']).not.toContain('closed'); // nobody hears of what they may not call
    },
    'GET /ping': async () => {
      for (const base of [plane.base, plane.single]) {
        const { status, text } = await plane.call(`${base}/ping`);
        expect([status, text]).toEqual([200, '\n']);
      }
    },
    'GET /health': async () => expect((await plane.call('/health')).text).toBe('\n'),
    'GET /version': async () => expect((await plane.call('/version')).text).toMatch(/^\d+\.\d+\.\d+$/),
    'dataframe_split: columns in any order, more of them, an index': async () => {
      const columns = ['more', 'distance', 'carrier', 'flight'];
      const data = [
        [{ any: [1, '}'] }, 2.5, 'UA', 1],
        [null, 4, 'DL', 2],
      ];
      expect(await plane.predictions('columns', split(data, columns, { index: [7, 8] }))).toEqual([[3.5], [5]]);
      const late = `{"dataframe_split":{"data":[[2,"UA",1]],"columns":["distance","carrier","flight"]}}`;
      expect(await plane.predictions('columns', late)).toEqual([[3]]);
      expect(await plane.predictions('columns', split([]))).toEqual([]);
    },
    dataframe_records: async () => {
      const records = [flight(1), { distance: 2, flight: 1, more: 'x', carrier: 'DL' }, flight(3)];
      expect(await plane.predictions('columns', { dataframe_records: records })).toEqual([[2], [3], [4]]);
      const named = Object.fromEntries(row.map((value, index) => [`c${index}`, value]));
      const shuffled = Object.fromEntries(Object.entries(named).toReversed());
      const expected = await plane.predictions('matrix', { inputs: [row, row] });
      const probabilities = (expected as { readonly probabilities: unknown }[]).map((one) => one.probabilities);
      expect(await plane.predictions('named', { dataframe_records: [shuffled, named] })).toEqual(probabilities);
    },
    'inputs: a tensor, or one by name': async () => {
      const inputs = { carrier: ['UA', 'DL'], flight: [1, 2], distance: [[1], [2]] };
      expect(await plane.predictions('columns', { inputs })).toEqual([[2], [3]]);
      expect(await plane.predictions('gather', { inputs: [0, 1] })).toEqual([10, 20]);
      expect(await plane.predictions('gather', { inputs: { index: [2] } })).toEqual([30]);
      expect(await plane.predictions('matrix', { inputs: { x: [row] } })).toHaveLength(1);
    },
    'inputs: a list of records, or one value': async () => {
      expect(await plane.predictions('columns', { inputs: [flight(1)] })).toEqual([[2]]);
      expect(await plane.predictions('columns', { inputs: flight(1) })).toEqual([[2]]);
      expect(await plane.predictions('gather', { inputs: 1 })).toEqual([20]);
    },
    'instances: rows, or records': async () => {
      expect(await plane.predictions('columns', { instances: [flight(1), flight(2)] })).toEqual([[2], [3]]);
      expect(await plane.predictions('gather', { instances: [2, 0] })).toEqual([30, 10]);
      expect(await plane.predictions('matrix', { instances: [row, row] })).toHaveLength(2);
    },
    'CSV with a header': async () => {
      const text = ',distance,carrier,flight\n0,2.5,"U,""A",1\r\n\r\n1,4,NA,2';
      expect(await plane.predictions('whole', text, csv)).toEqual([
        { score: 3.5, carrier_out: 'U,"A', flight_out: 1 },
        { score: 5, carrier_out: 'NA', flight_out: 2 },
      ]);
      const header = row.map((_, index) => `f${index}`).join(',');
      expect(await plane.predictions('matrix', `${header}\n${row.join(',')}\n`, csv)).toEqual(
        await plane.predictions('matrix', { inputs: [row] }),
      );
      await refusedBy(plane.invoke('columns', 'carrier,flight,distance\nUA,1\n', csv), 400, '3 columns');
    },
    'a table without names of columns': async () => {
      expect(await plane.predictions('columns', split([['UA', 1, 2]], undefined))).toEqual([[3]]);
      expect(await plane.predictions('columns', split([['UA', 1, 2]], [0, 1, 2]))).toEqual([[3]]);
      await refused(split([['UA', 1]], undefined), '3 columns');
    },
    'a column that may be absent': async () => {
      const data = [
        ['UA', 1],
        ['DL', 2],
      ];
      expect(await plane.predictions('optional', split(data, ['carrier', 'flight']))).toEqual([[null], [null]]);
      const records = [{ carrier: 'UA', flight: 1 }, flight(2)];
      expect(await plane.predictions('optional', { dataframe_records: records })).toEqual([[null], [3]]);
      await refused(split(data, ['carrier', 'flight']), '"distance" is missing');
    },
    'integers as floats, whole numbers as integers, true and false as 1 and 0': async () => {
      const data = [
        ['UA', 7.0, 2],
        ['UA', 1e3, true],
      ];
      const [first, second] = (await plane.predictions('whole', split(data))) as Record<string, unknown>[];
      expect([first?.['score'], second?.['score'], second?.['flight_out']]).toEqual([3, 2, 1000]);
    },
    'INT64, exactly': async () => {
      const body =
        '{"dataframe_split":{"columns":["carrier","flight","distance"],"data":[["UA",-9223372036854775807,1]]}}';
      expect((await plane.invoke('whole', body)).text).toContain('"flight_out":-9223372036854775807');
    },
    'null for NaN': async () => {
      expect(await plane.predictions('columns', split([['UA', 1, null]]))).toEqual([[null]]);
      await refused(split([['UA', 1, null]]), 'has a null', 'whole');
      await refused(split([['UA', null, 1]]), 'row 1 has null');
    },
    params: async () => {
      const body = { ...split([['UA', 1, 2]]), params: { keys: [['UA', 1]], unknown: 1 } };
      expect(await plane.predictions('columns', body)).toEqual([[3]]);
      await refused({ ...body, params: { keys: ['a', 'b'] } }, '2 entries for 1 rows');
      await refused({ ...body, params: [1] }, '"params" must be an object');
    },
    'other fields beside the table, ignored': async () =>
      expect(await plane.predictions('gather', { signature_name: 'x', inputs: [1], more: { inputs: 1 } })).toEqual([
        20,
      ]),
    'a content type with charset=utf-8': async () => {
      expect(
        await plane.predictions('gather', { inputs: [1] }, contentType('application/json; charset=UTF-8')),
      ).toEqual([20]);
      expect(await plane.predictions('gather', 'index\n1\n', contentType('text/csv;charset="utf-8"'))).toEqual([20]);
    },
    Parquet: () =>
      refusedBy(
        plane.invoke('gather', 'PAR1', { 'content-type': 'application/vnd.apache.parquet' }),
        415,
        'not read yet',
      ),
    'chat messages, and models that take them': () =>
      refused({ messages: [{ role: 'user', content: 'secret' }] }, 'exactly one of'),
    'lists, objects and bytes in a column': async () => {
      await refused({ inputs: [flight([1, 2])] }, 'has more values');
      await refused({ inputs: [flight({ a: 1 })] }, 'row 1 has an object');
      await refused({ inputs: [{ ...flight(1), carrier: ['UA', 'DL'] }] }, 'has more values');
    },
    'predictions: a list for an output of one dimension, nested lists for one of more': async () => {
      expect(await plane.predictions('gather', { inputs: [0] })).toEqual([10]);
      const [probabilities] = (await plane.predictions('named', { inputs: [row] })) as number[][];
      expect(probabilities).toEqual([expect.any(Number), expect.any(Number)]);
    },
    'predictions: records where the model has several outputs': async () => {
      expect(await plane.predictions('whole', { inputs: [flight(1), flight(2)] })).toEqual([
        { score: 2, carrier_out: 'UA', flight_out: 1545 },
        { score: 3, carrier_out: 'UA', flight_out: 1545 },
      ]);
      const [one] = (await plane.predictions('matrix', { inputs: [row] })) as Record<string, unknown>[];
      expect(one).toEqual({ label: expect.any(Number), probabilities: [expect.any(Number), expect.any(Number)] });
    },
    'null for NaN in an answer': async () =>
      expect(await plane.predictions('columns', { inputs: [flight(null)] })).toEqual([[null]]),
    'none of the four forms, or more than one: 400': async () => {
      for (const body of ['{}', '[]', '"text"', '3', '{"data":[[1]]}', '{"instances":[1],"inputs":[1]}'])
        await refused(body, 'exactly one of', 'gather');
    },
    'a column that is missing: 400': async () => {
      await refused(split([['UA', 1, 2]], ['carrier', 'flight', 'distanc']), '"distanc" is there, did you mean that?');
      await refused({ dataframe_records: [{ carrier: 'UA', distance: 1 }] }, 'column "flight" is missing');
      await refused({ dataframe_records: [flight(1), { carrier: 'UA', distance: 1 }] }, '"flight" is missing in row 2');
      await refusedBy(plane.invoke('columns', 'carrier,flight\nUA,1\n', csv), 400, 'column "distance" is missing');
    },
    'a fraction where the model takes integers: 400': () =>
      refused(split([['UA', 1.5, 2]]), '"flight" takes whole numbers'),
    'a number past its datatype: 400': async () => {
      await refused('{"inputs":[9223372036854775808]}', 'whole numbers (INT64)', 'gather');
      await refused(split([['UA', 1, 1e39]]), '"distance" takes numbers (FP32)');
    },
    'a text where the model takes numbers, a number where it takes texts: 400': async () => {
      await refused(split([['UA', '1', 2]]), 'row 1 has a text');
      await refused(split([[7, 1, 2]]), '"carrier" takes texts');
    },
    'malformed JSON: 400, without repeating it': async () => {
      for (const body of ['{"inputs":[secret]}', '{"inputs":["secret"', '{"inputs":["secret"]} secret', 'secret']) {
        const { status, text } = await plane.invoke('gather', body);
        expect([status, text]).toEqual([400, expect.not.stringContaining('secret')]);
      }
    },
    'an empty body: 400': () => refused('', 'it is empty'),
    'another content type, or charset: 415': async () => {
      for (const type of ['text/plain', 'application/json; charset=latin-1', 'application/json; version=2'])
        await refusedBy(plane.invoke('gather', '{}', { 'content-type': type }), 415, '');
    },
    'a model that fails: 500 without a stack': () =>
      refusedBy(plane.invoke('gather', { inputs: [9] }), 500, 'the model failed'),
    'an unknown model: 404': () => refusedBy(plane.invoke('gathr', { inputs: [1] }), 404, 'did you mean'),
    'no token: 401': () =>
      refusedBy(plane.call('/projects/closed/endpoints/gather/invocations', { inputs: [1] }), 401, 'needs a token'),
  };
}
