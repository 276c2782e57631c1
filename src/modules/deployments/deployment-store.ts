import type { DeploymentSpecDocument } from '#contracts/deployments';
import type { Reader, Unit } from '#platform/database';
import { parseJson } from '#platform/sql';
import type { Deployment, LoadedRevision, Shadow } from './deployment-types.ts';
import type { DeploymentRow, DeploymentsTables } from './deployments-tables.ts';

const columns = [
  'deployments.project',
  'deployments.name',
  'deployments.pool',
  'deployments.spec',
  'deployments.generation',
  'deployments.salt',
  'deployments.created_ms',
  'deployments.updated_ms',
] as const;

function rowToDeployment(row: DeploymentRow): Deployment {
  return {
    project: row.project,
    name: row.name,
    pool: row.pool,
    spec: parseJson<DeploymentSpecDocument>(row.spec),
    generation: row.generation,
    salt: row.salt,
    updatedMs: row.updated_ms,
  };
}

const select = (reader: Reader) => reader.query<DeploymentsTables>().selectFrom('deployments').select(columns);

export async function findDeployment(reader: Reader, project: string, name: string): Promise<Deployment | undefined> {
  const row = await select(reader)
    .where('deployments.project', '=', project)
    .where('deployments.name', '=', name)
    .executeTakeFirst();
  return row && rowToDeployment(row);
}

export async function listDeployments(
  reader: Reader,
  filter: {
    readonly project: string;
    readonly after?: string | undefined;
    readonly limit?: number | undefined;
  },
): Promise<readonly Deployment[]> {
  let query = select(reader).where('deployments.project', '=', filter.project).orderBy('deployments.name');
  if (filter.after !== undefined) query = query.where('deployments.name', '>', filter.after);
  if (filter.limit !== undefined) query = query.limit(filter.limit);
  return (await query.execute()).map(rowToDeployment);
}

export async function listPoolDeployments(reader: Reader, pool: string): Promise<readonly Deployment[]> {
  const rows = await select(reader)
    .where('deployments.pool', '=', pool)
    .orderBy('deployments.project')
    .orderBy('deployments.name')
    .execute();
  return rows.map(rowToDeployment);
}

export async function upsertDeployment(
  unit: Unit,
  deployment: Pick<Deployment, 'project' | 'name' | 'pool' | 'spec' | 'salt'>,
): Promise<void> {
  const spec = JSON.stringify(deployment.spec);
  await unit
    .query<DeploymentsTables>()
    .insertInto('deployments')
    .values({
      project: deployment.project,
      name: deployment.name,
      pool: deployment.pool,
      spec,
      generation: 1,
      salt: deployment.salt,
      created_ms: unit.nowMs,
      updated_ms: unit.nowMs,
    })
    .onConflict((conflict) =>
      conflict.columns(['project', 'name']).doUpdateSet(({ eb }) => ({
        spec,
        generation: eb('deployments.generation', '+', 1),
        updated_ms: unit.nowMs,
      })),
    )
    .execute();
}

export async function setSalt(unit: Unit, project: string, name: string, salt: string): Promise<void> {
  await unit
    .query<DeploymentsTables>()
    .updateTable('deployments')
    .set({ salt })
    .where('deployments.project', '=', project)
    .where('deployments.name', '=', name)
    .execute();
}

export async function deleteDeployment(unit: Unit, project: string, name: string): Promise<void> {
  await deleteLoaded(unit, project, name);
  await deleteShadows(unit, project, name);
  await unit
    .query<DeploymentsTables>()
    .deleteFrom('deployments')
    .where('deployments.project', '=', project)
    .where('deployments.name', '=', name)
    .execute();
}

/** In the order in which shares are laid out. */
export async function listLoaded(
  reader: Reader,
  project: string,
  deployment: string,
): Promise<readonly LoadedRevision[]> {
  const rows = await reader
    .query<DeploymentsTables>()
    .selectFrom('deployment_traffic')
    .select(['deployment_traffic.revision', 'deployment_traffic.basis_points', 'deployment_traffic.role'])
    .where('deployment_traffic.project', '=', project)
    .where('deployment_traffic.deployment', '=', deployment)
    .orderBy('deployment_traffic.position')
    .execute();
  return rows.map((row) => ({ revision: row.revision, basisPoints: row.basis_points, role: row.role }));
}

async function deleteLoaded(unit: Unit, project: string, deployment: string): Promise<void> {
  await unit
    .query<DeploymentsTables>()
    .deleteFrom('deployment_traffic')
    .where('deployment_traffic.project', '=', project)
    .where('deployment_traffic.deployment', '=', deployment)
    .execute();
}

export async function replaceLoaded(
  unit: Unit,
  project: string,
  deployment: string,
  loaded: readonly LoadedRevision[],
): Promise<void> {
  await deleteLoaded(unit, project, deployment);
  if (loaded.length === 0) return;
  await unit
    .query<DeploymentsTables>()
    .insertInto('deployment_traffic')
    .values(
      loaded.map(({ revision, basisPoints, role }, position) => ({
        project,
        deployment,
        revision,
        position,
        basis_points: basisPoints,
        role,
      })),
    )
    .execute();
}

export async function listShadows(reader: Reader, project: string, deployment: string): Promise<readonly Shadow[]> {
  const rows = await reader
    .query<DeploymentsTables>()
    .selectFrom('deployment_shadows')
    .select(['deployment_shadows.reference', 'deployment_shadows.sample_rate', 'deployment_shadows.revision'])
    .where('deployment_shadows.project', '=', project)
    .where('deployment_shadows.deployment', '=', deployment)
    .orderBy('deployment_shadows.position')
    .execute();
  return rows.map((row) => ({
    reference: row.reference,
    sampleRate: row.sample_rate,
    revision: row.revision ?? undefined,
  }));
}

async function deleteShadows(unit: Unit, project: string, deployment: string): Promise<void> {
  await unit
    .query<DeploymentsTables>()
    .deleteFrom('deployment_shadows')
    .where('deployment_shadows.project', '=', project)
    .where('deployment_shadows.deployment', '=', deployment)
    .execute();
}

export async function replaceShadows(
  unit: Unit,
  project: string,
  deployment: string,
  shadows: readonly Shadow[],
): Promise<void> {
  await deleteShadows(unit, project, deployment);
  if (shadows.length === 0) return;
  await unit
    .query<DeploymentsTables>()
    .insertInto('deployment_shadows')
    .values(
      shadows.map(({ reference, sampleRate, revision }, position) => ({
        project,
        deployment,
        reference,
        position,
        sample_rate: sampleRate,
        revision: revision ?? null,
      })),
    )
    .execute();
}
