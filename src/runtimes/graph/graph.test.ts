import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Tensor } from '#contracts/tensor';
import { chooseShare } from '#contracts/traffic-split';
import type { Runtime } from '../runtime.ts';
import { createGraphsInTest, createLog, fp32, int64, loadGraph, text } from './testing/graph-in-test.ts';

let runtime: Runtime;
beforeAll(() => {
  runtime = createGraphsInTest();
});
afterAll(() => runtime.close());

function values(tensors: readonly Tensor[], name: string): readonly (string | number)[] {
  const data = (tensors.find((one) => one.name === name)?.data ?? []) as Iterable<string | number | bigint>;
  return Array.from(data, (value) => (typeof value === 'bigint' ? Number(value) : value));
}

const columns = (...distances: readonly number[]): Tensor[] => [
  text('carrier', ...distances.map((_, row) => `C${row}`)),
  { ...int64('flight', ...distances.map((_, row) => row)), shape: [distances.length, 1] },
  fp32('distance', distances),
];

test('models follow each other, tensors going from one to the next under other names', async () => {
  const model = await loadGraph(
    runtime,
    `
     nodes:
       first: { file: $columns-1 }
       second: { file: $columns-2, inputs: { distance: first.score } }
       index: { use: cast, of: flat, to: INT64 }
       flat: { use: reshape, of: second.score, shape: [-1] }
       flat1: { use: reshape, of: index, shape: [-1] }
       pick: { file: $gather, inputs: flat1 }
     outputs: { total: second.score, picked: pick.picked, who: first.carrier_out }`,
  );
  expect(model.signature).toEqual({
    inputs: [
      { name: 'carrier', datatype: 'BYTES', shape: [-1, 1], withoutNul: true },
      { name: 'flight', datatype: 'INT64', shape: [-1, 1] },
      { name: 'distance', datatype: 'FP32', shape: [-1, 1] },
    ],
    outputs: [
      { name: 'total', datatype: 'FP32', shape: [-1, 1] },
      { name: 'picked', datatype: 'FP32', shape: [-1] },
      { name: 'who', datatype: 'BYTES', shape: [-1, 1] },
    ],
  });
  const answer = await model.predict(columns(-3, -2, -1));
  expect(values(answer, 'total')).toEqual([0, 1, 2]);
  expect(values(answer, 'picked')).toEqual([10, 20, 30]);
  expect(values(answer, 'who')).toEqual(['C0', 'C1', 'C2']);
  expect((await model.predict(columns(-3), ['picked'])).map(({ name }) => name)).toEqual(['picked']);
  await model.unload();
});

const cascade = `
  nodes:
    cheap: { file: $columns-1 }
    costly: { file: $columns-2, inputs: { distance: cheap.score } }
    rare: { file: $columns-1, inputs: { distance: costly.score } }
    tier:
      switch:
        - { when: cheap.score < 10, to: cheap }
        - { when: costly.score < 100, to: costly }
        - { to: rare }
  outputs: { score: tier.score, tier: tier.branch }`;

test('a switch sends each row where the first condition holds, and runs for a row only what that needs', async () => {
  const log = createLog();
  const model = await loadGraph(runtime, cascade, { observer: log });
  const took: Record<string, readonly string[]> = {};
  const terms = { took: (node: string, branches: readonly string[]) => void (took[node] = branches) };
  const answer = await model.predict(columns(500, 1, 50, 2, 600), undefined, undefined, terms);
  expect(values(answer, 'score')).toEqual([504, 2, 53, 3, 604]);
  expect(values(answer, 'tier')).toEqual(['rare', 'cheap', 'costly', 'cheap', 'rare']);
  expect(took).toEqual({ tier: ['rare', 'cheap', 'costly', 'cheap', 'rare'] });
  expect(log.lines.toSorted()).toEqual([
    'cheap: 5 rows',
    'costly: 3 rows',
    'rare: 2 rows',
    'tier → cheap: 2 rows',
    'tier → costly: 1 rows',
    'tier → rare: 2 rows',
  ]);
  await model.predict(columns(1, 2), undefined, undefined, terms);
  expect(took).toEqual({ tier: ['cheap'] });
  expect(log.lines.slice(6).toSorted()).toEqual(['cheap: 2 rows', 'tier → cheap: 2 rows']);
  await model.unload();
});

test('rows are answered together as they are alone', async () => {
  const model = await loadGraph(
    runtime,
    `
     nodes:
       plain: { file: $columns-1 }
       half: { use: scale, of: inputs.distance, mean: 0, std: 2 }
       narrow: { use: cast, of: half, to: FP32 }
       other: { file: $columns-2, inputs: { distance: narrow } }
       sign: { switch: [ { when: inputs.distance < 0 || inputs.carrier == "C1", to: other }, { to: plain } ] }
       sized: { switch: [ { when: sign.score >= 10, to: plain.score }, { when: inputs.flight % 2 == 0, to: sign.score }, { to: tiny } ] }
       tiny: { use: cast, of: low, to: FP32 }
       low: { use: reshape, of: minus, shape: [-1, 1] }
       minus: { use: constant, of: inputs.distance, value: -1 }
     outputs: { score: sign.score, size: sized }
     inputs:
       - { name: carrier, datatype: BYTES, shape: [-1, 1] }
       - { name: flight, datatype: INT64, shape: [-1, 1] }
       - { name: distance, datatype: FP32, shape: [-1, 1] }`,
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 12 }),
      async (distances) => {
        const given = columns(...distances);
        const together = await model.predict(given);
        const alone = await Promise.all(
          distances.map((_, row) =>
            model.predict(
              given.map((tensor) => ({
                ...tensor,
                shape: [1, 1],
                data: tensor.data.slice(row, row + 1) as Tensor['data'],
              })),
            ),
          ),
        );
        for (const name of ['score', 'size'])
          expect(values(together, name)).toEqual(alone.flatMap((answer) => values(answer, name)));
      },
    ),
    { numRuns: 25 },
  );
  await model.unload();
});

const shares = (salt: string, value: string, ...targets: readonly (readonly [string, number])[]) =>
  chooseShare(
    targets.map(([target, percent]) => ({ target, basisPoints: percent * 100 })),
    { salt, value },
    () => 0,
  )?.target;

test('a split keeps a key with its branch as traffic does, a share of 0 gets nothing', async () => {
  const model = await loadGraph(
    runtime,
    `
     nodes:
       a: { file: $columns-1 }
       b: { file: $columns-2 }
       c: { file: $columns-2 }
       try: { split: { a: 70, b: 30, c: 0 } }
       by_carrier: { split: { a: 50, b: 50 }, by: inputs.carrier, salt: other }
     outputs: { arm: try.branch, score: try.score, own: by_carrier.branch }`,
  );
  expect(model.takesKeys).toBe(true);
  const keys = Array.from({ length: 300 }, (_, row) => `customer-${row}`);
  const given = columns(...keys.map(() => 1));
  const answer = await model.predict(given, undefined, undefined, { keys });
  expect(values(answer, 'arm')).toEqual(keys.map((key) => shares('try', key, ['a', 70], ['b', 30], ['c', 0])));
  expect(values(answer, 'score')).toEqual(values(answer, 'arm').map((arm) => (arm === 'a' ? 2 : 3)));
  expect(values(answer, 'own')).toEqual(keys.map((_, row) => shares('other', `C${row}`, ['a', 50], ['b', 50])));
  expect(values(await model.predict(given, undefined, undefined, { keys }), 'arm')).toEqual(values(answer, 'arm'));
  const byChance = new Set(values(await model.predict(given), 'arm'));
  expect(byChance).toEqual(new Set(['a', 'b']));
  await model.unload();
});

test('a node that fails fails its request and is named; what is not needed does not run', async () => {
  const log = createLog();
  const model = await loadGraph(
    runtime,
    `
     nodes:
       pick: { file: $gather, model: "model:gather@3" }
       route: { switch: [ { when: inputs.index < 3, to: pick.picked }, { to: fallback } ] }
       fallback: { use: cast, of: inputs.index, to: FP32 }`,
    { observer: log },
  );
  expect(values(await model.predict([int64('index', 1, 7)]), 'route')).toEqual([20, 7]);
  log.lines.length = 0;
  await expect(model.predict([int64('index', -9)])).rejects.toMatchObject({
    code: 'MODEL_RUN_FAILED',
    message: expect.stringMatching(/^node "pick" \(model:gather@3\): the model failed: /) as string,
  });
  expect(log.lines).toEqual(['route → pick.picked: 1 rows', 'pick: failed']);
  expect(values(await model.predict([int64('index', 2)]), 'route')).toEqual([30]);
  await model.unload();
});

test("what the caller sent is the caller's fault, where a node works on nothing else", async () => {
  const model = await loadGraph(
    runtime,
    `
     nodes:
       code: { use: map, of: inputs.size, values: { small: 0, large: 2 } }
       flat: { use: reshape, of: code, shape: [-1] }
       pick: { file: $gather, inputs: flat }
       known: { switch: [ { when: params.strict && inputs.weight > 1, to: pick.picked }, { to: pick.picked } ] }
     inputs: [ { name: size, datatype: BYTES, shape: [-1, 1] }, { name: weight, datatype: FP32, shape: [-1, 1], nullable: true } ]`,
  );
  const ask = (size: string, weight: number, parameters: Record<string, unknown> = { strict: true }) =>
    model.predict([text('size', size), fp32('weight', [weight])], undefined, parameters);
  expect(values(await ask('large', 2), 'known')).toEqual([30]);
  await expect(ask('huge', 2)).rejects.toMatchObject({
    code: 'INPUT_INVALID',
    message: 'node "code": row 0: "huge" is none of the values of map, which has no "else"',
  });
  await expect(ask('large', Number.NaN)).rejects.toMatchObject({
    code: 'INPUT_INVALID',
    message: 'node "known": row 0: "params.strict && inputs.weight > 1" cannot be decided: inputs.weight has no value',
  });
  await expect(ask('large', 2, {})).rejects.toThrow('the request has no parameter "strict"');
  expect(model.takesParameters).toBe(true);
  await model.unload();
});

test('a deadline that passes at one node is kept at the next, and a client that left runs nothing more', async () => {
  const log = createLog();
  const model = await loadGraph(
    runtime,
    `
     nodes:
       slow: { file: $slow }
       index: { use: cast, of: slow.done, to: INT64 }
       capped: { use: threshold, of: index, at: 1 }
       pick: { file: $gather, inputs: capped }`,
    { observer: log },
  );
  const turns = int64('turns', 400);
  const fromMs = performance.now();
  await model.predict([turns]);
  const tookMs = performance.now() - fromMs;
  log.lines.length = 0;
  await expect(
    model.predict([turns], undefined, undefined, { deadlineMs: performance.now() + tookMs / 2 }),
  ).rejects.toMatchObject({
    code: 'DEADLINE_PASSED',
    message: expect.stringMatching(/^node "pick": the request's own deadline passed/) as string,
  });
  expect(log.lines).toEqual(['slow: 1 rows', 'index: 1 rows', 'capped: 1 rows', 'pick: failed']);
  let asked = 0;
  const signal = {
    get aborted() {
      return (asked += 1) > 1;
    },
  }; // leaves while the first model runs
  await expect(model.predict([turns], undefined, undefined, { signal })).rejects.toMatchObject({
    code: 'REQUEST_ABANDONED',
  });
  await model.unload();
});

test('requests meet at the models: their rows run together there', async () => {
  const log: number[] = [];
  const counting: Runtime = createGraphsInTest();
  const model = await loadGraph(
    counting,
    'nodes: { a: { file: $gather }, b: { use: mean, of: [a.picked, a.picked] } }',
    {
      batching: { maxRows: 64, maxQueued: 10, timeoutMs: 1_000 },
      observer: { ran: (_, rows) => void log.push(rows), took: () => undefined },
    },
  );
  expect(model).toMatchObject({ schedules: true });
  const answers = await Promise.all(Array.from({ length: 10 }, (_, at) => model.predict([int64('index', at % 3)])));
  expect(answers.map((answer) => values(answer, 'b')[0])).toEqual([10, 20, 30, 10, 20, 30, 10, 20, 30, 10]);
  await expect(Promise.all(Array.from({ length: 11 }, () => model.predict([int64('index', 0)])))).rejects.toMatchObject(
    { code: 'MODEL_QUEUE_FULL', message: expect.stringMatching(/^node "a": /) as string },
  );
  await counting.close();
});

test.each([
  ['nodes: [', 'graph.yaml is no YAML'],
  ['nodes: {}', 'graph.yaml at nodes'],
  ['nodes: { a: { file: nothing.onnx } }', 'graph.yaml at nodes.a: there is no "nothing.onnx"'],
  ['nodes: { a: { model: "model:x@1" } }', 'model:x@1 has no `file`'],
  ['nodes: { a: { file: . } }', '"." is a graph itself'],
  [
    'nodes: { a: { file: $gather, inputs: { x: inputs.index } } }',
    'graph.yaml at nodes.a.inputs.x: the model of "a" has no input "x"; expected: index',
  ],
])('%s is refused when it is loaded', async (yaml, message) => {
  await expect(loadGraph(runtime, yaml)).rejects.toMatchObject({
    code: 'MODEL_LOAD_FAILED',
    message: expect.stringContaining(message) as string,
  });
});
