import type { SpecRevision } from '#contracts/deployment-spec';
import type { Reader, Unit } from '#platform/database';
import { inList, parseJson } from '#platform/sql';
import type { Revision, RevisionFile } from './deployment-types.ts';
import type { DeploymentsTables, RevisionRow } from './deployments-tables.ts';

const columns = [
  'deployment_revisions.revision',
  'deployment_revisions.project',
  'deployment_revisions.deployment',
  'deployment_revisions.model',
  'deployment_revisions.version',
  'deployment_revisions.runtime',
  'deployment_revisions.signature',
  'deployment_revisions.score',
  'deployment_revisions.created_ms',
  'deployment_revisions.ready_ms',
  'deployment_revisions.error',
] as const;

function rowToRevision(row: RevisionRow): Revision {
  return {
    id: row.revision,
    project: row.project,
    deployment: row.deployment,
    model: row.model,
    version: row.version,
    runtime: row.runtime,
    signature: parseJson<NonNullable<SpecRevision['signature']>>(row.signature),
    score: row.score ?? undefined,
    createdMs: row.created_ms,
    readyMs: row.ready_ms ?? undefined,
    error: row.error ?? undefined,
  };
}

const select = (reader: Reader) => reader.query<DeploymentsTables>().selectFrom('deployment_revisions').select(columns);

export async function findRevisions(reader: Reader, ids: readonly string[]): Promise<ReadonlyMap<string, Revision>> {
  if (ids.length === 0) return new Map();
  const rows = await select(reader)
    .where(inList(reader, 'deployment_revisions.revision', ids))
    .orderBy('deployment_revisions.revision')
    .execute();
  return new Map(rows.map((row) => [row.revision, rowToRevision(row)]));
}

export async function findRevisionOf(
  reader: Reader,
  key: {
    readonly project: string;
    readonly deployment: string;
    readonly model: string;
    readonly version: number;
  },
): Promise<Revision | undefined> {
  const row = await select(reader)
    .where('deployment_revisions.project', '=', key.project)
    .where('deployment_revisions.deployment', '=', key.deployment)
    .where('deployment_revisions.model', '=', key.model)
    .where('deployment_revisions.version', '=', key.version)
    .executeTakeFirst();
  return row && rowToRevision(row);
}

/** Newest first. */
export async function listRevisions(
  reader: Reader,
  filter: {
    readonly project: string;
    readonly deployment: string;
    readonly before?: string | undefined;
    readonly limit: number;
  },
): Promise<readonly Revision[]> {
  let query = select(reader)
    .where('deployment_revisions.project', '=', filter.project)
    .where('deployment_revisions.deployment', '=', filter.deployment)
    .orderBy('deployment_revisions.revision', 'desc')
    .limit(filter.limit);
  if (filter.before !== undefined) query = query.where('deployment_revisions.revision', '<', filter.before);
  return (await query.execute()).map(rowToRevision);
}

export async function insertRevision(unit: Unit, revision: Revision, files: readonly RevisionFile[]): Promise<void> {
  await unit
    .query<DeploymentsTables>()
    .insertInto('deployment_revisions')
    .values({
      revision: revision.id,
      project: revision.project,
      deployment: revision.deployment,
      model: revision.model,
      version: revision.version,
      runtime: revision.runtime,
      signature: revision.signature === undefined ? null : JSON.stringify(revision.signature),
      score: revision.score ?? null,
      created_ms: revision.createdMs,
      ready_ms: null,
      error: null,
    })
    .execute();
  await unit
    .query<DeploymentsTables>()
    .insertInto('deployment_revision_files')
    .values(
      files.map(({ path, sha256, sizeBytes }, position) => ({
        revision: revision.id,
        position,
        path,
        sha256,
        size_bytes: sizeBytes,
      })),
    )
    .execute();
}

export async function listFiles(
  reader: Reader,
  revisions: readonly string[],
): Promise<ReadonlyMap<string, readonly RevisionFile[]>> {
  const rows = await reader
    .query<DeploymentsTables>()
    .selectFrom('deployment_revision_files')
    .select([
      'deployment_revision_files.revision',
      'deployment_revision_files.path',
      'deployment_revision_files.sha256',
      'deployment_revision_files.size_bytes',
    ])
    .where(inList(reader, 'deployment_revision_files.revision', revisions))
    .orderBy('deployment_revision_files.revision')
    .orderBy('deployment_revision_files.position')
    .execute();
  const files = new Map<string, RevisionFile[]>();
  for (const { revision, path, sha256, size_bytes: sizeBytes } of rows)
    files.set(revision, [...(files.get(revision) ?? []), { path, sha256, sizeBytes }]);
  return files;
}

/** Whether the pool's spec names a file: of what its endpoints hold loaded or run as shadows. */
export async function isServedFile(reader: Reader, pool: string | undefined, sha256: string): Promise<boolean> {
  const files = reader
    .query<DeploymentsTables>()
    .selectFrom('deployment_revision_files')
    .innerJoin('deployment_revisions', 'deployment_revisions.revision', 'deployment_revision_files.revision')
    .innerJoin('deployments', (join) =>
      join
        .onRef('deployments.project', '=', 'deployment_revisions.project')
        .onRef('deployments.name', '=', 'deployment_revisions.deployment'),
    )
    .select('deployments.pool')
    .where('deployment_revision_files.sha256', '=', sha256);
  const inPool = pool === undefined ? files : files.where('deployments.pool', '=', pool);
  const found = await inPool
    .where((eb) =>
      eb.or([
        eb.exists(
          eb
            .selectFrom('deployment_traffic')
            .select('deployment_traffic.revision')
            .whereRef('deployment_traffic.revision', '=', 'deployment_revisions.revision'),
        ),
        eb.exists(
          eb
            .selectFrom('deployment_shadows')
            .select('deployment_shadows.revision')
            .whereRef('deployment_shadows.revision', '=', 'deployment_revisions.revision'),
        ),
      ]),
    )
    .limit(1)
    .executeTakeFirst();
  return found !== undefined;
}

export async function markReady(unit: Unit, revision: string): Promise<void> {
  await unit
    .query<DeploymentsTables>()
    .updateTable('deployment_revisions')
    .set({ ready_ms: unit.nowMs, error: null })
    .where('deployment_revisions.revision', '=', revision)
    .execute();
}

export async function markFailed(unit: Unit, revision: string, error: string | undefined): Promise<void> {
  await unit
    .query<DeploymentsTables>()
    .updateTable('deployment_revisions')
    .set({ error: error ?? null })
    .where('deployment_revisions.revision', '=', revision)
    .execute();
}
