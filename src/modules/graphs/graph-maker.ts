import { Readable } from 'node:stream';
import { stringify } from 'yaml';
import { canonicalJson } from '#contracts/json';
import { formatReference } from '#contracts/references';
import { graphFile } from '#contracts/servable-version';
import type { Unit, WriteContext } from '#platform/database';
import { createDueLoop, type DueLoop } from '#platform/due-loop';
import { findGraph, type Graph, listPending, updateGraph } from './graph-store.ts';
import type { GraphsDeps } from './graphs-deps.ts';
import { type Pinned, type PinnedGraph, pinGraph } from './pinned-graph.ts';

const context: WriteContext = { actor: 'system:graphs' };
const atOnce = 100;
const fingerprintOf = ({ name }: Pick<Graph, 'name'>): string => `graph:${name}`;

/**
 * Makes versions of graphs: when one was declared, and when a model that it names has another version under that name.
 * The bytes are written first, outside of any unit; the version is proposed in one that finds everything as it was.
 *
 *   pending ── all models there, and they fit ──► made        (a model moves, or it is declared otherwise: pending)
 *      ├────── one is not there yet ──► waiting
 *      └────── they do not fit ──► refused; the version before stays, and an alert says why
 */
export function createGraphMaker(deps: GraphsDeps): DueLoop {
  const { database, blobs, clock, logger, registry } = deps;

  async function make(graph: Graph): Promise<void> {
    const pinned = await pinGraph(database.read, registry, graph.project, graph.spec);
    if (pinned.kind !== 'pinned') {
      await database.write(context, async (unit) => {
        const again = await lookAgain(unit, graph);
        if (again !== undefined && same(again, pinned)) await giveUp(unit, graph, pinned);
      });
      return;
    }
    const text = Buffer.from(printGraph(pinned.graph));
    const { sha256, sizeBytes } = await blobs.putStream(Readable.from([text]));
    await database.write(context, async (unit) => {
      const again = await lookAgain(unit, graph);
      // what moved meanwhile has left it pending, and its turn comes again
      if (again?.kind === 'pinned' && same(again, pinned))
        await propose(unit, graph, again.graph, { path: graphFile, sha256, sizeBytes });
    });
  }

  async function lookAgain(unit: Unit, { project, name, generation }: Graph): Promise<Pinned | undefined> {
    const now = await findGraph(unit, project, name);
    if (now?.generation !== generation || now.state !== 'pending') return undefined;
    return pinGraph(unit, registry, project, now.spec);
  }

  async function giveUp(
    unit: Unit,
    graph: Graph,
    { kind, reason }: Exclude<Pinned, { readonly kind: 'pinned' }>,
  ): Promise<void> {
    const { project, name } = graph;
    const subject = formatReference('graph', name);
    await updateGraph(unit, graph, { state: kind, reason });
    if (kind === 'waiting') return;
    await unit.emit({ type: 'graph.refused', project, subject, data: { graph: name, reason } });
    await deps.alerts.open(unit, {
      project,
      fingerprint: fingerprintOf(graph),
      kind: 'graph',
      severity: 'warning',
      title: `no version of graph ${name} can be made of what its models are now`,
      subject,
      evidence: { reason },
    });
  }

  async function propose(
    unit: Unit,
    graph: Graph,
    { files, members, signature }: PinnedGraph,
    main: PinnedGraph['files'][number],
  ): Promise<void> {
    const { project, name, spec } = graph;
    const alias = spec.alias ?? 'champion';
    const { version, promotionId, existed } = await registry.proposeVersion(unit, {
      project,
      model: name,
      digest: main.sha256,
      files: [main, ...files],
      runtime: 'graph',
      ...(signature !== undefined && { signature: JSON.parse(JSON.stringify(signature)) as never }),
      alias,
      checks: [],
    });
    // Its models are again what they were: the alias returns with them, unless this very version was taken back.
    const isBack = existed && promotionId === undefined && !(await wasTakenBack(unit, graph, version));
    if (isBack) await registry.setAlias(unit, { project, model: name, alias, version });
    const reference = formatReference('model', name, version);
    await deps.lineage.record(unit, project, [
      ...members.map((member) => ({ from: member, to: reference, kind: 'part-of' })),
      { from: formatReference('graph', name), to: reference, kind: 'declared' },
    ]);
    await updateGraph(unit, graph, { state: 'made', made: { version, members } });
    await unit.emit({
      type: 'graph.made',
      project,
      subject: formatReference('graph', name),
      data: { graph: name, version, members: [...members] },
    });
    await deps.alerts.resolve(unit, {
      project,
      fingerprint: fingerprintOf(graph),
      reason: `version ${version} was made`,
    });
  }

  async function wasTakenBack(unit: Unit, { project, name, spec }: Graph, version: number): Promise<boolean> {
    const { items } = await registry.promotions(unit, project, { model: name, limit: 100 });
    const last = items.find((one) => one.version === version && one.alias === (spec.alias ?? 'champion'));
    return last?.state === 'rolled-back' || last?.state === 'rejected';
  }

  return createDueLoop({
    clock,
    async round() {
      for (const graph of await listPending(database.read, atOnce)) await make(graph);
      return undefined;
    },
    failed: (error) => logger.error({ err: error }, 'graphs cannot be made; trying again'),
  });
}

const same = (a: Pinned, b: Pinned): boolean => canonicalJson(a) === canonicalJson(b);

/** One text for one graph: its digest is the version's identity. */
function printGraph({ document }: PinnedGraph): string {
  return stringify(document, { lineWidth: 0 });
}
