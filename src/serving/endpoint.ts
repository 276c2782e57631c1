import type { SpecEndpoint, SpecRevision } from '#contracts/deployment-spec';
import { findEndpointProblem } from '#contracts/endpoint-problem';
import type { Share } from '#contracts/traffic-split';
import { isAppError } from '#platform/errors';
import { createRevisionRecord, type LiveRevision, type RevisionRecord } from './live-revision.ts';
import { createRateLimit, type RateLimit } from './rate-limit.ts';
import { type EndpointRedaction, planRedactions } from './redaction.ts';
import { createResponseCache, type ResponseCache } from './response-cache.ts';
import { findMissingColumns } from './row-column.ts';

/** What answers now. Replaced as a whole: a request sees the old one or the new one. */
export interface ServingState {
  readonly traffic: readonly Share<LiveRevision>[];
  readonly shadows: readonly { readonly revision: LiveRevision; readonly sampleRate: number }[];
  readonly sticky: SpecEndpoint['sticky'];
  readonly revisions: ReadonlyMap<string, LiveRevision>;
}

export type EndpointState = 'waiting' | 'loading' | 'ready' | 'degraded' | 'failed';

/**
 * One endpoint of the spec. Access, limits and capture follow the newest spec at once; traffic follows it as soon as all
 * of its own revisions are loaded, shadows and revisions kept warm join when they are:
 *
 *   waiting ──(traffic named)──► loading ──(all loaded)──► ready ──(new spec)──► …
 *                                   └──(one failed)──► degraded or failed (nothing answers)
 *
 * Degraded is: another revision than those of the traffic failed, which then is split as the spec says; or one of the
 * traffic did, and the last good state stands. After a start that is the one of the run before, which answers as soon as
 * it is loaded and until the spec can be had; where there is none, what is loaded answers for the rest.
 * A failure that may pass (files or packages cannot be fetched) is tried again; one of the model itself is final for
 * that revision.
 */
export interface Endpoint {
  readonly project: string;
  readonly name: string;
  readonly spec: SpecEndpoint;
  readonly serving: ServingState | undefined;
  readonly state: EndpointState;
  readonly error: string | undefined;
  readonly records: ReadonlyMap<string, RevisionRecord>;
  /** Records of its answers that could not be kept. */
  readonly dropped: number;
  drop(): void;
  /** By the newest spec and what is loaded for it. */
  readonly redaction: EndpointRedaction;
  /** Of what is described, what does not do what somebody may think. */
  readonly warnings: readonly string[];
  readonly cache: ResponseCache;
  readonly rate: RateLimit;
  /** Takes over a newer description; resolves when it is in force or has failed. */
  follow(spec: SpecEndpoint): Promise<void>;
  /** With the next description, what has failed for good is tried once more. */
  forgive(): void;
  /** Resolves when nothing that is described is being loaded any more. */
  settled(): Promise<void>;
  /** Resolves when what had to go is freed. */
  drained(): Promise<void>;
  /** Stops answering and frees all models. */
  remove(): Promise<void>;
}

interface Planned {
  readonly spec: SpecEndpoint;
  readonly serving: ServingState | undefined;
  readonly redaction: EndpointRedaction;
  readonly warnings: readonly string[];
}

export type LoadRevision = (
  spec: SpecRevision,
  /** The endpoint as it is described at the time of asking. */
  endpoint: () => SpecEndpoint,
  record: RevisionRecord,
) => Promise<LiveRevision>;

const firstRetryMs = 1_000;
const maxRetryMs = 30_000;
const whole = 10_000;
/** Figures of revisions that have left are kept of so many: a model that is replaced each minute must not fill the memory. */
const maxLeft = 64;

interface Failure {
  readonly reason: string;
  readonly final: boolean;
}

export function createEndpoint(
  first: SpecEndpoint,
  deps: {
    readonly load: LoadRevision;
    readonly changed: () => void;
    /** What was served before this process started. */
    readonly lastGood?: SpecEndpoint | undefined;
    /** What is described is served, wholly. */
    readonly inForce?: (spec: SpecEndpoint) => void;
  },
): Endpoint {
  let spec = first;
  let serving: ServingState | undefined;
  /** Until what is described is served. */
  let lastGood = deps.lastGood;
  /** Stands for a split that could not be had: the next one that is better takes its place. */
  let isMakeshift = false;
  let state: EndpointState = first.traffic.length === 0 ? 'waiting' : 'loading';
  let error: string | undefined;
  let retryMs = firstRetryMs;
  let retryTimer: NodeJS.Timeout | undefined;
  let waiting: (() => void)[] = [];
  let removed = false;
  let dropped = 0;
  let planned: Planned | undefined;
  const records = new Map<string, RevisionRecord>();
  const live = new Map<string, LiveRevision>();
  const loading = new Map<string, Promise<void>>();
  const failures = new Map<string, Failure>();
  const leaving = new Set<Promise<void>>();

  /** What follows from the spec and the signatures of what is loaded, worked out when either is another. */
  function plan() {
    if (planned?.spec === spec && planned.serving === serving) return planned;
    const loaded = [...(serving?.revisions.values() ?? [])];
    const redaction = planRedactions(spec, loaded);
    planned = { spec, serving, redaction, warnings: [...redaction.warnings, ...findMissingColumns(spec, loaded)] };
    return planned;
  }

  function setState(next: EndpointState, reason?: string): void {
    if (state === next && error === reason) return;
    state = next;
    error = reason;
    deps.changed();
  }

  function recordOf(revision: SpecRevision): RevisionRecord {
    const known = records.get(revision.id) ?? createRevisionRecord(revision);
    records.set(revision.id, known);
    const left = [...records.values()].filter((record) => record.state === 'unloaded');
    for (const { id } of left.slice(0, -maxLeft)) records.delete(id);
    return known;
  }

  async function load(revision: SpecRevision): Promise<void> {
    const record = recordOf(revision);
    record.state = 'loading';
    record.error = undefined;
    try {
      live.set(revision.id, await deps.load(revision, () => spec, record));
      record.state = 'ready';
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const final = !(isAppError(cause) && cause.kind === 'unavailable') && !isAppError(cause, 'FILE_DIGEST_MISMATCH');
      // One that left meanwhile is tried anew when it comes back.
      if (spec.revisions.some(({ id }) => id === revision.id))
        failures.set(revision.id, { reason: `revision "${revision.id}": ${reason}`, final });
      record.state = 'failed';
      record.error = reason;
    }
    loading.delete(revision.id);
    deps.changed();
    adjust();
  }

  /** Loads what the spec describes and is not there; what failed stays so until it is forgotten. */
  function loadMissing(): void {
    const described = findEndpointProblem(spec) === undefined ? spec.revisions : [];
    for (const revision of [...described, ...revisionsOf(lastGood)])
      if (!live.has(revision.id) && !loading.has(revision.id) && !failures.has(revision.id))
        loading.set(revision.id, load(revision));
  }

  /** Brings what is served as near to the spec as what is loaded allows; after each spec and each load that ended. */
  function adjust(): void {
    if (removed) return;
    const problem = findEndpointProblem(spec);
    if (problem === undefined) follow();
    else {
      if (lastGood !== undefined) serveLastGood(lastGood);
      setState(serving === undefined ? 'failed' : 'degraded', problem);
    }
    if (isLoading()) return;
    for (const resolve of waiting) resolve();
    waiting = [];
  }

  const isLoading = (): boolean =>
    findEndpointProblem(spec) === undefined && spec.revisions.some(({ id }) => loading.has(id));

  function follow(): void {
    const wanted = spec.traffic.filter(({ basisPoints }) => basisPoints > 0).map(({ revision }) => revision);
    if (wanted.every((id) => live.has(id))) swap(spec, false);
    else if (lastGood !== undefined) serveLastGood(lastGood);
    if (lastGood === undefined && isMissing(wanted)) swap(spec, true);
    letGo();
    const failed = spec.revisions.flatMap(({ id }) => failures.get(id) ?? []);
    if (failed[0] !== undefined && !isLoading())
      setState(serving === undefined ? 'failed' : 'degraded', failed[0].reason);
    else if (!isLoading()) setState(spec.traffic.length === 0 ? 'waiting' : 'ready');
    else if (serving === undefined && spec.traffic.length > 0) setState('loading');
    if (isLoading()) return;
    if (failed.some(({ final }) => !final)) scheduleRetry();
    else retryMs = firstRetryMs;
  }

  /** Whether what is wanted cannot be had for now, and there is nothing better than a part of it. */
  function isMissing(wanted: readonly string[]): boolean {
    return (
      (serving === undefined || isMakeshift) &&
      !wanted.every((id) => live.has(id)) &&
      !wanted.some((id) => loading.has(id))
    );
  }

  /** Serves what was served before the start; forgets it when it cannot be loaded any more. */
  function serveLastGood(known: SpecEndpoint): void {
    const needed = known.traffic.filter(({ basisPoints }) => basisPoints > 0).map(({ revision }) => revision);
    if (serving === undefined && needed.every((id) => live.has(id))) swap(known, false);
    else if (serving === undefined && !needed.some((id) => loading.has(id))) lastGood = undefined;
  }

  function scheduleRetry(): void {
    clearTimeout(retryTimer);
    retryTimer = setTimeout(() => {
      forgetFailures(({ final }) => !final);
      loadMissing();
    }, retryMs);
    retryTimer.unref();
    retryMs = Math.min(maxRetryMs, retryMs * 2);
  }

  function forgetFailures(isOver: (failure: Failure, id: string) => boolean): void {
    for (const [id, failure] of failures) if (isOver(failure, id)) failures.delete(id);
  }

  function find(id: string): readonly LiveRevision[] {
    const found = live.get(id);
    return found === undefined ? [] : [found];
  }

  function swap(to: SpecEndpoint, makeshift: boolean): void {
    const shares = to.traffic.flatMap(({ revision, basisPoints }) =>
      find(revision).map((target) => ({ target, basisPoints })),
    );
    const traffic = makeshift ? spread(shares) : shares;
    isMakeshift = makeshift;
    serving =
      traffic.length === 0
        ? undefined
        : {
            traffic,
            shadows: to.shadows.flatMap(({ revision, sampleRate = 1 }) =>
              find(revision).map((found) => ({ revision: found, sampleRate })),
            ),
            sticky: to.sticky,
            revisions: new Map(to.revisions.flatMap(({ id }) => find(id).map((found) => [id, found] as const))),
          };
    if (to === spec && !makeshift) {
      lastGood = undefined;
      deps.inForce?.(spec);
    }
    deps.changed();
  }

  /** Frees what neither the spec nor what is served names. */
  function letGo(): void {
    for (const [id, revision] of live) {
      if (serving?.revisions.has(id) === true) continue;
      if ([...spec.revisions, ...revisionsOf(lastGood)].some((described) => described.id === id)) continue;
      live.delete(id);
      const gone = revision.drain().finally(() => {
        leaving.delete(gone);
        deps.changed();
      });
      leaving.add(gone);
      void gone;
    }
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
    cache: createResponseCache(() => spec.cache?.maxBytes ?? 0),
    rate: createRateLimit(() => spec.limits?.rate),
    get dropped() {
      return dropped;
    },
    drop() {
      dropped += 1;
    },
    get redaction() {
      return plan().redaction;
    },
    get warnings() {
      return plan().warnings;
    },
    follow(next) {
      spec = next;
      forgetFailures(({ final }, id) => !final || !next.revisions.some((revision) => revision.id === id));
      loadMissing();
      const inForce = new Promise<void>((resolve) => waiting.push(resolve));
      adjust();
      return inForce;
    },
    forgive: () => forgetFailures(() => true),
    settled: () => (isLoading() ? new Promise<void>((resolve) => waiting.push(resolve)) : Promise.resolve()),
    async drained() {
      await Promise.all(leaving);
    },
    async remove() {
      removed = true;
      clearTimeout(retryTimer);
      serving = undefined;
      for (const resolve of waiting) resolve();
      await Promise.all(loading.values());
      await Promise.all([...live.values()].map((revision) => revision.drain()));
      live.clear();
    },
  };
}

const revisionsOf = (spec: SpecEndpoint | undefined): readonly SpecRevision[] => spec?.revisions ?? [];

/** The shares of what is there, scaled up so that they are the whole again. */
function spread(shares: readonly Share<LiveRevision>[]): readonly Share<LiveRevision>[] {
  const total = shares.reduce((sum, { basisPoints }) => sum + basisPoints, 0);
  if (total === 0) return [];
  const scaled = shares.map((share) => ({ ...share, basisPoints: Math.floor((share.basisPoints * whole) / total) }));
  const lost = whole - scaled.reduce((sum, { basisPoints }) => sum + basisPoints, 0);
  const at = scaled.findIndex(({ basisPoints }) => basisPoints > 0);
  return scaled.map((share, index) => (index === at ? { ...share, basisPoints: share.basisPoints + lost } : share));
}
