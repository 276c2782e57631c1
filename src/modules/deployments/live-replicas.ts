import type { Clock } from '#platform/clock';
import type { Replica, ReportedEndpoint } from './deployment-types.ts';

/** A replica reports every 2 s; one that has been silent for ten times as long is gone. */
export const silenceMs = 20_000;
/** A replica that was gone before this server started is only waited for when it was there lately. */
const forgottenMs = 24 * 3_600_000;

export interface Liveness {
  readonly isLive: (replica: Replica) => boolean;
}

/** Silence is counted from this server's start on: while it was away nobody could report. */
export function createLiveness(clock: Clock): Liveness {
  const startedMs = clock.nowMs();
  return {
    isLive({ reportedMs, state }) {
      const nowMs = clock.nowMs();
      if (nowMs - reportedMs < silenceMs) return true;
      if (state === 'draining' || nowMs - reportedMs > forgottenMs) return false;
      return nowMs - startedMs < silenceMs;
    },
  };
}

export function findReportedEndpoint(
  replica: Pick<Replica, 'endpoints'>,
  project: string,
  name: string,
): ReportedEndpoint | undefined {
  return replica.endpoints.find((endpoint) => endpoint.project === project && endpoint.name === name);
}

/** How far a revision's loading has come over the live replicas. */
export type Readiness =
  | { readonly state: 'ready' }
  /** No replica is live. */
  | { readonly state: 'absent'; readonly reason: string }
  | { readonly state: 'loading'; readonly reason: string }
  | { readonly state: 'failed'; readonly error: string };

export function readinessOf(
  live: readonly Replica[],
  where: { readonly project: string; readonly deployment: string; readonly revision: string },
): Readiness {
  if (live.length === 0) return { state: 'absent', reason: 'no data plane has reported yet' };
  const states = live.map((replica) => {
    const endpoint = findReportedEndpoint(replica, where.project, where.deployment);
    return { replica: replica.replica, ...endpoint?.revisions.find(({ revision }) => revision === where.revision) };
  });
  const failed = states.find(({ state }) => state === 'failed');
  if (failed !== undefined)
    return { state: 'failed', error: `${failed.error ?? 'it could not be loaded'} (replica ${failed.replica})` };
  const waiting = states.filter(({ state }) => state !== 'ready');
  const [first] = waiting;
  if (first === undefined) return { state: 'ready' };
  return {
    state: 'loading',
    reason: `${waiting.length} of ${live.length} replicas have not loaded it yet (${first.replica})`,
  };
}
