import type { SpecEndpoint, SpecRevision } from '#contracts/deployment-spec';
import { findEndpointProblem } from '#contracts/deployment-spec';
import { isAppError } from '#platform/errors';
import { createRevisionRecord, type LiveRevision, type RevisionRecord } from './live-revision.ts';
import type { Share } from './router.ts';

/** What answers now. Replaced as a whole: a request sees the old one or the new one. */
export interface ServingState {
  readonly traffic: readonly Share<LiveRevision>[];
  readonly shadows: readonly { readonly revision: LiveRevision; readonly sampleRate: number }[];
  readonly sticky: SpecEndpoint['sticky'];
  readonly revisions: ReadonlyMap<string, LiveRevision>;
}

export type EndpointState = 'waiting' | 'loading' | 'ready' | 'degraded' | 'failed';

/**
 * One endpoint of the spec. Access, limits and capture follow the newest spec at once; traffic, shadows and revisions
 * follow it when every revision that it describes has been loaded:
 *
 *   waiting ──(traffic named)──► loading ──(all loaded)──► ready ──(new spec)──► loading …
 *                                   └──(one failed)──► degraded (last good state) or failed (there is none)
 *
 * A failure that may pass (files cannot be fetched) is tried again; one of the model itself is final for that revision.
 */
export interface Endpoint {
  readonly project: string;
  readonly name: string;
  readonly spec: SpecEndpoint;
  readonly serving: ServingState | undefined;
  readonly state: EndpointState;
  readonly error: string | undefined;
  readonly records: ReadonlyMap<string, RevisionRecord>;
  /** Takes over a newer description; resolves when it is in force or has failed. */
  follow(spec: SpecEndpoint): Promise<void>;
  /** Stops answering and frees all models. */
  remove(): Promise<void>;
}

export type LoadRevision = (
  spec: SpecRevision,
  endpoint: SpecEndpoint,
  record: RevisionRecord,
) => Promise<LiveRevision>;

const firstRetryMs = 1_000;
const maxRetryMs = 30_000;

export function createEndpoint(
  first: SpecEndpoint,
  deps: { readonly load: LoadRevision; readonly changed: () => void },
): Endpoint {
  let spec = first;
  let serving: ServingState | undefined;
  let state: EndpointState = first.traffic.length === 0 ? 'waiting' : 'loading';
  let error: string | undefined;
  let retryMs = firstRetryMs;
  let retryTimer: NodeJS.Timeout | undefined;
  let working: Promise<void> | undefined;
  let followed: SpecEndpoint | undefined;
  let removed = false;
  const records = new Map<string, RevisionRecord>();
  const live = new Map<string, LiveRevision>();
  const finalFailures = new Map<string, string>();

  function setState(next: EndpointState, reason?: string): void {
    if (state === next && error === reason) return;
    state = next;
    error = reason;
    deps.changed();
  }

  function recordOf(id: string): RevisionRecord {
    const known = records.get(id) ?? createRevisionRecord(id);
    records.set(id, known);
    return known;
  }

  async function ensure(
    revision: SpecRevision,
  ): Promise<{ readonly reason: string; readonly final: boolean } | undefined> {
    if (live.has(revision.id)) return undefined;
    const broken = finalFailures.get(revision.id);
    if (broken !== undefined) return { reason: `revision "${revision.id}": ${broken}`, final: true };
    const record = recordOf(revision.id);
    record.state = 'loading';
    record.error = undefined;
    try {
      live.set(revision.id, await deps.load(revision, spec, record));
      record.state = 'ready';
      return undefined;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const final = !isAppError(cause, 'CONTROL_PLANE_UNREACHABLE') && !isAppError(cause, 'FILE_DIGEST_MISMATCH');
      if (final) finalFailures.set(revision.id, reason);
      record.state = 'failed';
      record.error = reason;
      return { reason: `revision "${revision.id}": ${reason}`, final };
    } finally {
      deps.changed();
    }
  }

  async function reconcile(): Promise<void> {
    while (followed !== spec && !removed) {
      const wanted = spec;
      followed = wanted;
      const problem = findEndpointProblem(wanted);
      if (problem !== undefined) {
        setState(serving === undefined ? 'failed' : 'degraded', problem);
        continue;
      }
      if (wanted.revisions.some(({ id }) => !live.has(id)) && serving === undefined && wanted.traffic.length > 0)
        setState('loading');
      const failures = (await Promise.all(wanted.revisions.map(ensure))).filter((failure) => failure !== undefined);
      if (spec !== wanted || removed) continue;
      // With nothing to keep, an endpoint whose traffic is whole starts without the shadow that failed.
      const answering = wanted.traffic.every(({ revision, basisPoints }) => basisPoints === 0 || live.has(revision));
      if (failures.length === 0 || (serving === undefined && answering && wanted.traffic.length > 0)) swap(wanted);
      if (failures.length === 0) {
        retryMs = firstRetryMs;
        setState(wanted.traffic.length === 0 ? 'waiting' : 'ready');
        continue;
      }
      setState(serving === undefined ? 'failed' : 'degraded', failures[0]?.reason);
      if (failures.some(({ final }) => !final)) scheduleRetry();
    }
    working = undefined;
  }

  function scheduleRetry(): void {
    clearTimeout(retryTimer);
    retryTimer = setTimeout(() => {
      followed = undefined;
      working ??= reconcile();
    }, retryMs);
    retryTimer.unref();
    retryMs = Math.min(maxRetryMs, retryMs * 2);
  }

  function find(id: string): readonly LiveRevision[] {
    const found = live.get(id);
    return found === undefined ? [] : [found];
  }

  function swap(wanted: SpecEndpoint): void {
    const revisions = new Map(wanted.revisions.flatMap(({ id }) => find(id).map((found) => [id, found] as const)));
    serving =
      wanted.traffic.length === 0
        ? undefined
        : {
            traffic: wanted.traffic.flatMap(({ revision, basisPoints }) =>
              find(revision).map((target) => ({ target, basisPoints })),
            ),
            shadows: wanted.shadows.flatMap(({ revision, sampleRate = 1 }) =>
              find(revision).map((found) => ({ revision: found, sampleRate })),
            ),
            sticky: wanted.sticky,
            revisions,
          };
    deps.changed();
    for (const [id, revision] of live) {
      if (revisions.has(id)) continue;
      live.delete(id);
      void revision.drain().finally(deps.changed);
    }
    for (const id of finalFailures.keys())
      if (!wanted.revisions.some((revision) => revision.id === id)) finalFailures.delete(id);
  }

  return {
    project: first.project,
    name: first.name,
    get spec() {
      return spec;
    },
    get serving() {
      return serving;
    },
    get state() {
      return state;
    },
    get error() {
      return error;
    },
    records,
    follow(next) {
      spec = next;
      working ??= reconcile();
      return working;
    },
    async remove() {
      removed = true;
      clearTimeout(retryTimer);
      serving = undefined;
      await working;
      await Promise.all([...live.values()].map((revision) => revision.drain()));
      live.clear();
    },
  };
}
