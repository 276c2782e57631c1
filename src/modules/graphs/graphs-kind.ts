import type { GraphSpec } from '#contracts/graph-document';
import { modelNodesOf, orderNodes } from '#contracts/graph-wiring';
import { formatReference, parseReference } from '#contracts/references';
import type { Unit } from '#platform/database';
import type { ResourceKind, SpecProblem } from '#platform/resource-kind';
import { deleteGraph, findGraph, listGraphsOf, putGraph } from './graph-store.ts';
import type { GraphsDeps } from './graphs-deps.ts';
import { graphsErrors } from './graphs-errors.ts';
import { pinGraph } from './pinned-graph.ts';

/** `graphs:` in tidemill.yaml. The versions of a pruned graph stay: they are those of a model. */
export function createGraphsKind(
  { registry }: Pick<GraphsDeps, 'registry'>,
  changed: () => void,
): ResourceKind<GraphSpec> {
  return {
    section: 'graphs',
    kind: 'graph',
    async current(reader, project) {
      return new Map((await listGraphsOf(reader, project)).map(({ name, spec }) => [name, spec]));
    },
    check: (_name, spec) => checkGraph(spec),
    async apply(unit, project, { name, after }) {
      if (after === undefined) await deleteGraph(unit, project, name);
      else await declare(unit, project, name, after);
    },
  };

  async function declare(unit: Unit, project: string, name: string, spec: GraphSpec): Promise<void> {
    const latest = await registry.version(unit, project, name, 'latest');
    if (latest !== undefined && latest.runtime !== 'graph') throw graphsErrors.GRAPH_NAME_TAKEN(name);
    const pinned = await pinGraph(unit, registry, project, spec);
    if (pinned.kind === 'refused') throw graphsErrors.GRAPH_INVALID(name, pinned.reason);
    const generation = ((await findGraph(unit, project, name))?.generation ?? 0) + 1;
    await putGraph(unit, { project, name, spec, generation });
    await unit.emit({
      type: 'graph.changed',
      project,
      subject: formatReference('graph', name),
      data: { graph: name, generation },
    });
    unit.afterCommit(changed);
  }
}

/** What is wrong whatever its models are. */
export function checkGraph(spec: GraphSpec): readonly SpecProblem[] {
  const problems: SpecProblem[] = [];
  for (const [node, { model, file, runtime, signature }] of modelNodesOf(spec)) {
    const path = ['nodes', node];
    if (file !== undefined || runtime !== undefined || signature !== undefined)
      problems.push({
        path,
        message: '`file`, `runtime` and `signature` stand in a graph.yaml; here a model is named',
        expected: 'model: model:<name>@<alias or version>',
      });
    else if (model !== undefined && parseReference(model)?.at === undefined)
      problems.push({
        path: [...path, 'model'],
        message: `"${model}" is no reference`,
        expected: 'model:<name>@<alias or version>',
      });
  }
  return [...problems, ...orderNodes(spec).problems];
}
