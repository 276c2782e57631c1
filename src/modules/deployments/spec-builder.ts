import type { DeploymentSpec, SpecEndpoint, SpecRevision } from '#contracts/deployment-spec';
import type { DeploymentSpecDocument } from '#contracts/deployments';
import { parseDuration } from '#contracts/duration';
import { findInputExample } from '#contracts/input-example';
import { formatReference } from '#contracts/references';
import type { Deployment, LoadedRevision, Pool, Revision, RevisionFile, Shadow } from './deployment-types.ts';
import type { CallerToken } from './deployments-deps.ts';

export interface EndpointParts {
  readonly deployment: Deployment;
  readonly loaded: readonly LoadedRevision[];
  readonly shadows: readonly Shadow[];
  /** Those that may call; undefined leaves the endpoint open on loopback and closed elsewhere. */
  readonly tokens: readonly CallerToken[] | undefined;
}

/** No token has this digest: it closes an endpoint that nobody may call, since an empty list would open it. */
const nobody = { digest: '0'.repeat(64), principal: 'nobody' };

/** DeploymentSpec v1 from what the tables hold. */
export function buildSpec(
  pool: Pool,
  endpoints: readonly EndpointParts[],
  revisions: ReadonlyMap<string, Revision>,
  files: ReadonlyMap<string, readonly RevisionFile[]>,
): DeploymentSpec {
  return {
    version: 1,
    pool: pool.pool,
    epoch: pool.epoch,
    generation: pool.generation,
    flush: pool.flush,
    endpoints: endpoints.map((parts) => buildEndpoint(parts, revisions, files)),
  };
}

function buildEndpoint(
  { deployment, loaded, shadows, tokens }: EndpointParts,
  revisions: ReadonlyMap<string, Revision>,
  files: ReadonlyMap<string, readonly RevisionFile[]>,
): SpecEndpoint {
  const { spec } = deployment;
  const running = shadows.flatMap(({ revision, sampleRate }) =>
    revision === undefined ? [] : [{ revision, sampleRate }],
  );
  const once = running.filter(({ revision }, at) => running.findIndex((one) => one.revision === revision) === at);
  const described = new Set([...loaded.map(({ revision }) => revision), ...once.map(({ revision }) => revision)]);
  const limits = limitsOf(spec.limits);
  const workers = workersOf(spec.workers);
  const idleMs = spec.idle === undefined ? undefined : parseDuration(spec.idle);
  return {
    project: deployment.project,
    name: deployment.name,
    ...(spec.clock === 'event' && { replay: true }),
    access: { tokens: tokens === undefined ? [] : tokens.length === 0 ? [nobody] : [...tokens] },
    traffic: loaded
      .filter(({ role }) => role === 'live')
      .map(({ revision, basisPoints }) => ({ revision, basisPoints })),
    ...stickyOf(deployment),
    shadows: once.map(({ revision, sampleRate }) => ({ revision, ...(sampleRate !== 1 && { sampleRate }) })),
    ...(spec.subject !== undefined && { subject: spec.subject }),
    ...(limits && { limits }),
    ...(workers && { workers }),
    ...(spec.cache && { cache: { maxBytes: spec.cache.max_bytes } }),
    ...(spec.keep_loaded === true && { keepLoaded: true }),
    ...(idleMs !== undefined && { idleMs: Math.max(1, idleMs) }),
    capture: captureOf(spec.capture),
    revisions: [...described].flatMap((id) => {
      const revision = revisions.get(id);
      return revision === undefined ? [] : [buildRevision(revision, files.get(id) ?? [], spec.batching)];
    }),
  };
}

function buildRevision(
  revision: Revision,
  files: readonly RevisionFile[],
  batching: DeploymentSpecDocument['batching'],
): SpecRevision {
  const maxBatchDelayMs = batching?.max_delay === undefined ? undefined : parseDuration(batching.max_delay);
  const inputExample = findInputExample(files);
  return {
    id: revision.id,
    modelRef: formatReference('model', revision.model, revision.version),
    runtime: revision.runtime,
    files: files.map(({ path, sha256, sizeBytes }) => ({ path, digest: sha256, sizeBytes })),
    ...(revision.signature && { signature: revision.signature }),
    ...(revision.score !== undefined && { score: revision.score }),
    ...(inputExample !== undefined && { inputExample }),
    ...(batching?.max_rows !== undefined && { maxBatchRows: batching.max_rows }),
    ...(maxBatchDelayMs !== undefined && { maxBatchDelayMs }),
  };
}

/** Requests with a key keep their revision unless `sticky: off`: a split that can be repeated, and one customer, one model. */
function stickyOf({ spec: { sticky }, salt }: Deployment): Pick<SpecEndpoint, 'sticky'> {
  if (sticky === 'off') return {};
  return {
    sticky: {
      by: sticky?.by ?? 'key',
      ...(sticky?.header !== undefined && { header: sticky.header }),
      ...(sticky?.cookie !== undefined && { cookie: sticky.cookie }),
      ...(sticky?.column !== undefined && { column: sticky.column }),
      salt,
    },
  };
}

function limitsOf(limits: DeploymentSpecDocument['limits']): SpecEndpoint['limits'] {
  if (limits === undefined) return undefined;
  const timeoutMs = limits.timeout === undefined ? undefined : parseDuration(limits.timeout);
  return {
    ...(limits.max_body_bytes !== undefined && { maxBodyBytes: limits.max_body_bytes }),
    ...(limits.max_rows !== undefined && { maxRows: limits.max_rows }),
    ...(limits.max_queued !== undefined && { maxQueued: limits.max_queued }),
    ...(timeoutMs !== undefined && { timeoutMs: Math.max(1, timeoutMs) }),
    ...(limits.max_concurrent !== undefined && { maxConcurrent: limits.max_concurrent }),
    ...(limits.rate !== undefined && {
      rate: {
        perSecond: limits.rate.per_second,
        ...(limits.rate.burst !== undefined && { burst: limits.rate.burst }),
      },
    }),
  };
}

function workersOf(workers: DeploymentSpecDocument['workers']): SpecEndpoint['workers'] {
  if (workers === undefined) return undefined;
  const loadTimeoutMs = parseDuration(workers.load_timeout ?? '');
  const runTimeoutMs = parseDuration(workers.run_timeout ?? '');
  return {
    ...(workers.count !== undefined && { count: workers.count }),
    ...(workers.max_memory_bytes !== undefined && { maxMemoryBytes: workers.max_memory_bytes }),
    ...(workers.recycle_after !== undefined && { recycleAfter: workers.recycle_after }),
    ...(loadTimeoutMs !== undefined && { loadTimeoutMs: Math.max(1, loadTimeoutMs) }),
    ...(runTimeoutMs !== undefined && { runTimeoutMs: Math.max(1, runTimeoutMs) }),
  };
}

function captureOf(capture: DeploymentSpecDocument['capture']): SpecEndpoint['capture'] {
  return {
    enabled: capture?.enabled ?? true,
    ...(capture?.sample_rate !== undefined && { sampleRate: capture.sample_rate }),
    ...(capture?.durability !== undefined && { durability: capture.durability }),
    ...(capture?.on_full !== undefined && { onFull: capture.on_full }),
    ...(capture?.redact !== undefined && { redact: [...capture.redact] }),
  };
}
