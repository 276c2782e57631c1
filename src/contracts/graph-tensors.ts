import type { GraphDocument } from './graph-document.ts';
import { type GraphProblem, graphInputs, type Source } from './graph-wiring.ts';
import { branchTensor, isRouting, type Place } from './planned-graph.ts';
import type { ModelSignature, TensorSignature } from './tensor.ts';

/** A tensor by the name under which it was asked for; undefined: not known yet, or told to be wrong. */
export type Found = { readonly tensor: TensorSignature; readonly place: Place } | undefined;

export interface GraphTensorsOptions {
  readonly document: GraphDocument;
  /** What the models take and give, as far as it is known. */
  readonly signatures: ReadonlyMap<string, ModelSignature | undefined>;
  readonly order: readonly string[];
  /** What the graph takes; completed where it is derived. */
  readonly inputs: Map<string, TensorSignature>;
  /** Whether this round is to find out what the graph takes. */
  readonly derives: boolean;
}

/** The tensors of a graph while it is planned, node by node, and what is found wrong with them. */
export interface GraphTensors extends GraphTensorsOptions {
  /** What the nodes give that have been looked at. */
  readonly types: Map<string, readonly TensorSignature[]>;
  readonly problems: readonly GraphProblem[];
  readonly indexOf: (node: string) => number;
  readonly tell: (problem: GraphProblem) => undefined;
  readonly find: (source: Source) => Found;
  /** A model's input from where it is wired to. */
  readonly wire: (source: Source, wanted: TensorSignature) => Found;
}

export function createGraphTensors(options: GraphTensorsOptions): GraphTensors {
  const { document, order, inputs, derives } = options;
  const problems: GraphProblem[] = [];
  const types = new Map<string, readonly TensorSignature[]>();
  const indexOf = (name: string): number => (name === graphInputs ? -1 : order.indexOf(name));
  const tell = (problem: GraphProblem): undefined => {
    problems.push(problem);
  };

  function find({ node, tensor, text, path }: Source): Found {
    if (node === graphInputs) return findInput(tensor ?? '');
    const type = types.get(node);
    if (type === undefined) return undefined;
    if (tensor === undefined && type.length !== 1)
      return tell({
        path,
        message: `"${node}" gives ${quoteNames(type.map(({ name }) => name))}`,
        expected: `one of them: ${node}.${type[0]?.name ?? ''}`,
      });
    const index = tensor === undefined ? 0 : type.findIndex(({ name }) => name === tensor);
    if (index < 0 && tensor === branchTensor && isRouting(document.nodes[node]))
      return {
        tensor: { name: text, datatype: 'BYTES', shape: [-1] },
        place: { node: indexOf(node), index: type.length },
      };
    const found = type[index];
    if (found === undefined)
      return tell({ path, message: `"${node}" gives no "${tensor ?? ''}"`, known: type.map(({ name }) => name) });
    return { tensor: { ...found, name: text }, place: { node: indexOf(node), index } };
  }

  function findInput(name: string): Found {
    const tensor = inputs.get(name);
    return (
      tensor && {
        tensor: { ...tensor, name: `${graphInputs}.${name}` },
        place: { node: -1, index: [...inputs.keys()].indexOf(name) },
      }
    );
  }

  /** A model's input from where it is wired to; what the graph takes is as the first that takes it has it. */
  function wire(source: Source, wanted: TensorSignature): Found {
    if (derives && source.node === graphInputs && source.tensor !== undefined && !inputs.has(source.tensor))
      inputs.set(source.tensor, { ...wanted, name: source.tensor });
    const found = find(source);
    if (found === undefined) return undefined;
    if (wanted.withoutNul === true && source.node === graphInputs && source.tensor !== undefined) {
      const input = inputs.get(source.tensor);
      if (input !== undefined) inputs.set(source.tensor, { ...input, withoutNul: true });
    }
    const misfit = misfitOf(found.tensor, wanted);
    return misfit === undefined ? found : tell({ path: source.path, ...misfit });
  }

  return { ...options, types, problems, indexOf, tell, find, wire };
}

export const showShape = (shape: readonly number[]): string => `[${shape.join(', ')}]`;
export const quoteNames = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

/** Why a tensor cannot go where another is wanted. Shapes that converters left unsaid fit everything. */
export function misfitOf(
  given: TensorSignature,
  wanted: TensorSignature,
): Pick<GraphProblem, 'message' | 'expected'> | undefined {
  if (given.datatype !== wanted.datatype)
    return {
      message: `"${given.name}" is ${given.datatype}, "${wanted.name}" takes ${wanted.datatype}`,
      expected: `a node between them: { use: cast, of: ${given.name}, to: ${wanted.datatype} }`,
    };
  const isUnsaid = given.shape.length === 0 || wanted.shape.length === 0;
  const fits =
    given.shape.length === wanted.shape.length &&
    wanted.shape.every((dimension, at) => dimension === -1 || given.shape[at] === -1 || dimension === given.shape[at]);
  if (isUnsaid || fits) return undefined;
  return {
    message: `"${given.name}" has shape ${showShape(given.shape)}, "${wanted.name}" takes ${showShape(wanted.shape)}`,
    expected: `a node between them: { use: reshape, of: ${given.name}, shape: ${showShape(wanted.shape)} }, or columns, concat`,
  };
}
