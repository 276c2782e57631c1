import { stat } from 'node:fs/promises';
import { referencesOf } from '#contracts/condition-syntax';
import { planGraph } from '#contracts/graph-plan';
import type { GraphProblem } from '#contracts/graph-wiring';
import type { GraphPlan, PlannedNode } from '#contracts/planned-graph';
import { graphFile, type RunnableFolder } from '#contracts/servable-version';
import type { ModelSignature, Tensor } from '#contracts/tensor';
import { type Batcher, type BatchLimits, createBatcher } from '../batcher.ts';
import { joinSignature } from '../check-inputs.ts';
import type { LoadedModel, ModelFiles, Runtime } from '../runtime.ts';
import { runtimeErrors } from '../runtime-errors.ts';
import type { RunTerms } from '../waiting-queue.ts';
import { Evaluation, type RunNode } from './evaluation.ts';
import { findMembers, type GraphMember, readGraph } from './graph-file.ts';
import { createModelNode, createUseNode, type NodeContext, nameError } from './graph-nodes.ts';
import { createSplit, createSwitch } from './routing.ts';

export interface GraphRuntimeOptions {
  /** The runtime that loads a graph's models. */
  readonly runtimeOf: (kind: Exclude<RunnableFolder['runtime'], 'graph'>) => Promise<Runtime>;
  /** Whether models may lie outside of a graph's folder: where that is the caller's own. Default false. */
  readonly mayLeaveFolder?: boolean;
}

/** A model that several nodes may share. */
interface Member {
  readonly model: LoadedModel;
  readonly signature: ModelSignature;
  readonly batcher: Batcher;
  readonly bytes: number;
}

const defaultLimits: BatchLimits = { maxRows: 256, maxQueued: 1_024, timeoutMs: 10_000 };
/** What a session holds beside its file. */
const sessionBytes = 400_000;
const noTerms: RunTerms = {};

/**
 * Graphs of models (`graph.yaml`, docs/graphs.md), each answering as one model in this process: nothing is sent between
 * nodes but tensors in memory. A graph is not batched as a whole: each of its models has a batcher of its own, which puts
 * rows of all requests together that came to it, by whatever way.
 */
export function createGraphRuntime({ runtimeOf, mayLeaveFolder = false }: GraphRuntimeOptions): Runtime {
  const loaded = new Set<LoadedModel>();

  async function loadMember(member: GraphMember, files: ModelFiles): Promise<Member> {
    const { workers, batching = defaultLimits } = files;
    const { mainPath, signature: declared } = member;
    const runtime = await runtimeOf(member.runtime === 'graph' ? 'onnx' : member.runtime);
    const model = await runtime
      .load({ mainPath, ...(declared && { signature: declared }), ...(workers && { workers }) })
      .catch((error: unknown) => {
        throw nameError(titleOf(member), error);
      });
    try {
      const signature = joinSignature(declared, model.signature);
      const { size } = await stat(mainPath);
      return { model, signature, batcher: createBatcher(model, signature, batching), bytes: size + sessionBytes };
    } catch (error) {
      await model.unload();
      throw nameError(titleOf(member), error);
    }
  }

  /** Of nodes with the same file there is one. */
  async function loadMembers(members: readonly GraphMember[], files: ModelFiles): Promise<ReadonlyMap<string, Member>> {
    const byPath = new Map<string, Promise<Member>>();
    for (const member of members) byPath.set(member.mainPath, byPath.get(member.mainPath) ?? loadMember(member, files));
    const results = await Promise.allSettled(byPath.values());
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) {
      await Promise.all(
        results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.model.unload()] : [])),
      );
      throw failed.reason;
    }
    const entries = members.map(async ({ node, mainPath }) => [node, await byPath.get(mainPath)] as const);
    return new Map(
      (await Promise.all(entries)).flatMap(([node, member]) => (member === undefined ? [] : [[node, member]])),
    );
  }

  return {
    kind: 'graph',
    async load(files) {
      const document = await readGraph(files.mainPath);
      const found = await findMembers(files.mainPath, document, mayLeaveFolder);
      const members = await loadMembers(found, files);
      const own = new Set([...members.values()].map(({ model }) => model));
      const unloadAll = () => Promise.all([...own].map((model) => model.unload()));
      const { problems, plan } = planGraph(
        document,
        new Map([...members].map(([node, { signature }]) => [node, signature])),
      );
      if (plan === undefined) {
        await unloadAll();
        throw runtimeErrors.MODEL_LOAD_FAILED(problems.map(printProblem).join('; '));
      }
      const titles = new Map(found.map((member) => [member.node, titleOf(member)]));
      const nodes = plan.nodes.map((node) => {
        const title = titles.get(node.name) ?? `node "${node.name}"`;
        return compile(plan, node, members, { name: node.name, title, observer: files.observer });
      });
      const model = createGraphModel(plan, nodes, [...new Set(members.values())], async () => {
        loaded.delete(model);
        await unloadAll();
      });
      loaded.add(model);
      return model;
    },
    async close() {
      await Promise.all([...loaded].map((model) => model.unload()));
    },
  };
}

const titleOf = ({ node, modelRef }: GraphMember): string =>
  modelRef === undefined ? `node "${node}"` : `node "${node}" (${modelRef})`;

function compile(
  plan: GraphPlan,
  node: PlannedNode,
  members: ReadonlyMap<string, Member>,
  context: NodeContext,
): RunNode {
  switch (node.kind) {
    case 'switch':
      return createSwitch(node, isCallers(plan, node), context);
    case 'split':
      return createSplit(node, context);
    case 'use':
      return createUseNode(node, isCallers(plan, node), context);
    case 'model': {
      const member = members.get(node.name);
      if (member === undefined) throw new Error(`the model of node "${node.name}" is not loaded`);
      return createModelNode(node, member.batcher, context);
    }
  }
}

/** Whether a node works on nothing but what the caller sent: then what is wrong with it is the caller's. */
function isCallers(plan: GraphPlan, node: PlannedNode): boolean {
  const places =
    node.kind === 'switch'
      ? node.branches.flatMap(({ when }) => [...(when?.reads.values() ?? [])])
      : node.kind === 'use'
        ? node.sources
        : undefined;
  return (
    places?.every(({ node: index }) => {
      const source = plan.nodes[index];
      return index < 0 || (source !== undefined && source.kind === 'use' && isCallers(plan, source));
    }) ?? false
  );
}

function createGraphModel(
  { signature, answers, nodes: planned }: GraphPlan,
  nodes: readonly RunNode[],
  members: readonly Member[],
  release: () => Promise<unknown>,
): LoadedModel {
  let isLoaded = true;
  const rowInput = signature.inputs.findIndex(({ shape }) => shape[0] === -1);
  const isAlone = members.length < 2;

  async function answer(inputs: readonly Tensor[], wanted: readonly string[] | undefined, terms: RunTerms) {
    const rows = inputs[rowInput]?.shape[0] ?? 1;
    const failing = isAlone ? undefined : untilFailure(terms);
    const evaluation = Evaluation.of(nodes, inputs, rows, failing?.terms ?? terms);
    try {
      const asked = wanted?.flatMap((name) => answers.filter((one) => one.name === name)) ?? answers;
      const given = await evaluation.tensors(asked);
      return given.map((tensor, at) => rename(tensor, asked[at]?.name ?? tensor.name));
    } catch (error) {
      failing?.abandon();
      throw error;
    } finally {
      for (const [node, branches] of evaluation.routes)
        terms.took?.(node, branches.every((branch) => branch === branches[0]) ? branches.slice(0, 1) : branches);
    }
  }

  return {
    signature,
    schedules: true,
    takesParameters: planned.some(readsParameters) || members.some(({ model }) => model.takesParameters === true),
    takesKeys: planned.some((node) => node.kind === 'split' && node.by === undefined),
    get memoryBytes() {
      return members.reduce((sum, { model, bytes }) => sum + (model.memoryBytes ?? bytes), 0);
    },
    async predict(inputs, outputs, parameters, terms = noTerms) {
      if (!isLoaded) throw runtimeErrors.MODEL_UNLOADED();
      return answer(
        inputs,
        outputs,
        parameters === undefined || terms.parameters === parameters ? terms : { ...terms, parameters },
      );
    },
    async unload() {
      if (!isLoaded) return;
      isLoaded = false;
      await release();
    },
  };
}

const readsParameters = (node: PlannedNode): boolean =>
  node.kind === 'switch' &&
  node.branches.some(
    ({ when }) => when !== undefined && referencesOf(when.expression).some(({ kind }) => kind === 'param'),
  );

/** When one node has failed, what others of the request still wait for need not be run. */
function untilFailure(terms: RunTerms): { readonly terms: RunTerms; abandon(): void } {
  const signal = new GraphSignal(terms.signal);
  return { terms: { ...terms, signal }, abandon: () => signal.abandon() };
}

/** A class: a literal with a getter, made once a request, would keep the request alive until a full collection. */
class GraphSignal {
  readonly #outer: RunTerms['signal'];
  #hasFailed = false;

  constructor(outer: RunTerms['signal']) {
    this.#outer = outer;
  }

  get aborted(): boolean {
    return this.#hasFailed || this.#outer?.aborted === true;
  }

  abandon(): void {
    this.#hasFailed = true;
  }
}

const rename = (tensor: Tensor, name: string): Tensor => (tensor.name === name ? tensor : { ...tensor, name });

function printProblem({ path, message, expected, known }: GraphProblem): string {
  const should = expected ?? known?.join(', ');
  return `${graphFile} at ${path.join('.') || 'its root'}: ${message}${should === undefined || should === '' ? '' : `; expected: ${should}`}`;
}
