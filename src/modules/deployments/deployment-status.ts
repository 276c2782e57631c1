import { parseReference } from '#contracts/references';
import type { Deployment, LoadedRevision, Pool, Replica, ReportedEndpoint, Shadow } from './deployment-types.ts';
import { findReportedEndpoint } from './live-replicas.ts';

export type DeploymentState = 'waiting' | 'ready' | 'rolling-out' | 'degraded';

export interface DeploymentStatus {
  readonly state: DeploymentState;
  readonly reason: string | undefined;
  readonly settled: boolean;
}

export function isCurrent({ observed }: Pick<Replica, 'observed'>, pool: Pick<Pool, 'epoch' | 'generation'>): boolean {
  return observed !== undefined && observed.epoch === pool.epoch && observed.generation >= pool.generation;
}

/** A replica says that it has seen a spec before all of it is loaded: in force it is when what it serves is what was asked. */
function isInForce(
  { state, serving, revisions }: ReportedEndpoint,
  wanted: readonly LoadedRevision[],
  described: readonly string[],
): boolean {
  const loading = described.some((id) => {
    const own = revisions.find(({ revision }) => revision === id)?.state;
    return own !== 'ready' && own !== 'failed';
  });
  if (loading) return false;
  if (state === 'degraded' || state === 'failed') return true; // as far as it can be
  return (
    serving.length === wanted.length &&
    wanted.every((one, at) => serving[at]?.revision === one.revision && serving[at].basisPoints === one.basisPoints)
  );
}

/** What is, beside what was asked. */
export function statusOf(
  deployment: Deployment,
  pool: Pool,
  loaded: readonly LoadedRevision[],
  shadows: readonly Shadow[],
  live: readonly Replica[],
): DeploymentStatus {
  const described = [...loaded.map(({ revision }) => revision), ...shadows.flatMap(({ revision }) => revision ?? [])];
  const reports = live.flatMap((replica) => {
    const endpoint = findReportedEndpoint(replica, deployment.project, deployment.name);
    return endpoint === undefined ? [] : [{ replica: replica.replica, ...endpoint }];
  });
  const serving = loaded.filter(({ role }) => role === 'live');
  const settled =
    live.length > 0 &&
    live.every((replica) => isCurrent(replica, pool)) &&
    reports.length === live.length &&
    reports.every((report) => isInForce(report, serving, described));
  const next = loaded.find(({ role }) => role === 'next');

  if (serving.length === 0 && next === undefined)
    return { state: 'waiting', reason: missingModel(deployment), settled };
  const bad = reports.find(({ state }) => state === 'degraded' || state === 'failed');
  if (bad !== undefined)
    return { state: 'degraded', reason: `${bad.error ?? bad.state} (replica ${bad.replica})`, settled };
  if (live.length === 0) return { state: 'degraded', reason: 'no data plane has reported lately', settled };
  if (next !== undefined) return { state: 'rolling-out', reason: 'the next revision is being loaded', settled };
  if (serving.length > 1)
    return { state: 'rolling-out', reason: 'traffic is split until the new revision has proved itself', settled };
  return { state: 'ready', reason: undefined, settled };
}

function missingModel({ spec }: Deployment): string {
  const reference = parseReference(spec.model);
  if (reference?.at === undefined) return `there is no ${spec.model} yet`;
  // What MLflow's client registers by itself has no runtime: only the files that a pipeline's step made as ONNX do.
  return /^\d+$/.test(reference.at)
    ? `model ${reference.name} has no version ${reference.at} that can be served yet: a pipeline registers such versions`
    : `no version that can be served has the alias ${reference.at} yet: a pipeline registers such versions`;
}
