import type { DeploymentView, RevisionView } from '#contracts/deployments';
import { toRfc3339 } from '#contracts/rfc3339';
import type { Reader } from '#platform/database';
import { addCounters, type Counters, failuresOf, noCounters } from './counters.ts';
import { isCurrent, statusOf } from './deployment-status.ts';
import { listLoaded, listShadows } from './deployment-store.ts';
import type { Deployment, LoadedRevision, Revision } from './deployment-types.ts';
import { deploymentsErrors } from './deployments-errors.ts';
import { findReportedEndpoint, type Liveness } from './live-replicas.ts';
import { findPool } from './pool-store.ts';
import { listReplicas, listRevisionCounters } from './replica-store.ts';
import { findRevisions } from './revision-store.ts';

export async function viewDeployment(
  reader: Reader,
  deployment: Deployment,
  liveness: Liveness,
): Promise<DeploymentView> {
  const { project, name } = deployment;
  const pool = await findPool(reader, deployment.pool);
  if (pool === undefined) throw deploymentsErrors.POOL_NOT_FOUND(deployment.pool);
  const loaded = await listLoaded(reader, project, name);
  const shadows = await listShadows(reader, project, name);
  const replicas = await listReplicas(reader, deployment.pool);
  const revisions = await findRevisions(
    reader,
    loaded.map(({ revision }) => revision),
  );
  const status = statusOf(deployment, pool, loaded, shadows, replicas.filter(liveness.isLive));
  const naming = ({ revision }: LoadedRevision) => ({
    revision,
    model: revisions.get(revision)?.model ?? '',
    version: revisions.get(revision)?.version ?? 0,
  });
  return {
    name,
    spec: deployment.spec,
    generation: deployment.generation,
    updatedAt: toRfc3339(deployment.updatedMs),
    status: {
      state: status.state,
      ...(status.reason !== undefined && { reason: status.reason }),
      pool: deployment.pool,
      traffic: loaded
        .filter(({ role }) => role === 'live')
        .map((one) => ({ ...naming(one), basisPoints: one.basisPoints })),
      warm: loaded.flatMap((one) => (one.role === 'live' ? [] : [{ ...naming(one), as: one.role }])),
      shadows: shadows.map(({ reference, revision, sampleRate }) => ({
        reference,
        sampleRate,
        ...(revision !== undefined && { revision }),
      })),
      replicas: replicas.map((replica) => {
        const endpoint = findReportedEndpoint(replica, project, name);
        return {
          replica: replica.replica,
          live: liveness.isLive(replica),
          state: replica.state,
          endpoint: endpoint?.state ?? 'unknown',
          ...(endpoint?.error !== undefined && { error: endpoint.error }),
          ...(endpoint?.warnings !== undefined && { warnings: [...endpoint.warnings] }),
          current: isCurrent(replica, pool),
          reportedAt: toRfc3339(replica.reportedMs),
        };
      }),
      settled: status.settled,
    },
  };
}

export async function viewRevisions(reader: Reader, revisions: readonly Revision[]): Promise<RevisionView[]> {
  const all = await listRevisionCounters(
    reader,
    revisions.map(({ id }) => id),
  );
  return revisions.map((revision) => {
    const counters = all
      .filter((one) => one.revision === revision.id && one.role === 'primary')
      .reduce<Counters>(addCounters, noCounters);
    return {
      id: revision.id,
      deployment: revision.deployment,
      model: revision.model,
      version: revision.version,
      createdAt: toRfc3339(revision.createdMs),
      ...(revision.readyMs !== undefined && { readyAt: toRfc3339(revision.readyMs) }),
      ...(revision.error !== undefined && { error: revision.error }),
      requests: counters.requests,
      errors: failuresOf(counters),
    };
  });
}
