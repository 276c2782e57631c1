import type { ReplicaReport } from '#contracts/replica-report';
import type { EndpointTable } from './endpoint-table.ts';
import type { Spool } from './spool.ts';

/** Puts one report together from what is true now. */
export function buildReport(
  facts: Pick<ReplicaReport, 'replica' | 'pool' | 'boot' | 'sequence' | 'programVersion' | 'state' | 'flushed'> & {
    readonly nowMs: number;
    readonly table: EndpointTable;
    readonly spool: Spool;
  },
): ReplicaReport {
  const { table, spool, nowMs, ...own } = facts;
  return {
    version: 1,
    ...own,
    reportedAtMs: nowMs,
    ...(table.spec !== undefined && { observed: { epoch: table.spec.epoch, generation: table.spec.generation } }),
    endpoints: table.list().map((endpoint) => ({
      project: endpoint.project,
      name: endpoint.name,
      state: endpoint.state,
      ...(endpoint.error !== undefined && { error: endpoint.error }),
      ...(endpoint.warnings.length > 0 && { warnings: [...endpoint.warnings] }),
      ...(endpoint.dropped > 0 && { dropped: endpoint.dropped }),
      serving: (endpoint.serving?.traffic ?? []).map(({ target, basisPoints }) => ({
        revision: target.id,
        basisPoints,
      })),
      revisions: [...endpoint.records.values()].map((record) => ({
        revision: record.id,
        state: record.state,
        ...(record.error !== undefined && { error: record.error }),
        primary: record.primary.snapshot(),
        shadow: record.shadow.snapshot(),
        shadowsDropped: record.shadowsDropped,
      })),
    })),
    spool: {
      bytes: spool.bytes,
      epochs: spool.epochs.map(({ id, next, delivered }) => ({ epoch: id, next, delivered })),
      dropped: spool.dropped,
    },
  };
}
