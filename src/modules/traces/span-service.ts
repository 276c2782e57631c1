import type { Reader, Unit } from '#platform/database';
import { requireExperiment } from './experiment-of-trace.ts';
import { type Link, type Pair, putLinks, putPairs } from './pair-store.ts';
import type { BatchNode, TraceBatch } from './span-batch.ts';
import { sumOverTree, type TokenUsage } from './span-facts.ts';
import { listTree, putSpanRows } from './span-store.ts';
import { metadataKeys, tagKeys, usageColumns } from './trace-keys.ts';
import { artifactUriOf, recordFinished } from './trace-service.ts';
import { listTraceRows, putTraceRow } from './trace-store.ts';
import type { TracesDeps } from './traces-deps.ts';
import { requireTraceId } from './traces-limits.ts';
import type { TraceRow } from './traces-tables.ts';

const spansLocation = { kind: 'tag', key: tagKeys.spansLocation, value: 'TRACKING_STORE' } as const;

export interface SpanService {
  /**
   * Writes spans of any traces. A trace that nobody has told of yet is made from them; one that its client has told of
   * keeps what it said. All or none.
   */
  logSpans(
    unit: Unit,
    input: {
      readonly project: string;
      /** For traces that are not there yet. */
      readonly experimentId: string;
      readonly batches: readonly TraceBatch[];
      /** The run that made those traces whose root is among the spans; unknown ones are left out. */
      readonly runId?: string | undefined;
      /** Another store's: they have not ended now, and their experiment may be a deleted one. */
      readonly isImported?: boolean | undefined;
    },
  ): Promise<void>;
}

const untouched = (project: string, traceId: string, experimentId: number, artifactUri: string): TraceRow => ({
  project,
  trace_id: traceId,
  experiment_id: experimentId,
  client_request_id: null,
  name: null,
  state: 'IN_PROGRESS',
  request_ms: 0,
  duration_ms: null,
  request_preview: null,
  response_preview: null,
  session_id: null,
  told: 0,
  artifact_uri: artifactUri,
  input_tokens: null,
  output_tokens: null,
  total_tokens: null,
  cache_read_tokens: null,
  cache_creation_tokens: null,
  created_ms: 0,
});

/** The row with what the spans say, where its client has not said it. */
function merge(row: TraceRow, batch: TraceBatch, isNew: boolean): TraceRow {
  const { root } = batch;
  const startMs = isNew ? batch.startMs : Math.min(row.request_ms, batch.startMs);
  const endMs = Math.max(
    batch.endMs ?? Number.NEGATIVE_INFINITY,
    row.duration_ms === null ? Number.NEGATIVE_INFINITY : row.request_ms + row.duration_ms,
  );
  const open = row.state === 'IN_PROGRESS' || row.state === 'STATE_UNSPECIFIED';
  return {
    ...row,
    ...(row.told === 0 && {
      request_ms: startMs,
      duration_ms: Number.isFinite(endMs) ? Math.max(0, endMs - startMs) : null,
    }),
    name: row.name ?? batch.tags.get(tagKeys.name) ?? root?.name ?? null,
    state: open && root !== undefined ? root.state : row.state,
    request_preview: row.request_preview ?? root?.requestPreview ?? null,
    response_preview: row.response_preview ?? root?.responsePreview ?? null,
    session_id: row.session_id ?? batch.sessionId ?? null,
  };
}

const amountsOfCost = ({ cost }: Pick<BatchNode, 'cost'>) =>
  cost && { input_cost: cost.input ?? 0, output_cost: cost.output ?? 0, total_cost: cost.total ?? 0 };

async function sums(reader: Reader, row: TraceRow, batch: TraceBatch, isNew: boolean) {
  const has = batch.nodes.some(({ usage, cost }) => usage !== undefined || cost !== undefined);
  if (!has) return {};
  const nodes = isNew ? batch.nodes : await listTree(reader, row.project, row.trace_id);
  const usage: TokenUsage | undefined = sumOverTree(nodes.map((node) => ({ ...node, amounts: node.usage })));
  const cost = sumOverTree(nodes.map((node) => ({ ...node, amounts: amountsOfCost(node) })));
  return { usage, cost };
}

export function createSpanService({ tracking }: TracesDeps): SpanService {
  return {
    async logSpans(unit, { project, experimentId, batches, runId, isImported = false }) {
      const ids = batches.map(({ traceId }) => requireTraceId(traceId));
      const known = new Map((await listTraceRows(unit, project, ids)).map((row) => [row.trace_id, row]));
      const experiment = await requireExperiment(tracking, unit, project, experimentId, { deletedToo: isImported });
      const run = runId === undefined ? undefined : await tracking.runInfo(unit, project, runId);

      const pairs: Pair[] = [];
      const kept: Pair[] = [];
      const links: Link[] = [];
      const changes: { readonly before: TraceRow | undefined; readonly after: TraceRow; readonly batch: TraceBatch }[] =
        [];
      for (const batch of batches) {
        const { traceId } = batch;
        const before = known.get(traceId);
        const start =
          before ?? untouched(project, traceId, Number(experiment.experimentId), artifactUriOf(experiment, traceId));
        const after = { ...merge(start, batch, before === undefined), created_ms: before?.created_ms ?? unit.nowMs };
        changes.push({ before, after, batch });
        pairs.push({ traceId, ...spansLocation });
        for (const [key, value] of batch.tags)
          if (key !== tagKeys.name) pairs.push({ traceId, kind: 'tag', key, value });
        if (batch.userId !== undefined)
          kept.push({ traceId, kind: 'metadata', key: metadataKeys.user, value: batch.userId });
        if (run !== undefined && runId !== undefined && batch.root !== undefined)
          links.push({ traceId, kind: 'run', target: runId });
        await putTraceRow(unit, after); // spans refer to it
      }
      await putSpanRows(
        unit,
        batches.flatMap(({ rows }) => rows.map((row) => ({ project, ...row }))),
      );
      for (const { before, after, batch } of changes) {
        const { traceId } = batch;
        const { usage, cost } = await sums(unit, after, batch, before === undefined);
        // what the client has counted itself counts more
        const told = before?.told === 1;
        if (usage !== undefined && !(told && before.total_tokens !== null)) {
          await putTraceRow(unit, { ...after, ...usageColumns(usage) });
          pairs.push({ traceId, kind: 'metadata', key: metadataKeys.usage, value: JSON.stringify(usage) });
        }
        if (cost !== undefined)
          (told ? kept : pairs).push({
            traceId,
            kind: 'metadata',
            key: metadataKeys.cost,
            value: JSON.stringify(cost),
          });
        if (!isImported) await recordFinished(unit, before, after);
      }
      await putPairs(unit, project, pairs);
      await putPairs(unit, project, kept, { keep: true });
      await putLinks(unit, project, links);
    },
  };
}
