import { latencyBoundsUs } from '#contracts/latency-bounds';
import { type Histogram, type RunFigures, stages } from './counters.ts';
import type { Endpoint } from './endpoint.ts';
import type { RevisionRecord } from './live-revision.ts';
import { families } from './metric-families.ts';
import type { ModelMemory } from './model-memory.ts';
import type { NodeCounters } from './node-counters.ts';
import type { RequestMemory } from './request-memory.ts';
import type { Spool } from './spool.ts';
import type { Tracing } from './tracing/tracing.ts';
import { printTriton } from './triton-metrics.ts';

/** Lines of the exposition, family by family, in the order in which families are first named. */
export interface Exposition {
  add(name: string, labels: string, value: number): void;
  histogram(name: string, labels: string, histogram: Histogram): void;
}

/**
 * The Prometheus exposition (text format 0.0.4), printed from the counters that the reports carry. Labels come from the
 * spec alone: a name that a caller makes up never becomes a series. Beside our names stand Triton's, for the dashboards
 * that people have.
 */
export function formatMetrics(
  endpoints: readonly Endpoint[],
  {
    spool,
    memory,
    requests,
    tracing,
  }: {
    readonly spool: Spool;
    readonly memory: ModelMemory;
    readonly requests: RequestMemory;
    readonly tracing: Tracing | undefined;
  },
): string {
  const lines = new Map<string, string[]>();
  const exposition: Exposition = {
    add(name, labels, value) {
      const line = `${labels === '' ? name : `${name}{${labels}}`} ${value}`;
      const family = name.replace(/_(?:bucket|sum|count)$/, '');
      const key = families[name] === undefined ? family : name;
      const known = lines.get(key);
      if (known === undefined) lines.set(key, [line]);
      else known.push(line);
    },
    histogram(name, labels, { counts, sumUs }) {
      let total = 0;
      for (const [index, count] of counts.entries()) {
        total += count;
        const bound = latencyBoundsUs[index];
        exposition.add(`${name}_bucket`, `${labels},le="${bound === undefined ? '+Inf' : bound / 1e6}"`, total);
      }
      exposition.add(`${name}_sum`, labels, sumUs / 1e6);
      exposition.add(`${name}_count`, labels, total);
    },
  };
  for (const endpoint of endpoints) printEndpoint(exposition, endpoint);
  exposition.add('tidemill_serving_model_memory_bytes', '', memory.usedBytes);
  exposition.add('tidemill_serving_request_memory_bytes', '', requests.usedBytes);
  exposition.add('tidemill_serving_slow_clients_cut_total', '', requests.cut);
  exposition.add('tidemill_spool_bytes', '', spool.bytes);
  exposition.add('tidemill_spool_dropped_total', '', spool.dropped);
  const undelivered = spool.epochs.reduce((sum, { next, delivered }) => sum + next - delivered, 0);
  exposition.add('tidemill_spool_undelivered', '', undelivered);
  if (tracing !== undefined) {
    exposition.add('tidemill_trace_spans_exported_total', '', tracing.exported);
    for (const [reason, spans] of Object.entries(tracing.dropped))
      exposition.add('tidemill_trace_spans_dropped_total', `reason="${reason}"`, spans);
  }
  return [
    ...Object.entries(families).flatMap(([name, { kind, help }]) => {
      const own = lines.get(name);
      return own === undefined ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`, ...own];
    }),
    '',
  ].join('\n');
}

function printEndpoint(exposition: Exposition, endpoint: Endpoint): void {
  const base = `project="${escape(endpoint.project)}",endpoint="${escape(endpoint.name)}"`;
  for (const { target, basisPoints } of endpoint.serving?.traffic ?? [])
    exposition.add('tidemill_serving_traffic_ratio', `${base},revision="${escape(target.id)}"`, basisPoints / 10_000);
  for (const revision of endpoint.serving?.revisions.values() ?? []) {
    const own = `${base},revision="${escape(revision.id)}"`;
    exposition.add('tidemill_serving_pending', own, revision.pending);
    exposition.add('tidemill_serving_model_loaded', own, revision.isLoaded ? 1 : 0);
    exposition.add('tidemill_serving_model_reloads_total', own, revision.reloads);
  }
  if (endpoint.spec.cache !== undefined) exposition.add('tidemill_serving_cache_bytes', base, endpoint.cache.bytes);
  if (endpoint.spec.limits?.rate !== undefined)
    exposition.add('tidemill_serving_rate_limited_total', base, endpoint.rate.refused);
  for (const record of endpoint.records.values()) printRevision(exposition, endpoint, record, base);
}

function printRevision(exposition: Exposition, endpoint: Endpoint, record: RevisionRecord, base: string): void {
  const own = `${base},revision="${escape(record.id)}"`;
  exposition.add('tidemill_serving_shadows_dropped_total', own, record.shadowsDropped);
  if (record.rowsCompared > 0) {
    exposition.add('tidemill_serving_shadow_rows_compared_total', own, record.rowsCompared);
    exposition.add('tidemill_serving_shadow_rows_differing_total', own, record.rowsDiffering);
  }
  printNodes(exposition, own, record.nodes);
  for (const role of ['primary', 'shadow'] as const) {
    const labels = `${own},role="${role}"`;
    const counters = record[role].snapshot();
    exposition.add('tidemill_serving_requests_total', labels, counters.requests);
    for (const [kind, count] of Object.entries(counters.errors))
      exposition.add('tidemill_serving_errors_total', `${labels},kind="${kind}"`, count);
    const latency = { counts: counters.latencyCounts, sumUs: counters.latencySumUs };
    exposition.histogram('tidemill_serving_duration_seconds', labels, latency);
    printRuns(exposition, labels, record[role].figures());
  }
  const live = endpoint.serving?.revisions.get(record.id);
  const model = `model="${escape(endpoint.name)}",version="${escape(record.version)}"`;
  printTriton(exposition, `${model},project="${escape(endpoint.project)}",revision="${escape(record.id)}"`, {
    ...record.primary.figures(),
    errors: record.primary.snapshot().errors,
    pending: live?.pending ?? 0,
  });
}

/** Of a graph, whoever asked it; its nodes and branches are those of its document. */
function printNodes(exposition: Exposition, own: string, nodes: NodeCounters): void {
  for (const { node, rows, failed, duration } of nodes.figures()) {
    const labels = `${own},node="${escape(node)}"`;
    exposition.histogram('tidemill_serving_node_duration_seconds', labels, duration);
    exposition.add('tidemill_serving_node_rows_total', labels, rows);
    exposition.add('tidemill_serving_node_errors_total', labels, failed);
  }
  for (const { node, branch, rows } of nodes.branches())
    exposition.add(
      'tidemill_serving_branch_rows_total',
      `${own},node="${escape(node)}",branch="${escape(branch)}"`,
      rows,
    );
}

/** Only of a revision that has run: most of hundreds of models are quiet, and their zeros would be most of the text. */
function printRuns(exposition: Exposition, labels: string, figures: RunFigures): void {
  if (figures.run > 0) {
    exposition.add('tidemill_serving_runs_total', labels, figures.runs);
    for (const stage of stages)
      exposition.histogram(
        'tidemill_serving_stage_duration_seconds',
        `${labels},stage="${stage}"`,
        figures.stages[stage],
      );
  }
  if (figures.cacheHits + figures.cacheMisses === 0) return;
  exposition.add('tidemill_serving_cache_hits_total', labels, figures.cacheHits);
  exposition.add('tidemill_serving_cache_misses_total', labels, figures.cacheMisses);
}

function escape(label: string): string {
  return label.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}
