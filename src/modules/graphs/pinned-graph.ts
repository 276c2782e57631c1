import { type GraphDocument, type GraphSpec, isModelNode } from '#contracts/graph-document';
import { planGraph } from '#contracts/graph-plan';
import { type GraphProblem, modelNodesOf } from '#contracts/graph-wiring';
import { readModelSignature } from '#contracts/model-signature';
import { formatReference, parseReference } from '#contracts/references';
import { graphFile, readServable } from '#contracts/servable-version';
import type { ModelVersion } from '#modules/registry';
import type { Reader } from '#platform/database';
import type { GraphsDeps } from './graphs-deps.ts';

/** A graph with an exact version for each of its models, as the folder of a model: `graph.yaml`, and theirs beside it. */
export interface PinnedGraph {
  readonly document: GraphDocument;
  /** Files of the models, by path in that folder. */
  readonly files: ModelVersion['files'];
  /** References of the versions, each once. */
  readonly members: readonly string[];
  /** What it takes and gives; undefined while a model only says that itself when it is loaded. */
  readonly signature: { readonly inputs: readonly object[]; readonly outputs: readonly object[] } | undefined;
}

export type Pinned =
  | { readonly kind: 'pinned'; readonly graph: PinnedGraph }
  | { readonly kind: 'waiting'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** Looks up what a graph names now, and whether it fits together as far as that is known. */
export async function pinGraph(
  reader: Reader,
  registry: Pick<GraphsDeps['registry'], 'version'>,
  project: string,
  { alias: _alias, ...document }: GraphSpec,
): Promise<Pinned> {
  const versions = new Map<string, ModelVersion>();
  for (const [node, { model = '' }] of modelNodesOf(document)) {
    const reference = parseReference(model);
    const found =
      reference?.at === undefined ? undefined : await registry.version(reader, project, reference.name, reference.at);
    if (found === undefined)
      return { kind: 'waiting', reason: `node "${node}" waits for ${model}, which is not there yet` };
    versions.set(node, found);
  }
  const pinned = pin(document, versions);
  if (typeof pinned === 'string') return { kind: 'refused', reason: pinned };
  const signatures = new Map([...versions].map(([node, version]) => [node, readModelSignature(version.signature)]));
  const { problems, plan } = planGraph(document, signatures);
  if (problems.length > 0) return { kind: 'refused', reason: problems.map(printProblem).join('; ') };
  return { kind: 'pinned', graph: { ...pinned, signature: plan?.signature } };
}

function pin(
  document: GraphDocument,
  versions: ReadonlyMap<string, ModelVersion>,
): Omit<PinnedGraph, 'signature'> | string {
  const nodes: Record<string, GraphDocument['nodes'][string]> = {};
  const files = new Map<string, ModelVersion['files'][number]>();
  const members = new Set<string>();
  for (const [name, node] of Object.entries(document.nodes)) {
    const version = versions.get(name);
    if (!isModelNode(node) || version === undefined) {
      nodes[name] = node;
      continue;
    }
    const reference = formatReference('model', version.model, version.version);
    const servable = readServable(version);
    if (typeof servable === 'string') return `node "${name}": ${reference} cannot be served: ${servable}`;
    const { runtime, files: own } = servable;
    if (runtime === 'graph') return `node "${name}": ${reference} is a graph, and a graph has none in it`;
    const folder = reference.slice('model:'.length).replaceAll(/[^A-Za-z0-9@._-]/g, '_');
    for (const file of own) files.set(`${folder}/${file.path}`, { ...file, path: `${folder}/${file.path}` });
    const signature = readModelSignature(version.signature);
    const { inputs } = node;
    nodes[name] = {
      model: reference,
      file: `${folder}/${own[0]?.path ?? ''}`,
      runtime,
      ...(signature !== undefined && { signature }),
      ...(inputs !== undefined && { inputs }),
    };
    members.add(reference);
  }
  if (files.has(graphFile)) return `a model has a file "${graphFile}"`;
  return { document: { ...document, nodes }, files: [...files.values()], members: [...members] };
}

export function printProblem({ path, message, expected, known }: GraphProblem): string {
  const should = expected ?? known?.join(', ');
  return `${path.join('.')}: ${message}${should === undefined || should === '' ? '' : `; expected: ${should}`}`;
}
