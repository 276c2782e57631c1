import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { SpecEndpoint, SpecRevision } from '#contracts/deployment-spec';
import type { RecordedTensor } from '#contracts/prediction-record';
import { aControlPlane, aPlane, flush, ready, revisions } from './testing/plane-in-test.ts';
import { aHome, anEndpoint, buildTimeoutMs, columnsBody, fixture, post } from './testing/test-plane.ts';

const { rows } = JSON.parse(readFileSync(fixture('breast-cancer.json'), 'utf8')) as { readonly rows: number[][] };
const columns = Array.from({ length: 30 }, (_, place) => `measure ${place}`);
/** Of its two rows, values that nothing else in the request has. */
const asked = rows.slice(0, 2).map((row, at) => row.map((value, place) => (place === 3 ? 424_242.5 + at : value)));
const matrixBody = { inputs: [{ name: 'x', shape: [2, 30], datatype: 'FP32', data: asked.flat() }] };

const named: SpecRevision['signature'] = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 30], columns }],
  outputs: [],
};

/** A data plane with one model, its records, and the bytes that its spool has held. */
async function served(more: Partial<SpecEndpoint>, revision: Partial<SpecRevision> = {}, model = 'breast-cancer') {
  const control = await aControlPlane();
  const home = aHome();
  const logFile = join(home, 'log');
  control.publish({ endpoints: [anEndpoint([control.revision('r1', fixture(`${model}.onnx`), revision)], more)] });
  const plane = await aPlane(control, home);
  const report = await ready(control, 1);
  return { control, plane, home, logFile, warnings: report.endpoints[0]?.warnings ?? [] };
}

const capture = (...redact: string[]) => ({ capture: { enabled: true, redact } });
const inputOf = (tensors: readonly RecordedTensor[] | undefined, name: string): RecordedTensor | undefined =>
  tensors?.find((tensor) => tensor.name === name);

test.each([
  ['by its name', 'measure 3'],
  ['by its place', 'x[3]'],
])(
  'a column inside a matrix is kept out %s, and its neighbours are recorded',
  async (_how, rule) => {
    const { control, plane, warnings } = await served(capture(rule), { signature: named });
    expect(warnings).toEqual([]);
    expect((await post(plane.infer, matrixBody)).status).toBe(200);
    await flush(control, 1);
    const [record] = control.records;
    const x = inputOf(record?.inputs, 'x');
    expect(x?.withheld).toEqual([3]);
    const expected = asked.flatMap((row) => row.map((value, place) => (place === 3 ? Number.NaN : Math.fround(value))));
    expect(x?.data).toEqual(Float32Array.from(expected));
    expect(record?.redacted).toEqual([rule]);
    expect(record?.outputs.length).toBeGreaterThan(0);
  },
  buildTimeoutMs,
);

test(
  'a rule that no version can be matched with keeps all inputs out, and all outputs but the score; the report warns',
  async () => {
    const { control, plane, warnings } = await served(capture('measure 3'), { score: 'probabilities[1]' });
    expect(warnings).toEqual([expect.stringMatching(/"measure 3".*"x" \[-1, 30\].*x\[0\].*kept out/)]);
    expect((await post(plane.infer, matrixBody)).status).toBe(200);
    await flush(control, 1);
    const [record] = control.records;
    expect(record?.inputs).toEqual([]);
    expect(record?.outputs.map(({ name }) => name)).toEqual(['probabilities']);
    expect(record?.redacted).toEqual(['measure 3', 'x', 'label']);
  },
  buildTimeoutMs,
);

test(
  'a shadow that takes fewer columns is recorded with those, and a name that no version has closes all of them',
  async () => {
    const control = await aControlPlane();
    const small: Partial<SpecRevision> = { signature: named };
    const [r1] = revisions(control);
    const other = control.revision('r2', fixture('breast-cancer.onnx'), small);
    const serve = (redact: string[]) =>
      control.publish({ endpoints: [anEndpoint([r1, other], { capture: { enabled: true, redact } })] });
    serve(['carrier']);
    const plane = await aPlane(control, aHome());
    const fine = await ready(control, 1);
    expect(fine.endpoints[0]?.warnings).toBeUndefined();
    await post(plane.infer, columnsBody(1));
    await post(`${plane.url}/v2/models/m/versions/2/infer`, matrixBody);
    serve(['carier']);
    const warned = await control.reported(({ endpoints }) => endpoints[0]?.warnings !== undefined);
    expect(warned.endpoints[0]?.warnings).toHaveLength(2);
    await post(plane.infer, columnsBody(1));
    await flush(control, 3);
    expect(control.records.map(({ inputs }) => inputs.map(({ name }) => name))).toEqual([
      ['flight', 'distance'],
      ['x'],
      [],
    ]);
  },
  buildTimeoutMs,
);

test(
  'neither the subject nor the words of a failed model bring back what is kept out',
  async () => {
    const { control, plane } = await served({ ...capture('index'), subject: 'index' }, {}, 'gather');
    const failed = await post(plane.infer, {
      inputs: [{ name: 'index', shape: [1], datatype: 'INT64', data: [4242] }],
    });
    expect([failed.status, failed.json.error]).toEqual([500, expect.stringContaining('4242')]);
    await flush(control, 1);
    const [record] = control.records;
    expect(record).toMatchObject({ status: 'error', error: expect.stringContaining('kept out'), inputs: [] });
    expect(record?.subject).toBeUndefined();
    expect(JSON.stringify(record)).not.toContain('4242');
  },
  buildTimeoutMs,
);
