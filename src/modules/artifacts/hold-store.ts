import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import type { ArtifactsTables } from './artifacts-tables.ts';

/** Who needs which digest in a project. */
export interface Hold {
  readonly project: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly owner: string;
  readonly name: string | undefined;
  readonly createdMs: number;
  readonly expiresMs: number | undefined;
}

/** Rows in one statement: bounds its parameters. */
const rowsAtOnce = 500;

/** Holding again renews the name and the end. */
export async function upsertHolds(
  unit: Unit,
  hold: Pick<Hold, 'project' | 'owner' | 'name' | 'expiresMs'>,
  digests: readonly string[],
): Promise<void> {
  const renewed = { name: hold.name ?? null, expires_ms: hold.expiresMs ?? null };
  const { project, owner } = hold;
  for (let at = 0; at < digests.length; at += rowsAtOnce)
    await unit
      .query<ArtifactsTables>()
      .insertInto('artifact_holds')
      .values(
        digests
          .slice(at, at + rowsAtOnce)
          .map((sha256) => ({ project, sha256, owner, created_ms: unit.nowMs, ...renewed })),
      )
      .onConflict((conflict) => conflict.columns(['project', 'sha256', 'owner']).doUpdateSet(renewed))
      .execute();
}

/** Answers the digests that were let go. */
export async function deleteHolds(
  unit: Unit,
  { project, owner, sha256 }: { readonly project: string; readonly owner: string; readonly sha256?: string },
): Promise<readonly string[]> {
  let query = unit
    .query<ArtifactsTables>()
    .deleteFrom('artifact_holds')
    .where('artifact_holds.project', '=', project)
    .where('artifact_holds.owner', '=', owner);
  if (sha256 !== undefined) query = query.where('artifact_holds.sha256', '=', sha256);
  return (await query.returning('artifact_holds.sha256').execute()).map((row) => row.sha256);
}

/** The same for some of an owner's digests. */
export async function deleteHoldsOf(
  unit: Unit,
  { project, owner }: { readonly project: string; readonly owner: string },
  digests: readonly string[],
): Promise<readonly string[]> {
  const rows = await unit
    .query<ArtifactsTables>()
    .deleteFrom('artifact_holds')
    .where('artifact_holds.project', '=', project)
    .where('artifact_holds.owner', '=', owner)
    .where(inList(unit, 'artifact_holds.sha256', digests))
    .returning('artifact_holds.sha256')
    .execute();
  return rows.map((row) => row.sha256);
}

/** Ends holds whose time is over; answers their digests. */
export async function deleteExpiredHolds(unit: Unit): Promise<readonly string[]> {
  const rows = await unit
    .query<ArtifactsTables>()
    .deleteFrom('artifact_holds')
    .where('artifact_holds.expires_ms', '<=', unit.nowMs)
    .returning('artifact_holds.sha256')
    .execute();
  return rows.map((row) => row.sha256);
}

/** Which of these the project holds, leaving aside holds that end before `untilMs`. */
export async function listHeld(
  reader: Reader,
  project: string,
  digests: readonly string[],
  untilMs: number,
): Promise<ReadonlySet<string>> {
  const rows = await reader
    .query<ArtifactsTables>()
    .selectFrom('artifact_holds')
    .select('artifact_holds.sha256')
    .distinct()
    .where('artifact_holds.project', '=', project)
    .where(inList(reader, 'artifact_holds.sha256', digests))
    .where((where) =>
      where.or([where('artifact_holds.expires_ms', 'is', null), where('artifact_holds.expires_ms', '>', untilMs)]),
    )
    .execute();
  return new Set(rows.map((row) => row.sha256));
}

export async function isHeld(reader: Reader, project: string, sha256: string): Promise<boolean> {
  const row = await reader
    .query<ArtifactsTables>()
    .selectFrom('artifact_holds')
    .select('artifact_holds.sha256')
    .where('artifact_holds.project', '=', project)
    .where('artifact_holds.sha256', '=', sha256)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

export interface HoldFilter {
  readonly project: string;
  readonly owner: string | undefined;
  readonly sha256: string | undefined;
  readonly after: { readonly sha256: string; readonly owner: string } | undefined;
  readonly limit: number;
}

export async function listHolds(reader: Reader, filter: HoldFilter): Promise<readonly Hold[]> {
  const { project, owner, sha256, after } = filter;
  let query = reader
    .query<ArtifactsTables>()
    .selectFrom('artifact_holds')
    .innerJoin('artifacts', 'artifacts.sha256', 'artifact_holds.sha256')
    .select([
      'artifact_holds.project',
      'artifact_holds.sha256',
      'artifact_holds.owner',
      'artifact_holds.name',
      'artifact_holds.created_ms',
      'artifact_holds.expires_ms',
      'artifacts.size_bytes',
    ])
    .where('artifact_holds.project', '=', project)
    .orderBy('artifact_holds.sha256')
    .orderBy('artifact_holds.owner')
    .limit(filter.limit);
  if (owner !== undefined) query = query.where('artifact_holds.owner', '=', owner);
  if (sha256 !== undefined) query = query.where('artifact_holds.sha256', '=', sha256);
  if (after !== undefined)
    query = query.where((where) =>
      where.or([
        where('artifact_holds.sha256', '>', after.sha256),
        where.and([where('artifact_holds.sha256', '=', after.sha256), where('artifact_holds.owner', '>', after.owner)]),
      ]),
    );
  return (await query.execute()).map((row) => ({
    project: row.project,
    sha256: row.sha256,
    sizeBytes: row.size_bytes,
    owner: row.owner,
    name: row.name ?? undefined,
    createdMs: row.created_ms,
    expiresMs: row.expires_ms ?? undefined,
  }));
}
