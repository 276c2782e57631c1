import { type Static, Type } from 'typebox';
import { SpecTensor } from './deployment-spec.ts';
import { datatypes } from './tensor.ts';

/**
 * A graph of models that answers as one model: an entry of `graphs:` in tidemill.yaml, and the file `graph.yaml` in the
 * folder of a model. What a schema cannot say is said by `graph-plan.ts`.
 */
const closed = { additionalProperties: false } as const;

const NodeName = Type.String({
  pattern: '^[A-Za-z_][A-Za-z0-9_-]*$',
  description: 'a name: letters, digits, "_" and "-"',
});
const Source = Type.String({
  minLength: 1,
  description: 'a tensor: inputs.<name>, <node>.<output>, or <node> where that gives one alone',
});
const Sources = Type.Record(Type.String(), Source);
const Value = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);
const Numbers = Type.Union([Type.Number(), Type.Array(Type.Number(), { minItems: 1 })]);

export const memberRuntimes = ['onnx', 'python', 'command'] as const;

export const ModelNode = Type.Object(
  {
    model: Type.Optional(
      Type.String({
        pattern: '^model:[^@]+@[^@]+$',
        description: 'model:<name>@<alias or version>: model:late-arrival@champion',
      }),
    ),
    file: Type.Optional(
      Type.String({ minLength: 1, description: 'in graph.yaml: the file or folder of the model, from there' }),
    ),
    runtime: Type.Optional(
      Type.Enum([...memberRuntimes], { description: 'in graph.yaml: default by the names of its files' }),
    ),
    signature: Type.Optional(
      Type.Object(
        { inputs: Type.Array(SpecTensor), outputs: Type.Array(SpecTensor) },
        { description: 'in graph.yaml: what is declared for the model' },
      ),
    ),
    inputs: Type.Optional(
      Type.Union([Source, Sources], {
        description:
          "its inputs by name, each a tensor; one tensor for a model of one input; or a node, whose outputs go by their names. What is not said is the graph's input of that name",
      }),
    ),
  },
  closed,
);

export const SwitchNode = Type.Object(
  {
    switch: Type.Array(
      Type.Object(
        {
          when: Type.Optional(
            Type.String({
              minLength: 1,
              maxLength: 2000,
              description: 'a condition on a row, as of steps: inputs.amount > 1000 && score.probabilities[1] >= 0.5',
            }),
          ),
          to: Type.String({ minLength: 1, description: 'a node, or one of its outputs: <node>.<output>' }),
        },
        closed,
      ),
      { minItems: 1, description: 'each row goes where the first condition holds; the last one has none' },
    ),
  },
  closed,
);

export const SplitNode = Type.Object(
  {
    split: Type.Record(Type.String(), Type.Number({ minimum: 0, maximum: 100 }), {
      minProperties: 1,
      description: 'percent by node (or <node>.<output>); they sum to 100',
    }),
    by: Type.Optional(
      Type.String({
        default: 'key',
        description: "what stays with its branch: key, the row's key in the request, or a tensor: inputs.customer",
      }),
    ),
    salt: Type.Optional(Type.String({ description: 'another one splits otherwise; default: the name of the node' })),
  },
  closed,
);

export const operations = [
  'argmax',
  'cast',
  'clip',
  'columns',
  'concat',
  'constant',
  'impute',
  'map',
  'mean',
  'one_hot',
  'reshape',
  'scale',
  'sigmoid',
  'softmax',
  'threshold',
  'vote',
] as const;
export type OperationName = (typeof operations)[number];

export const UseNode = Type.Object(
  {
    use: Type.Enum([...operations], { description: 'what is done, docs/graphs.md' }),
    of: Type.Union([Source, Type.Array(Source, { minItems: 1 })], { description: 'one tensor, or several' }),
    take: Type.Optional(Type.Array(Type.Integer({ minimum: 0 }), { minItems: 1, description: 'columns: which' })),
    to: Type.Optional(Type.Enum([...datatypes], { description: 'cast, concat, constant: the datatype' })),
    shape: Type.Optional(
      Type.Array(Type.Integer({ minimum: -1 }), { minItems: 1, description: 'reshape: the new shape, -1 first' }),
    ),
    mean: Type.Optional(Numbers),
    std: Type.Optional(Numbers),
    with: Type.Optional(
      Type.Union([Value, Type.Array(Value, { minItems: 1 })], {
        description: 'impute: what stands for a missing value, one for all or one a column',
      }),
    ),
    min: Type.Optional(Type.Number()),
    max: Type.Optional(Type.Number()),
    values: Type.Optional(
      Type.Union([Type.Array(Value, { minItems: 1 }), Type.Record(Type.String(), Value)], {
        description: 'one_hot: the values, a column each; map: what each value becomes, or a list by index',
      }),
    ),
    else: Type.Optional(Value),
    value: Type.Optional(Value),
    at: Type.Optional(Type.Number({ description: 'threshold: 1 from there on' })),
    weights: Type.Optional(
      Type.Array(Type.Number({ minimum: 0 }), { minItems: 1, description: 'mean, vote: one for each of `of`' }),
    ),
  },
  closed,
);

export const GraphNode = Type.Union([ModelNode, SwitchNode, SplitNode, UseNode]);

const parts = {
  inputs: Type.Optional(
    Type.Array(SpecTensor, {
      description: 'what the graph takes; default: what its models take of it, by the same name and type',
    }),
  ),
  nodes: Type.Record(NodeName, GraphNode, { minProperties: 1, description: 'models and what is done between them' }),
  outputs: Type.Optional(
    Type.Union([Source, Sources], {
      description:
        'what it answers: tensors by name, or all that one node gives; default: the node that no other takes',
    }),
  ),
};

/** The file `graph.yaml`. */
export const GraphDocument = Type.Object(parts, closed);

/** An entry of `graphs:` in tidemill.yaml. Its name is that of a model. */
export const GraphSpec = Type.Object(
  {
    ...parts,
    alias: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9][A-Za-z0-9_-]*$',
        default: 'champion',
        description: 'the alias that each new version gets',
      }),
    ),
  },
  closed,
);

export type GraphDocument = Static<typeof GraphDocument>;
export type GraphSpec = Static<typeof GraphSpec>;
export type GraphNode = Static<typeof GraphNode>;
export type ModelNode = Static<typeof ModelNode>;
export type SwitchNode = Static<typeof SwitchNode>;
export type SplitNode = Static<typeof SplitNode>;
export type UseNode = Static<typeof UseNode>;

export const isModelNode = (node: GraphNode): node is ModelNode =>
  !('use' in node) && !('switch' in node) && !('split' in node);
