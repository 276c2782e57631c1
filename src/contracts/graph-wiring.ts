import { mayBeCondition, parseExpression, referencesOf } from './condition-syntax.ts';
import { type GraphDocument, type GraphNode, isModelNode, type ModelNode } from './graph-document.ts';
import { checkOperation } from './graph-operations.ts';

/** One thing wrong in a graph: `path` leads to it from the graph's own document. */
export interface GraphProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly expected?: string;
  /** Names that would have been right. */
  readonly known?: readonly string[];
}

/** A place that names a tensor: of the graph's inputs (`inputs.x`), of a node (`score.label`), or a node as a whole. */
export interface Source {
  readonly text: string;
  readonly node: string;
  readonly tensor: string | undefined;
  readonly path: GraphProblem['path'];
}

/** The name under which nodes see what the graph is asked with. */
export const graphInputs = 'inputs';
/** Words of conditions, which no node can be called by. */
const reserved: ReadonlySet<string> = new Set([
  graphInputs,
  'params',
  'steps',
  'has',
  'size',
  'true',
  'false',
  'null',
  'in',
]);

export function readSource(text: string, path: GraphProblem['path']): Source {
  const dot = text.indexOf('.');
  return dot < 0
    ? { text, node: text, tensor: undefined, path }
    : { text, node: text.slice(0, dot), tensor: text.slice(dot + 1), path };
}

/** Where a model's inputs come from, as it is written. */
export function wiringOf(name: string, { inputs }: ModelNode): Source | ReadonlyMap<string, Source> {
  const path = ['nodes', name, 'inputs'];
  if (typeof inputs === 'string') return readSource(inputs, path);
  return new Map(Object.entries(inputs ?? {}).map(([input, text]) => [input, readSource(text, [...path, input])]));
}

/** Everything that a node names, conditions included. */
export function sourcesOf(name: string, node: GraphNode): readonly Source[] {
  const path = ['nodes', name];
  if ('use' in node)
    return [node.of]
      .flat()
      .map((text, at) => readSource(text, Array.isArray(node.of) ? [...path, 'of', at] : [...path, 'of']));
  if ('switch' in node)
    return node.switch.flatMap(({ when, to: target }, at) => [
      ...conditionSources(when, [...path, 'switch', at, 'when']),
      readSource(target, [...path, 'switch', at, 'to']),
    ]);
  if ('split' in node)
    return [
      ...Object.keys(node.split).map((target) => readSource(target, [...path, 'split', target])),
      ...(node.by === undefined || node.by === 'key' ? [] : [readSource(node.by, [...path, 'by'])]),
    ];
  const wiring = wiringOf(name, node);
  return 'text' in wiring ? [wiring] : [...wiring.values()];
}

function conditionSources(when: string | undefined, path: GraphProblem['path']): readonly Source[] {
  const parsed = when === undefined ? undefined : parseExpression(when);
  if (parsed?.ok !== true) return [];
  return referencesOf(parsed.expression).flatMap((reference) =>
    reference.kind === 'param'
      ? []
      : [{ text: `${reference.step}.${reference.output}`, node: reference.step, tensor: reference.output, path }],
  );
}

/** What is answered, as it is written; where it is not, all that the node gives which no other takes. */
export function answersOf({ outputs, nodes }: GraphDocument): Source | ReadonlyMap<string, Source> {
  if (outputs === undefined) {
    const taken = new Set(
      Object.entries(nodes).flatMap(([name, node]) => sourcesOf(name, node).map((source) => source.node)),
    );
    const names = Object.keys(nodes);
    return readSource(names.findLast((name) => !taken.has(name)) ?? names.at(-1) ?? '', ['nodes']);
  }
  if (typeof outputs === 'string') return readSource(outputs, ['outputs']);
  return new Map(Object.entries(outputs).map(([name, text]) => [name, readSource(text, ['outputs', name])]));
}

const answerSources = (document: GraphDocument): readonly Source[] => {
  const answers = answersOf(document);
  return 'text' in answers ? [answers] : [...answers.values()];
};

export type Ordered =
  | { readonly order: readonly string[]; readonly problems: readonly [] }
  | { readonly order: undefined; readonly problems: readonly GraphProblem[] };

/** Checks what needs no model: names, conditions, shares, operations, cycles; and says in which order nodes can be looked at. */
export function orderNodes(document: GraphDocument): Ordered {
  const problems = [
    ...checkNames(document),
    ...Object.entries(document.nodes).flatMap(([name, node]) => [...checkNode(name, node)]),
  ];
  if (problems.length > 0) return { order: undefined, problems };
  const sorted = sortNodes(document);
  if ('cycle' in sorted) {
    const path = ['nodes', sorted.cycle[0] ?? ''];
    const message = `the nodes wait for each other: ${sorted.cycle.join(' ← ')}`;
    return { order: undefined, problems: [{ path, message, expected: 'a graph without a circle' }] };
  }
  const unused = Object.keys(document.nodes).filter((name) => !sorted.used.has(name));
  if (unused.length > 0)
    return {
      order: undefined,
      problems: unused.map((name) => ({
        path: ['nodes', name],
        message: `nothing takes what "${name}" gives`,
        expected: 'a node that takes it, or `outputs` that name it',
      })),
    };
  return { order: sorted.order, problems: [] };
}

function* checkNames(document: GraphDocument): Iterable<GraphProblem> {
  const known = Object.keys(document.nodes);
  for (const name of known)
    if (reserved.has(name))
      yield { path: ['nodes', name], message: `"${name}" cannot be a node: it is a word of conditions` };
  const inputs = document.inputs?.map(({ name }) => name);
  const twice = inputs?.find((name, at) => inputs.indexOf(name) < at);
  if (twice !== undefined) yield { path: ['inputs'], message: `input "${twice}" is declared twice` };
  const sources = [
    ...Object.entries(document.nodes).flatMap(([name, node]) => sourcesOf(name, node)),
    ...answerSources(document),
  ];
  for (const { node, tensor, text, path } of sources) {
    if (node !== graphInputs) {
      if (!known.includes(node)) yield { path, message: `there is no node "${node}"`, known: [...known, graphInputs] };
    } else if (tensor === undefined) yield { path, message: `"${text}" names no tensor`, expected: 'inputs.<name>' };
    else if (inputs !== undefined && !inputs.includes(tensor))
      yield { path, message: `the graph has no input "${tensor}"`, known: inputs };
  }
}

function* checkNode(name: string, node: GraphNode): Iterable<GraphProblem> {
  const path = ['nodes', name];
  if ('use' in node) {
    for (const problem of checkOperation(node)) yield { ...problem, path: [...path, ...problem.path] };
  } else if ('switch' in node) {
    for (const [at, { when }] of node.switch.entries())
      yield* checkBranch([...path, 'switch', at], when, at === node.switch.length - 1);
  } else if ('split' in node) {
    const sum = Object.values(node.split).reduce((total, share) => total + Math.round(share * 100), 0);
    if (sum !== 10_000)
      yield { path: [...path, 'split'], message: `the shares sum to ${sum / 100} percent`, expected: '100' };
  } else if (node.model === undefined && node.file === undefined)
    yield {
      path,
      message: `node "${name}" says not what it is`,
      expected: 'model: model:<name>@<alias or version>, or use, switch, split',
    };
}

function* checkBranch(path: GraphProblem['path'], when: string | undefined, isLast: boolean): Iterable<GraphProblem> {
  if (when === undefined) {
    if (!isLast) yield { path, message: 'only the last branch has no condition', expected: 'when: <condition>' };
    return;
  }
  if (isLast)
    yield { path, message: 'a row may come for which no condition holds', expected: 'a last branch with `to` alone' };
  const parsed = parseExpression(when);
  if (!parsed.ok)
    yield {
      path: [...path, 'when'],
      message: `the condition "${when}" cannot be read at character ${parsed.problem.at + 1}`,
      expected: parsed.problem.expected,
    };
  else if (!mayBeCondition(parsed.expression))
    yield { path: [...path, 'when'], message: `"${when}" is never true or false`, expected: 'inputs.amount > 1000' };
}

type Sorted =
  | { readonly order: readonly string[]; readonly used: ReadonlySet<string> }
  | { readonly cycle: readonly string[] };

/** Depth first from the outputs, so that what nobody needs is not reached; then from the rest, so that circles among it are told. */
function sortNodes(document: GraphDocument): Sorted {
  const order: string[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const trail: string[] = [];
  let cycle: readonly string[] | undefined;
  const visit = (name: string): void => {
    const node = document.nodes[name];
    if (node === undefined || cycle !== undefined || state.get(name) === 'done') return;
    if (state.get(name) === 'open') {
      cycle = [...trail.slice(trail.indexOf(name)), name];
      return;
    }
    state.set(name, 'open');
    trail.push(name);
    for (const source of sourcesOf(name, node)) visit(source.node);
    trail.pop();
    state.set(name, 'done');
    order.push(name);
  };
  for (const { node } of answerSources(document)) visit(node);
  const used = new Set(order);
  for (const name of Object.keys(document.nodes)) visit(name);
  return cycle === undefined ? { order: order.filter((name) => used.has(name)), used } : { cycle };
}

/** Those nodes that are models, by name. */
export function modelNodesOf({ nodes }: GraphDocument): readonly (readonly [string, ModelNode])[] {
  return Object.entries(nodes).flatMap(([name, node]) => (isModelNode(node) ? [[name, node] as const] : []));
}
