import { parseReference } from '#contracts/references';
import type { Deployment, LoadedRevision, Pool, Replica } from './deployment-types.ts';
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

/** What is, beside what was asked. */
export function statusOf(
  deployment: Deployment,
  pool: Pool,
  loaded: readonly LoadedRevision[],
  live: readonly Replica[],
): DeploymentStatus {
  const reports = live.flatMap((replica) => {
    const endpoint = findReportedEndpoint(replica, deployment.project, deployment.name);
    return endpoint === undefined ? [] : [{ replica: replica.replica, ...endpoint }];
  });
  const settled =
    live.length > 0 &&
    live.every((replica) => isCurrent(replica, pool)) &&
    reports.length === live.length &&
    reports.every(({ state, revisions }) => state !== 'loading' && revisions.every((one) => one.state !== 'loading'));
  const serving = loaded.filter(({ role }) => role === 'live');
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
  return /^\d+$/.test(reference.at)
    ? `model ${reference.name} has no version ${reference.at} yet`
    : `no version has the alias ${reference.at} yet`;
}
