import type { DeploymentSpec } from '#contracts/deployment-spec';
import { latencyBoundsUs } from '#contracts/latency-bounds';
import type { ReplicaReport, RevisionCounters } from '#contracts/replica-report';

/** What a revision did, as a replica would report it. */
export interface Doing {
  readonly answers?: number;
  readonly failures?: number;
  readonly maxEventTimeMs?: number;
}

/**
 * A data plane as far as its reports go: it loads whatever the spec describes, at once or not at all, and says so. The
 * real process is tested in tests/.
 */
export interface FakeReplica {
  readonly name: string;
  /** Adds to what a revision has done since the boot. */
  did(revision: string, doing: Doing): void;
  /** The next report, after `spec` has been seen. */
  report(spec: DeploymentSpec, over?: Partial<ReplicaReport>): ReplicaReport;
  /** Revisions that it cannot load. */
  readonly broken: Set<string>;
  reboot(boot: string): void;
}

const nothing = (): RevisionCounters => ({
  requests: 0,
  rows: 0,
  errors: {},
  latencyCounts: Array.from({ length: latencyBoundsUs.length + 1 }, () => 0),
  latencySumUs: 0,
});

export function createFakeReplica(name: string, boot = 'boot-1'): FakeReplica {
  let ownBoot = boot;
  let sequence = 0;
  const done = new Map<string, RevisionCounters>();
  const broken = new Set<string>();
  return {
    name,
    broken,
    reboot(next) {
      ownBoot = next;
      sequence = 0;
      done.clear();
    },
    did(revision, { answers = 0, failures = 0, maxEventTimeMs }) {
      const counters = done.get(revision) ?? nothing();
      counters.requests += answers + failures;
      counters.rows += answers;
      counters.errors['internal'] = (counters.errors['internal'] ?? 0) + failures;
      counters.latencyCounts[3] = (counters.latencyCounts[3] ?? 0) + answers;
      counters.latencySumUs += answers * 900;
      if (maxEventTimeMs !== undefined) counters.maxEventTimeMs = maxEventTimeMs;
      done.set(revision, counters);
    },
    report(spec, over = {}) {
      sequence += 1;
      return {
        version: 1,
        replica: name,
        pool: spec.pool,
        boot: ownBoot,
        sequence,
        reportedAtMs: 0,
        programVersion: '0',
        state: 'ready',
        observed: { epoch: spec.epoch, generation: spec.generation },
        flushed: spec.flush ?? 0,
        endpoints: spec.endpoints.map((endpoint) => {
          const failing = endpoint.revisions.some(({ id }) => broken.has(id));
          return {
            project: endpoint.project,
            name: endpoint.name,
            state: failing ? 'degraded' : endpoint.traffic.length === 0 ? 'waiting' : 'ready',
            ...(failing && { error: 'a revision cannot be loaded' }),
            serving: failing ? [] : endpoint.traffic,
            revisions: endpoint.revisions.map(({ id }) => ({
              revision: id,
              state: broken.has(id) ? ('failed' as const) : ('ready' as const),
              ...(broken.has(id) && { error: 'not a model' }),
              primary: structuredClone(done.get(id) ?? nothing()),
              shadow: nothing(),
              shadowsDropped: 0,
            })),
          };
        }),
        spool: { bytes: 0, epochs: [{ epoch: ownBoot, next: 0, delivered: 0 }], dropped: 0 },
        ...over,
      };
    },
  };
}
