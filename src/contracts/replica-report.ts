import { type Static, Type } from 'typebox';

export const RevisionCounters = Type.Object({
  requests: Type.Integer({ description: 'sent to this revision, refused ones included' }),
  rows: Type.Integer({ description: 'answered' }),
  errors: Type.Record(Type.String(), Type.Integer(), {
    description:
      'by kind: `invalid` is the caller; `internal`, `unavailable`, `timeout` are ours; `unrecorded` is a full spool, `abandoned` a client that had gone',
  }),
  latencyCounts: Type.Array(Type.Integer(), {
    description:
      'answered ones, per bound of latencyBoundsUs (each counts what is not above it and above the one before), then the rest',
  }),
  latencySumUs: Type.Integer(),
  maxEventTimeMs: Type.Optional(Type.Integer({ description: 'greatest event time answered; primary only' })),
});
export type RevisionCounters = Static<typeof RevisionCounters>;

/**
 * ReplicaReport v1: what one data plane does. `POST /data-plane/replicas/{replica}/report` every 2 s and on any change of
 * state or a flush. Counters only grow within one `boot`; another boot starts from zero. Reports may arrive out of
 * order: keep the greatest `sequence` of a boot.
 */
export const ReplicaReport = Type.Object({
  version: Type.Literal(1),
  replica: Type.String(),
  pool: Type.String(),
  boot: Type.String({ description: 'id of this start of the process, sortable; also the epoch of its spool' }),
  sequence: Type.Integer({ description: 'grows with every report of the boot' }),
  reportedAtMs: Type.Integer(),
  programVersion: Type.String(),
  state: Type.Enum(['starting', 'ready', 'draining']),
  observed: Type.Optional(Type.Object({ epoch: Type.String(), generation: Type.Integer() })),
  flushed: Type.Integer({
    description: 'the last `flush` of the spec that is done: all records until then are taken in',
  }),
  endpoints: Type.Array(
    Type.Object({
      project: Type.String(),
      name: Type.String(),
      state: Type.Enum(['waiting', 'loading', 'ready', 'degraded', 'failed'], {
        description:
          'waiting: no model yet; ready: serves what the observed spec says; degraded: something of it failed, `serving` says what answers; failed: nothing answers',
      }),
      error: Type.Optional(Type.String()),
      warnings: Type.Optional(
        Type.Array(Type.String(), { description: 'what is served otherwise than somebody may think; default none' }),
      ),
      dropped: Type.Optional(
        Type.Integer({ description: 'records of its answers that were lost since the boot; default 0' }),
      ),
      serving: Type.Array(Type.Object({ revision: Type.String(), basisPoints: Type.Integer() }), {
        description: 'the traffic as it is split now',
      }),
      revisions: Type.Array(
        Type.Object({
          revision: Type.String(),
          state: Type.Enum(['loading', 'ready', 'failed', 'draining', 'unloaded']),
          error: Type.Optional(Type.String()),
          primary: RevisionCounters,
          shadow: RevisionCounters,
          shadowsDropped: Type.Integer(),
        }),
      ),
    }),
  ),
  spool: Type.Object({
    bytes: Type.Integer({ description: 'on disk, delivered or not' }),
    epochs: Type.Array(
      Type.Object({
        epoch: Type.String(),
        next: Type.Integer({ description: 'offset of the record to be written next' }),
        delivered: Type.Integer({ description: 'offset up to which the control plane has taken records' }),
      }),
    ),
    dropped: Type.Integer({ description: 'records lost because the spool was full or could not be written' }),
  }),
});
export type ReplicaReport = Static<typeof ReplicaReport>;
