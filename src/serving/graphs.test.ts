import { expect, test } from 'vitest';
import { chooseShare } from '#contracts/traffic-split';
import { aGraph, splitGraph } from './testing/graph-in-test.ts';
import { aControlPlane, aPlane, flush, ready } from './testing/plane-in-test.ts';
import { aHome, anEndpoint, fixture, post } from './testing/test-plane.ts';

const armOf = (value: string) =>
  chooseShare(
    ['pick.picked', 'same'].map((target) => ({ target, basisPoints: 5_000 })),
    { salt: 's', value },
    () => 0,
  )?.target ?? '';

test('one request is one record, which says which branch each row took and which node failed', {
  timeout: 60_000,
}, async () => {
  const control = await aControlPlane();
  control.publish({ endpoints: [anEndpoint([aGraph(control, 'g1', splitGraph)], { cache: { maxBytes: 1_000_000 } })] });
  const plane = await aPlane(control, aHome());
  await ready(control, 1);
  const keys = Array.from({ length: 20 }, (_, row) => `customer-${row}`);
  const ask = (data: readonly number[], given = keys.slice(0, data.length)) =>
    post(plane.infer, {
      parameters: { keys: given },
      inputs: [{ name: 'index', datatype: 'INT64', shape: [data.length], data }],
    });
  const arms = keys.map(armOf);
  const answer = await ask(keys.map(() => 2));
  expect(answer.json.outputs).toMatchObject([{ data: arms.map((arm) => (arm === 'same' ? 2 : 30)) }, { data: arms }]);

  // equal inputs of another key go another way, cache or not
  const [onPick = '', onSame = ''] = ['pick.picked', 'same'].map((arm) => keys[arms.indexOf(arm)]);
  expect([await ask([2], [onPick]), await ask([2], [onSame])].map(({ json }) => json.outputs?.[0]?.data)).toEqual([
    [30],
    [2],
  ]);
  const failed = await ask([9], [onPick]);
  expect(failed).toMatchObject({
    status: 500,
    json: { error: expect.stringMatching(/^node "pick" \(model:gather@3\): the model failed/) as string },
  });

  await flush(control, 1);
  expect(control.records.map(({ status, rows, branches }) => [status, rows, branches])).toEqual([
    ['ok', 20, { arm: arms }],
    ['ok', 1, { arm: ['pick.picked'] }],
    ['ok', 1, { arm: ['same'] }],
    ['error', 1, { arm: ['pick.picked'] }],
  ]);
  const metrics = await (await fetch(`${plane.url}/metrics`)).text();
  expect(metrics).toMatch(/tidemill_serving_node_errors_total\{[^}]*node="pick"\} 1\n/);
  expect(metrics).toMatch(/tidemill_serving_node_duration_seconds_count\{[^}]*node="pick"\} 2\n/);
});

test('a graph whose models do not fit, or lie elsewhere on the machine, is not served, and the report says why', async () => {
  const control = await aControlPlane();
  const misfit = aGraph(
    control,
    'g1',
    'nodes: { a: { file: gather@3/model.onnx }, b: { file: whole-batch@3/model.onnx, inputs: { x: inputs.index } } }\noutputs: { a: a, b: b }',
  );
  const outside = aGraph(control, 'g2', `nodes: { a: { file: ${fixture('gather.onnx')} } }`);
  control.publish({
    endpoints: [anEndpoint([misfit], { name: 'misfit' }), anEndpoint([outside], { name: 'outside' })],
  });
  await aPlane(control, aHome());
  const { endpoints } = await control.reported(
    (report) => report.endpoints.length === 2 && report.endpoints.every(({ state }) => state === 'failed'),
  );
  expect(endpoints.map(({ error }) => error)).toEqual([
    expect.stringContaining('graph.yaml at nodes.b.inputs.x: "inputs.index" is INT64, "x" takes FP32') as string,
    expect.stringContaining("lies outside of the graph's folder") as string,
  ]);
});
