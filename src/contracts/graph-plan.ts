import { planSplit, planSwitch } from './graph-branches.ts';
import { type GraphDocument, type GraphNode, isModelNode, type ModelNode, type UseNode } from './graph-document.ts';
import { typeOfOperation } from './graph-operations.ts';
import { createGraphTensors, type Found, type GraphTensors, quoteNames } from './graph-tensors.ts';
import {
  answersOf,
  type GraphProblem,
  graphInputs,
  orderNodes,
  readSource,
  type Source,
  sourcesOf,
  wiringOf,
} from './graph-wiring.ts';
import { type GraphPlan, onlyTensor, type Place, type PlannedNode } from './planned-graph.ts';
import type { ModelSignature, TensorSignature } from './tensor.ts';

export type Planned =
  | { readonly problems: readonly [GraphProblem, ...GraphProblem[]]; readonly plan: undefined }
  | {
      readonly problems: readonly [];
      /** Undefined while the signature of a model is not known: what is known fits. */
      readonly plan: GraphPlan | undefined;
    };

type Signatures = ReadonlyMap<string, ModelSignature | undefined>;

/**
 * Derives the types of a graph's tensors from the signatures of its models, and checks that they fit. Done where a graph is
 * declared, with the signatures that the registry knows, and where it is loaded, with those that the models say.
 */
export function planGraph(document: GraphDocument, signatures: Signatures): Planned {
  const { order, problems } = orderNodes(document);
  if (order === undefined) return refused(problems);
  const inputs = new Map<string, TensorSignature>(document.inputs?.map((input) => [input.name, input]));
  const tensorsOf = (derives: boolean) => createGraphTensors({ document, signatures, order, inputs, derives });
  // what the models take of the graph is known only when it is known what the nodes before them give
  if (document.inputs === undefined) planNodes(tensorsOf(true));
  const tensors = tensorsOf(false);
  const nodes = planNodes(tensors);
  const answers = planAnswers(tensors);
  if (tensors.problems.length > 0) return refused(tensors.problems);
  if (isModelLess(document, signatures)) return { problems: [], plan: undefined };
  const unknown = unknownInput(document, order, inputs);
  if (unknown !== undefined || answers === undefined) return refused(unknown === undefined ? [] : [unknown]);
  const outputs = answers.map(({ name, tensor: { datatype, shape } }) => ({ name, datatype, shape }));
  return { problems: [], plan: { nodes, answers, signature: { inputs: [...inputs.values()], outputs } } };
}

const refused = (problems: readonly GraphProblem[]): Planned => {
  const [first = { path: [], message: 'the graph does not fit together' }, ...others] = problems;
  return { problems: [first, ...others], plan: undefined };
};

const isModelLess = (document: GraphDocument, signatures: Signatures): boolean =>
  Object.entries(document.nodes).some(([name, node]) => isModelNode(node) && signatures.get(name) === undefined);

function planNodes(tensors: GraphTensors): readonly PlannedNode[] {
  return tensors.order.flatMap((name) => {
    const node = tensors.document.nodes[name];
    const planned = node && planNode(tensors, name, node);
    if (planned !== undefined) tensors.types.set(name, planned.outputs);
    return planned ?? [];
  });
}

function planNode(tensors: GraphTensors, name: string, node: GraphNode): PlannedNode | undefined {
  if ('use' in node) return planUse(tensors, name, node);
  if ('switch' in node) return planSwitch(tensors, name, node);
  return 'split' in node ? planSplit(tensors, name, node) : planModel(tensors, name, node);
}

function planModel(tensors: GraphTensors, name: string, node: ModelNode): PlannedNode | undefined {
  const { document, signatures, inputs, tell, find, wire } = tensors;
  const signature = signatures.get(name);
  const wiring = wiringOf(name, node);
  if (signature === undefined) {
    for (const source of sourcesOf(name, node)) if (!('text' in wiring)) find(source);
    return undefined;
  }
  const sources = signature.inputs.map((input): Found => {
    const byName = readSource(`${graphInputs}.${input.name}`, ['nodes', name]);
    const source = 'text' in wiring ? sourceOfAll(tensors, wiring, input, signature) : wiring.get(input.name);
    if (source === undefined && document.inputs !== undefined && !inputs.has(input.name))
      return tell({
        path: ['nodes', name],
        message: `input "${input.name}" of "${name}" comes from nowhere`,
        expected: `inputs: { ${input.name}: <tensor> }, or an input of the graph of that name`,
      });
    return wire(source ?? byName, input);
  });
  if (!('text' in wiring))
    for (const [input, { path }] of wiring)
      if (!signature.inputs.some((own) => own.name === input))
        tell({
          path,
          message: `the model of "${name}" has no input "${input}"`,
          known: signature.inputs.map((own) => own.name),
        });
  return {
    kind: 'model',
    name,
    outputs: signature.outputs,
    inputs: signature.inputs,
    sources: sources.flatMap((found) => found?.place ?? []),
  };
}

/** `inputs: <source>`: the only input takes the tensor; of a node of several, each input that of its name. */
function sourceOfAll(
  { types, tell }: GraphTensors,
  source: Source,
  input: TensorSignature,
  { inputs: wanted }: ModelSignature,
): Source | undefined {
  if (source.tensor !== undefined) {
    if (wanted.length === 1) return source;
    tell({
      path: source.path,
      message: `the model takes ${quoteNames(wanted.map(({ name }) => name))}`,
      expected: `inputs: { ${input.name}: ${source.text} }`,
    });
    return source;
  }
  const type = types.get(source.node);
  if (wanted.length === 1 && type?.length === 1) return source;
  return type === undefined || type.some(({ name }) => name === input.name)
    ? readSource(`${source.node}.${input.name}`, source.path)
    : undefined;
}

function planUse({ find, tell }: GraphTensors, name: string, node: UseNode): PlannedNode | undefined {
  const found = sourcesOf(name, node).map(find);
  const known = found.flatMap((one) => one ?? []);
  if (known.length < found.length) return undefined;
  const type = typeOfOperation(
    node,
    known.map(({ tensor }) => tensor),
  );
  if ('problem' in type) {
    const { problem: message, expected } = type;
    return tell({
      path: ['nodes', name, 'of'],
      message: `${node.use} of "${name}": ${message}`,
      ...(expected !== undefined && { expected }),
    });
  }
  const outputs = [{ name: onlyTensor, ...type }];
  return { kind: 'use', name, node, outputs, sources: known.map(({ place }) => place) };
}

function planAnswers(
  tensors: GraphTensors,
): readonly (Place & { readonly name: string; readonly tensor: TensorSignature })[] | undefined {
  const answers = answersOf(tensors.document);
  const named = 'text' in answers ? answersOfOne(tensors, answers) : [...answers];
  const found = named?.map(([name, source]) => ({ name, found: tensors.find(source) }));
  const known = found?.flatMap(({ name, found: one }) =>
    one === undefined ? [] : [{ name, tensor: one.tensor, ...one.place }],
  );
  return known?.length === found?.length ? known : undefined;
}

function answersOfOne({ types }: GraphTensors, source: Source): readonly (readonly [string, Source])[] | undefined {
  if (source.tensor !== undefined) return [[source.tensor, source]];
  const type = types.get(source.node);
  return type?.map(({ name }) => [
    name === onlyTensor ? source.node : name,
    readSource(`${source.node}.${name}`, source.path),
  ]);
}

/** What only processing nodes take has no type by itself. */
function unknownInput(
  document: GraphDocument,
  order: readonly string[],
  inputs: ReadonlyMap<string, TensorSignature>,
): GraphProblem | undefined {
  const source = order
    .flatMap((name) => sourcesOf(name, document.nodes[name] ?? { split: {} }))
    .find(({ node, tensor }) => node === graphInputs && !inputs.has(tensor ?? ''));
  return (
    source && {
      path: source.path,
      message: `no model takes "${source.text}" as it is, so its type is not known`,
      expected: `inputs: [{ name: ${source.tensor ?? ''}, datatype: FP32, shape: [-1, 1] }] in the graph`,
    }
  );
}
