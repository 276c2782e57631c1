import { Value } from 'typebox/value';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { GraphDocument } from './graph-document.ts';
import { planGraph } from './graph-plan.ts';
import type { ModelSignature } from './tensor.ts';

const scorer: ModelSignature = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 3] }],
  outputs: [
    { name: 'label', datatype: 'INT64', shape: [-1] },
    { name: 'probabilities', datatype: 'FP32', shape: [-1, 2] },
  ],
};
const pair: ModelSignature = {
  inputs: [
    { name: 'age', datatype: 'FP32', shape: [-1, 1] },
    { name: 'who', datatype: 'BYTES', shape: [-1] },
  ],
  outputs: [{ name: 'score', datatype: 'FP64', shape: [-1] }],
};
const whole: ModelSignature = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [8, 3] }],
  outputs: [{ name: 'label', datatype: 'INT64', shape: [8] }],
};
const models: Readonly<Record<string, ModelSignature>> = { scorer, pair, whole };

function plan(yaml: string, known: Readonly<Record<string, ModelSignature | undefined>> = models) {
  const document = parse(yaml) as GraphDocument;
  expect(Value.Errors(GraphDocument, document)).toEqual([]);
  const signatures = Object.entries(document.nodes).flatMap(([name, node]) =>
    'file' in node ? [[name, known[node.file ?? '']] as const] : [],
  );
  return planGraph(document, new Map(signatures));
}
const problemsOf = (yaml: string, known?: Readonly<Record<string, ModelSignature | undefined>>) =>
  plan(yaml, known).problems.map(
    ({ path, message, expected, known: names }) =>
      `${path.join('.')}: ${message}${expected === undefined && names === undefined ? '' : ` | ${expected ?? (names ?? []).join(', ')}`}`,
  );

test.each([
  [
    'a circle',
    'nodes: { a: { use: cast, of: b, to: FP32 }, b: { use: cast, of: a, to: FP32 } }',
    ['nodes.b: the nodes wait for each other: b ← a ← b | a graph without a circle'],
  ],
  [
    'a node that is not there',
    'nodes: { a: { file: scorer, inputs: skaled }, scaled: { use: clip, of: inputs.x, min: 0 } }',
    ['nodes.a.inputs: there is no node "skaled" | a, scaled, inputs'],
  ],
  [
    'a tensor that a node does not give',
    'nodes: { a: { file: scorer }, b: { use: argmax, of: a.probability } }',
    ['nodes.b.of: "a" gives no "probability" | label, probabilities'],
  ],
  [
    'a node that gives several, where one is meant',
    'nodes: { a: { file: scorer }, b: { use: argmax, of: a } }',
    ['nodes.b.of: "a" gives "label", "probabilities" | one of them: a.label'],
  ],
  [
    'another datatype',
    'nodes: { a: { file: scorer }, b: { file: pair, inputs: { age: a.label } } }',
    [
      'nodes.b.inputs.age: "a.label" is INT64, "age" takes FP32 | a node between them: { use: cast, of: a.label, to: FP32 }',
    ],
  ],
  [
    'another shape',
    'nodes: { a: { file: scorer }, b: { file: scorer, inputs: a.probabilities } }',
    [
      'nodes.b.inputs: "a.probabilities" has shape [-1, 2], "x" takes [-1, 3] | a node between them: { use: reshape, of: a.probabilities, shape: [-1, 3] }, or columns, concat',
    ],
  ],
  [
    'an input that two models take otherwise',
    'nodes: { a: { file: scorer }, b: { file: pair, inputs: { age: inputs.x } }, c: { use: vote, of: [a.label, b.score] } }',
    [
      'nodes.b.inputs.age: "inputs.x" has shape [-1, 3], "age" takes [-1, 1] | a node between them: { use: reshape, of: inputs.x, shape: [-1, 1] }, or columns, concat',
      'nodes.c.of: vote of "c": "a.label" is INT64, "b.score" is FP64 | one datatype: { use: cast, … } before it',
    ],
  ],
  [
    'an input that comes from nowhere',
    'inputs: [ { name: age, datatype: FP32, shape: [-1, 1] } ]\nnodes: { b: { file: pair } }',
    [
      'nodes.b: input "who" of "b" comes from nowhere | inputs: { who: <tensor> }, or an input of the graph of that name',
    ],
  ],
  [
    'an input whose type nothing says',
    'nodes: { a: { use: clip, of: inputs.x, min: 0 } }',
    [
      'nodes.a.of: no model takes "inputs.x" as it is, so its type is not known | inputs: [{ name: x, datatype: FP32, shape: [-1, 1] }] in the graph',
    ],
  ],
  [
    'what leads nowhere',
    'nodes: { a: { file: scorer }, b: { file: scorer } }\noutputs: { y: b.label }',
    ['nodes.a: nothing takes what "a" gives | a node that takes it, or `outputs` that name it'],
  ],
  [
    'a switch that leaves rows over, and a condition that is none',
    'nodes: { a: { file: scorer }, b: { switch: [ { when: a.label +, to: a }, { when: "1 + 1", to: a } ] } }',
    [
      'nodes.b.switch.0.when: the condition "a.label +" cannot be read at character 10 | a number, a text, params.<name> or <step>.<output>',
      'nodes.b.switch.1: a row may come for which no condition holds | a last branch with `to` alone',
      'nodes.b.switch.1.when: "1 + 1" is never true or false | inputs.amount > 1000',
    ],
  ],
  [
    'branches that give nothing alike, and such that differ',
    'nodes: { a: { file: scorer }, b: { file: pair }, c: { switch: [ { when: a.label == 1, to: a }, { to: b } ] }, d: { switch: [ { when: a.label == 1, to: a.label }, { to: b.score } ] }, e: { use: vote, of: [c, d] } }',
    [
      'nodes.c: the branches of "c" give nothing of the same name: a gives "label", "probabilities", b gives "score" | one tensor of each: <node>.<output>',
      'nodes.d.switch.1.to: "value" is INT64 [-1] by a.label and FP64 [-1] by b.score | the same by every branch: { use: cast, … } or { use: reshape, … } before it',
    ],
  ],
  [
    'shares that are not the whole',
    'nodes: { a: { file: scorer }, b: { file: scorer }, c: { split: { a: 50, b: 49.5 } } }',
    ['nodes.c.split: the shares sum to 99.5 percent | 100'],
  ],
  [
    'rows where there are none',
    'nodes: { a: { file: whole }, b: { file: whole }, c: { split: { a: 50, b: 50 } } }',
    [
      'nodes.c: "c" routes row by row, and "label" of "a" has no rows: its shape is [8] | tensors whose first dimension is free: [-1, …]',
      'nodes.c: "c" routes row by row, and "label" of "b" has no rows: its shape is [8] | tensors whose first dimension is free: [-1, …]',
    ],
  ],
  [
    'operations that are written or fed wrong',
    `
     nodes:
       a: { file: scorer }
       b: { use: columns, of: a.probabilities, take: [2], at: 1 }
       c: { use: scale, of: a.probabilities, mean: [0, 0, 0] }
       d: { use: mean, of: [b, c], weights: [1] }`,
    [
      'nodes.b.at: "at" has no use with columns | { use: columns, of: inputs.x, take: [0, 3] }',
      'nodes.c: "std" is missing for scale | { use: scale, of: inputs.x, mean: [38.5, 0], std: [12, 1] }',
      'nodes.d.weights: 1 weights for 2 tensors | one for each',
    ],
  ],
  [
    'operations on what they cannot take',
    `
     nodes:
       a: { file: scorer }
       p: { file: pair }
       b: { use: columns, of: a.probabilities, take: [2] }
       c: { use: scale, of: a.probabilities, mean: [0, 0, 0], std: 1 }
       d: { use: softmax, of: inputs.who }
       e: { use: concat, of: [a.label, p.score] }
       f: { use: impute, of: a.label, with: 0 }
       g: { use: one_hot, of: a.probabilities, values: [1] }
     outputs: { b: b, c: c, d: d, e: e, f: f, g: g }`,
    [
      'nodes.b.of: columns of "b": "a.probabilities" has no column 2: it has 2 | 0 to 1',
      'nodes.c.of: scale of "c": "a.probabilities" has 2 columns, 3 values are given | one a column',
      'nodes.d.of: softmax of "d": "inputs.who" is text | numbers: { use: map, … } before it',
      'nodes.e.of: concat of "e": "a.label" is INT64, "p.score" is FP64 | one datatype: `to: FP32` casts them',
      'nodes.f.of: impute of "f": "a.label" is INT64, which has no missing values | FP32, FP64 or BYTES',
      'nodes.g.of: one_hot of "g": "a.probabilities" has 2 columns | one: [-1] or [-1, 1]',
    ],
  ],
  [
    'words of conditions as names',
    'nodes: { params: { file: scorer } }',
    ['nodes.params: "params" cannot be a node: it is a word of conditions'],
  ],
])('%s is told with its place and how to mend it', (_what, yaml, expected) => {
  expect(problemsOf(yaml).toSorted()).toEqual(expected.toSorted());
});

test('what it takes is derived from its models, what it answers from the node that no other takes', () => {
  const { plan: found } = plan(`
    nodes:
      blend: { use: mean, of: [first.probabilities, second.probabilities], weights: [2, 1] }
      first: { file: scorer }
      second: { file: scorer, inputs: capped }
      capped: { use: clip, of: inputs.x, max: 1 }`);
  expect(found?.nodes.map(({ name }) => name)).toEqual(['first', 'capped', 'second', 'blend']);
  expect(found?.signature).toEqual({
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 3] }],
    outputs: [{ name: 'blend', datatype: 'FP32', shape: [-1, 2] }],
  });
});

const halfKnown = (of: string) => `
    nodes:
      known: { file: scorer }
      unknown: { file: nobody, inputs: { anything: known.label } }
      blend: { use: mean, of: [unknown.score, ${of}] }`;

test('while a model is not known, what is known is checked all the same', () => {
  expect(plan(halfKnown('known.label'))).toEqual({ problems: [], plan: undefined });
  expect(problemsOf(halfKnown('known.labl'))).toEqual([
    'nodes.blend.of.1: "known" gives no "labl" | label, probabilities',
  ]);
});
