import { type Expression, parseExpression, type Reference, referencesOf } from './condition-syntax.ts';
import {
  type GraphDocument,
  type GraphNode,
  isModelNode,
  type ModelNode,
  type SplitNode,
  type SwitchNode,
  type UseNode,
} from './graph-document.ts';
import { typeOfOperation } from './graph-operations.ts';
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
import type { ModelSignature, TensorSignature } from './tensor.ts';

/** The tensor `index` of a node; node -1 is what the graph is asked with. */
export interface Place {
  readonly node: number;
  readonly index: number;
}

export interface PlannedBranch {
  /** As it is written: what records and metrics call it. */
  readonly label: string;
  readonly node: number;
  /** Which of that node's tensors, in the order of the switch's own. */
  readonly picks: readonly number[];
}

export type PlannedNode = { readonly name: string; readonly outputs: readonly TensorSignature[] } & (
  | { readonly kind: 'model'; readonly sources: readonly Place[]; readonly inputs: readonly TensorSignature[] }
  | { readonly kind: 'use'; readonly node: UseNode; readonly sources: readonly Place[] }
  | {
      readonly kind: 'switch';
      readonly branches: readonly (PlannedBranch & {
        readonly when:
          | { readonly text: string; readonly expression: Expression; readonly reads: ReadonlyMap<string, Place> }
          | undefined;
      })[];
    }
  | {
      readonly kind: 'split';
      readonly branches: readonly (PlannedBranch & { readonly basisPoints: number })[];
      readonly by: Place | undefined;
      readonly salt: string;
    }
);

/** A graph that fits together: what it takes and answers, and its nodes, each after those that it needs. */
export interface GraphPlan {
  readonly signature: ModelSignature;
  readonly nodes: readonly PlannedNode[];
  readonly answers: readonly (Place & { readonly name: string })[];
}

export type Planned =
  | { readonly problems: readonly [GraphProblem, ...GraphProblem[]]; readonly plan: undefined }
  | {
      readonly problems: readonly [];
      /** Undefined while the signature of a model is not known: what is known fits. */
      readonly plan: GraphPlan | undefined;
    };

/** The name of the one tensor of a node that gives no named ones. */
export const onlyTensor = 'value';

/** What a switch or a split gives beside the tensors of its branches: which one each row took. */
export const branchTensor = 'branch';
const isRouting = (node: GraphNode | undefined): boolean => node !== undefined && ('switch' in node || 'split' in node);

type Signatures = ReadonlyMap<string, ModelSignature | undefined>;
/** Undefined: not known yet. */
type Found = { readonly tensor: TensorSignature; readonly place: Place } | undefined;

/**
 * Derives the types of a graph's tensors from the signatures of its models, and checks that they fit. Done where a graph is
 * declared, with the signatures that the registry knows, and where it is loaded, with those that the models say.
 */
export function planGraph(document: GraphDocument, signatures: Signatures): Planned {
  const { order, problems } = orderNodes(document);
  if (order === undefined) return refused(problems);
  // what the models take of the graph is known only when it is known what the nodes before them give
  const derived = new Map<string, TensorSignature>(document.inputs?.map((input) => [input.name, input]));
  if (document.inputs === undefined) createPlanner(document, signatures, order, derived, true).run();
  return createPlanner(document, signatures, order, derived, false).run();
}

const refused = (problems: readonly GraphProblem[]): Planned => {
  const [first = { path: [], message: 'the graph does not fit together' }, ...others] = problems;
  return { problems: [first, ...others], plan: undefined };
};

const show = (shape: readonly number[]): string => `[${shape.join(', ')}]`;
const quote = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');
const isModelLess = (document: GraphDocument, signatures: Signatures): boolean =>
  Object.entries(document.nodes).some(([name, node]) => isModelNode(node) && signatures.get(name) === undefined);

function createPlanner(
  document: GraphDocument,
  signatures: Signatures,
  order: readonly string[],
  inputs: Map<string, TensorSignature>,
  /** Whether this round is to find out what the graph takes: then its problems are not told. */
  derives: boolean,
) {
  const problems: GraphProblem[] = [];
  const types = new Map<string, readonly TensorSignature[] | undefined>();
  const planned: PlannedNode[] = [];
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
        message: `"${node}" gives ${quote(type.map(({ name }) => name))}`,
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

  function planModel(name: string, node: ModelNode): void {
    const signature = signatures.get(name);
    const wiring = wiringOf(name, node);
    if (signature === undefined) {
      for (const source of sourcesOf(name, node)) if (!('text' in wiring)) find(source);
      return;
    }
    types.set(name, signature.outputs);
    const sources = signature.inputs.map((input): Found => {
      const byName = readSource(`${graphInputs}.${input.name}`, ['nodes', name]);
      const source = 'text' in wiring ? sourceOfAll(wiring, input, signature) : wiring.get(input.name);
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
    planned.push({
      kind: 'model',
      name,
      outputs: signature.outputs,
      inputs: signature.inputs,
      sources: sources.flatMap((found) => found?.place ?? []),
    });
  }

  /** `inputs: <source>`: the only input takes the tensor; of a node of several, each input that of its name. */
  function sourceOfAll(source: Source, input: TensorSignature, { inputs: wanted }: ModelSignature): Source | undefined {
    if (source.tensor !== undefined) {
      if (wanted.length === 1) return source;
      tell({
        path: source.path,
        message: `the model takes ${quote(wanted.map(({ name }) => name))}`,
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

  function planUse(name: string, node: UseNode): void {
    const found = sourcesOf(name, node).map(find);
    const known = found.flatMap((one) => one ?? []);
    if (known.length < found.length) return;
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
    types.set(name, outputs);
    planned.push({ kind: 'use', name, node, outputs, sources: known.map(({ place }) => place) });
  }

  /** What all branches give: the tensors of the same names, which must be of the same types. */
  function joinBranches(name: string, targets: readonly Source[]) {
    const given = targets.map((target) => {
      if (target.tensor === undefined) return types.get(target.node);
      const found = find(target);
      return found && [{ ...found.tensor, name: onlyTensor }];
    });
    const [first] = given;
    if (first === undefined || given.includes(undefined)) return undefined;
    const all = given.flatMap((type) => (type === undefined ? [] : [type]));
    const common = first.filter((tensor) => all.every((type) => type.some((other) => other.name === tensor.name)));
    if (common.length === 0)
      return tell({
        path: ['nodes', name],
        message: `the branches of "${name}" give nothing of the same name: ${targets.map(({ text }, at) => `${text} gives ${quote((all[at] ?? []).map((one) => one.name))}`).join(', ')}`,
        expected: 'one tensor of each: <node>.<output>',
      });
    const outputs = common.map((tensor) => {
      const others = all.map((type, at) => ({ at, other: type.find((one) => one.name === tensor.name) ?? tensor }));
      const unlike = others.find(({ other }) => misfitOf(other, tensor) !== undefined);
      if (unlike !== undefined)
        tell({
          path: targets[unlike.at]?.path ?? [],
          message: `"${tensor.name}" is ${tensor.datatype} ${show(tensor.shape)} by ${targets[0]?.text ?? ''} and ${unlike.other.datatype} ${show(unlike.other.shape)} by ${targets[unlike.at]?.text ?? ''}`,
          expected: 'the same by every branch: { use: cast, … } or { use: reshape, … } before it',
        });
      return {
        name: tensor.name,
        datatype: tensor.datatype,
        shape: commonShape(others.map(({ other }) => other.shape)),
      };
    });
    types.set(name, outputs);
    const branches = targets.map(
      (target, at): PlannedBranch => ({
        label: target.text,
        node: indexOf(target.node),
        picks: common.map(({ name: tensor }) => {
          const found = target.tensor === undefined ? undefined : find(target);
          return found?.place.index ?? (all[at] ?? []).findIndex((one) => one.name === tensor);
        }),
      }),
    );
    return { outputs, branches };
  }

  function planSwitch(name: string, { switch: declared }: SwitchNode): void {
    const joined = joinBranches(
      name,
      declared.map(({ to: target }, at) => readSource(target, ['nodes', name, 'switch', at, 'to'])),
    );
    let known = joined !== undefined;
    const branches = declared.map(({ when: text }, at) => {
      const branch = joined?.branches[at];
      const reads = new Map<string, Place>();
      const parsed = text === undefined ? undefined : parseExpression(text);
      if (parsed?.ok === true)
        for (const reference of referencesOf(parsed.expression)) {
          if (reference.kind === 'param') continue;
          const found = find(readSource(textOf(reference), ['nodes', name, 'switch', at, 'when']));
          if (found === undefined) known = false;
          else reads.set(textOf(reference), found.place);
        }
      const when =
        text === undefined || parsed?.ok !== true ? undefined : { text, expression: parsed.expression, reads };
      return { label: branch?.label ?? '', node: branch?.node ?? -1, picks: branch?.picks ?? [], when };
    });
    checkRows(name);
    if (known && joined !== undefined) planned.push({ kind: 'switch', name, outputs: joined.outputs, branches });
  }

  function planSplit(name: string, { split, by, salt }: SplitNode): void {
    const targets = Object.keys(split).map((text) => readSource(text, ['nodes', name, 'split', text]));
    const joined = joinBranches(name, targets);
    const key = by === undefined || by === 'key' ? undefined : find(readSource(by, ['nodes', name, 'by']));
    checkRows(name);
    if (joined === undefined || (by !== undefined && by !== 'key' && key === undefined)) return;
    const branches = joined.branches.map((branch) => ({
      ...branch,
      basisPoints: Math.round((split[branch.label] ?? 0) * 100),
    }));
    planned.push({ kind: 'split', name, outputs: joined.outputs, branches, by: key?.place, salt: salt ?? name });
  }

  /** Rows are routed one by one: whatever a branch needs has to have them. */
  function checkRows(name: string): void {
    const seen = new Set<string>();
    const visit = (node: string): void => {
      if (seen.has(node)) return;
      seen.add(node);
      const described = document.nodes[node];
      if (described === undefined) return;
      const fixed = [...(types.get(node) ?? []), ...(signatures.get(node)?.inputs ?? [])].find(
        ({ shape }) => shape.length > 0 && shape[0] !== -1,
      );
      if (fixed !== undefined)
        tell({
          path: ['nodes', name],
          message: `"${name}" routes row by row, and "${fixed.name}" of "${node}" has no rows: its shape is ${show(fixed.shape)}`,
          expected: 'tensors whose first dimension is free: [-1, …]',
        });
      for (const source of sourcesOf(node, described)) visit(source.node);
    };
    for (const source of sourcesOf(name, document.nodes[name] ?? { split: {} })) visit(source.node);
  }

  function planAnswers(): readonly (Place & { readonly name: string; readonly tensor: TensorSignature })[] | undefined {
    const answers = answersOf(document);
    const named = 'text' in answers ? answersOfOne(answers) : [...answers];
    const found = named?.map(([name, source]) => ({ name, found: find(source) }));
    const known = found?.flatMap(({ name, found: one }) =>
      one === undefined ? [] : [{ name, tensor: one.tensor, ...one.place }],
    );
    return known?.length === found?.length ? known : undefined;
  }

  function answersOfOne(source: Source): readonly (readonly [string, Source])[] | undefined {
    if (source.tensor !== undefined) return [[source.tensor, source]];
    const type = types.get(source.node);
    return type?.map(({ name }) => [
      name === onlyTensor ? source.node : name,
      readSource(`${source.node}.${name}`, source.path),
    ]);
  }

  const planNode = (name: string, node: GraphNode): void => {
    if ('use' in node) planUse(name, node);
    else if ('switch' in node) planSwitch(name, node);
    else if ('split' in node) planSplit(name, node);
    else planModel(name, node);
  };

  return {
    run(): Planned {
      for (const name of order) {
        const node = document.nodes[name];
        if (node !== undefined) planNode(name, node);
      }
      const answers = planAnswers();
      if (problems.length > 0) return refused(problems);
      if (isModelLess(document, signatures)) return { problems: [], plan: undefined };
      const unknown = unknownInput(document, order, inputs);
      if (unknown !== undefined) return refused([unknown]);
      if (answers === undefined) return refused([]);
      return {
        problems: [],
        plan: {
          nodes: planned,
          answers,
          signature: {
            inputs: [...inputs.values()],
            outputs: answers.map(({ name, tensor: { datatype, shape } }) => ({ name, datatype, shape })),
          },
        },
      };
    },
  };
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

const textOf = ({ step, output }: Extract<Reference, { readonly kind: 'output' }>): string => `${step}.${output}`;

/** Why a tensor cannot go where another is wanted. Shapes that converters left unsaid fit everything. */
function misfitOf(
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
    message: `"${given.name}" has shape ${show(given.shape)}, "${wanted.name}" takes ${show(wanted.shape)}`,
    expected: `a node between them: { use: reshape, of: ${given.name}, shape: ${show(wanted.shape)} }, or columns, concat`,
  };
}

function commonShape(shapes: readonly (readonly number[])[]): readonly number[] {
  const said = shapes.filter((shape) => shape.length > 0);
  const [first] = said;
  if (first === undefined || said.length < shapes.length) return [];
  return first.map((dimension, at) => (said.every((shape) => shape[at] === dimension) ? dimension : -1));
}
