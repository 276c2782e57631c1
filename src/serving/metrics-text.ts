import { latencyBoundsUs, type RevisionCounters } from '#contracts/replica-report';
import type { Endpoint } from './endpoint.ts';
import type { Spool } from './spool.ts';

/**
 * The Prometheus exposition (text format 0.0.4), printed from the counters that the reports carry. Labels come from the
 * spec alone: a name that a caller makes up never becomes a series.
 */
export function formatMetrics(endpoints: readonly Endpoint[], spool: Spool): string {
  const requests: string[] = [];
  const errors: string[] = [];
  const durations: string[] = [];
  const dropped: string[] = [];
  const traffic: string[] = [];
  for (const endpoint of endpoints) {
    const base = `project="${escape(endpoint.project)}",endpoint="${escape(endpoint.name)}"`;
    for (const { target, basisPoints } of endpoint.serving?.traffic ?? [])
      traffic.push(`tidemill_serving_traffic_ratio{${base},revision="${escape(target.id)}"} ${basisPoints / 10_000}`);
    for (const record of endpoint.records.values()) {
      const own = `${base},revision="${escape(record.id)}"`;
      dropped.push(`tidemill_serving_shadows_dropped_total{${own}} ${record.shadowsDropped}`);
      for (const [role, counters] of [
        ['primary', record.primary.snapshot()],
        ['shadow', record.shadow.snapshot()],
      ] as const) {
        const labels = `${own},role="${role}"`;
        requests.push(`tidemill_serving_requests_total{${labels}} ${counters.requests}`);
        for (const [kind, count] of Object.entries(counters.errors))
          errors.push(`tidemill_serving_errors_total{${labels},kind="${kind}"} ${count}`);
        durations.push(...histogram(labels, counters));
      }
    }
  }
  return [
    ...family('tidemill_serving_requests_total', 'counter', 'Requests sent to a revision.', requests),
    ...family('tidemill_serving_errors_total', 'counter', 'Requests that failed, by kind.', errors),
    ...family('tidemill_serving_duration_seconds', 'histogram', 'Receipt to outputs, answered requests.', durations),
    ...family(
      'tidemill_serving_shadows_dropped_total',
      'counter',
      'Shadow requests that did not fit the queue.',
      dropped,
    ),
    ...family('tidemill_serving_traffic_ratio', 'gauge', 'Share of traffic that a revision gets.', traffic),
    ...family('tidemill_spool_bytes', 'gauge', 'Bytes of prediction records on disk.', [
      `tidemill_spool_bytes ${spool.bytes}`,
    ]),
    ...family('tidemill_spool_dropped_total', 'counter', 'Prediction records lost for want of room.', [
      `tidemill_spool_dropped_total ${spool.dropped}`,
    ]),
    ...family('tidemill_spool_undelivered', 'gauge', 'Prediction records that the control plane has not taken yet.', [
      `tidemill_spool_undelivered ${spool.epochs.reduce((sum, { next, delivered }) => sum + next - delivered, 0)}`,
    ]),
    '',
  ].join('\n');
}

function family(name: string, type: string, help: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines];
}

function histogram(labels: string, { latencyCounts, latencySumUs }: RevisionCounters): readonly string[] {
  const name = 'tidemill_serving_duration_seconds';
  let total = 0;
  const buckets = latencyCounts.map((count, index) => {
    total += count;
    const bound = latencyBoundsUs[index];
    return `${name}_bucket{${labels},le="${bound === undefined ? '+Inf' : bound / 1e6}"} ${total}`;
  });
  return [...buckets, `${name}_sum{${labels}} ${latencySumUs / 1e6}`, `${name}_count{${labels}} ${total}`];
}

function escape(label: string): string {
  return label.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}
