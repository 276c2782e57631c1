import type { ExpressionBuilder } from 'kysely';
import type { BlobInfo, StoredBlob } from '#platform/blobs';
import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import type { ArtifactState, ArtifactsTables } from './artifacts-tables.ts';

export interface Artifact {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly state: ArtifactState;
  readonly project: string;
  readonly touchedMs: number;
}

/** Whatever project holds it; holds are counted, never trusted to the state alone. */
const unheld = (where: ExpressionBuilder<ArtifactsTables, 'artifacts'>) =>
  where.not(
    where.exists(
      where
        .selectFrom('artifact_holds')
        .select('artifact_holds.sha256')
        .whereRef('artifact_holds.sha256', '=', 'artifacts.sha256'),
    ),
  );

/** Rows in one statement: bounds its parameters. */
const rowsAtOnce = 500;

/** Marks digests as held, whatever they were before; answers those that are, without those whose bytes are being removed. */
export async function markHeld(unit: Unit, project: string, files: readonly BlobInfo[]): Promise<ReadonlySet<string>> {
  const held = { state: 'held', project, touched_ms: unit.nowMs, condemned_ms: null } as const;
  const marked = new Set<string>();
  for (let at = 0; at < files.length; at += rowsAtOnce) {
    const rows = await unit
      .query<ArtifactsTables>()
      .insertInto('artifacts')
      .values(
        files.slice(at, at + rowsAtOnce).map(({ sha256, sizeBytes }) => ({ sha256, size_bytes: sizeBytes, ...held })),
      )
      .onConflict((conflict) => conflict.column('sha256').doUpdateSet(held).where('artifacts.state', '!=', 'removing'))
      .returning('artifacts.sha256')
      .execute();
    for (const { sha256 } of rows) marked.add(sha256);
  }
  return marked;
}

/** Of these digests, those that nothing holds any more become loose. */
export async function markLoose(unit: Unit, digests: readonly string[]): Promise<void> {
  await unit
    .query<ArtifactsTables>()
    .updateTable('artifacts')
    .set({ state: 'loose' })
    .where(inList(unit, 'artifacts.sha256', digests))
    .where('artifacts.state', '=', 'held')
    .where(unheld)
    .execute();
}

export async function listStates(reader: Reader, digests: readonly string[]): Promise<ReadonlyMap<string, Artifact>> {
  const rows = await select(reader)
    .where(inList(reader, 'artifacts.sha256', digests))
    .execute();
  return new Map(rows.map((row) => [row.sha256, rowToArtifact(row)]));
}

/** Takes in bytes that have no row: an upload that died before its unit. */
export async function insertStrays(unit: Unit, blobs: readonly StoredBlob[], project: string): Promise<void> {
  await unit
    .query<ArtifactsTables>()
    .insertInto('artifacts')
    .values(
      blobs.map(({ sha256, sizeBytes, modifiedMs }) => ({
        sha256,
        size_bytes: sizeBytes,
        state: 'loose' as const,
        project,
        touched_ms: Math.floor(modifiedMs),
        condemned_ms: null,
      })),
    )
    .onConflict((conflict) => conflict.column('sha256').doNothing())
    .execute();
}

/** Somebody has put the bytes again and is about to take a hold: begin to count anew. */
export async function markTouched(unit: Unit, digests: readonly string[]): Promise<void> {
  await unit
    .query<ArtifactsTables>()
    .updateTable('artifacts')
    .set({ state: 'loose', touched_ms: unit.nowMs, condemned_ms: null })
    .where(inList(unit, 'artifacts.sha256', digests))
    .where((where) => where.or([where('artifacts.state', '=', 'loose'), where('artifacts.state', '=', 'condemned')]))
    .execute();
}

/** Loose since `beforeMs` → condemned. Answers how many. */
export async function condemn(unit: Unit, beforeMs: number, limit: number): Promise<number> {
  const rows = await select(unit)
    .where('artifacts.state', '=', 'loose')
    .where('artifacts.touched_ms', '<=', beforeMs)
    .orderBy('artifacts.touched_ms')
    .orderBy('artifacts.sha256')
    .limit(limit)
    .execute();
  return await move(unit, rows, 'loose', { state: 'condemned', condemned_ms: unit.nowMs });
}

/** Condemned since `beforeMs` → removing. Answers how many. */
export async function beginRemoval(unit: Unit, beforeMs: number, limit: number): Promise<number> {
  const rows = await select(unit)
    .where('artifacts.state', '=', 'condemned')
    .where('artifacts.condemned_ms', '<=', beforeMs)
    .orderBy('artifacts.condemned_ms')
    .orderBy('artifacts.sha256')
    .limit(limit)
    .execute();
  return await move(unit, rows, 'condemned', { state: 'removing' });
}

export async function listRemoving(reader: Reader, limit: number): Promise<readonly Artifact[]> {
  const rows = await select(reader)
    .where('artifacts.state', '=', 'removing')
    .orderBy('artifacts.touched_ms')
    .orderBy('artifacts.sha256')
    .limit(limit)
    .execute();
  return rows.map(rowToArtifact);
}

/** What nothing holds, by its state: how much, and since when its first waits. */
export async function sumUnheld(reader: Reader, state: 'loose' | 'condemned') {
  const since = state === 'loose' ? 'artifacts.touched_ms' : 'artifacts.condemned_ms';
  const row = await reader
    .query<ArtifactsTables>()
    .selectFrom('artifacts')
    .select(({ fn }) => [
      fn.countAll().as('artifacts'),
      fn.sum('artifacts.size_bytes').as('bytes'),
      fn.min(since).as('since_ms'),
    ])
    .where('artifacts.state', '=', state)
    .executeTakeFirstOrThrow();
  return {
    artifacts: Number(row.artifacts),
    bytes: Number(row.bytes ?? 0),
    sinceMs: row.since_ms ?? undefined,
  };
}

/** Answers the digests whose rows went. */
export async function deleteRemoving(unit: Unit, digests: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await unit
    .query<ArtifactsTables>()
    .deleteFrom('artifacts')
    .where(inList(unit, 'artifacts.sha256', digests))
    .where('artifacts.state', '=', 'removing')
    .returning('artifacts.sha256')
    .execute();
  return new Set(rows.map((row) => row.sha256));
}

async function move(
  unit: Unit,
  rows: readonly { readonly sha256: string }[],
  from: ArtifactState,
  change: { readonly state: ArtifactState; readonly condemned_ms?: number },
): Promise<number> {
  if (rows.length === 0) return 0;
  const { numUpdatedRows } = await unit
    .query<ArtifactsTables>()
    .updateTable('artifacts')
    .set(change)
    .where(
      inList(
        unit,
        'artifacts.sha256',
        rows.map(({ sha256 }) => sha256),
      ),
    )
    .where('artifacts.state', '=', from)
    .where(unheld)
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

const select = (reader: Reader) =>
  reader
    .query<ArtifactsTables>()
    .selectFrom('artifacts')
    .select([
      'artifacts.sha256',
      'artifacts.size_bytes',
      'artifacts.state',
      'artifacts.project',
      'artifacts.touched_ms',
    ]);

const rowToArtifact = (row: Omit<ArtifactsTables['artifacts'], 'condemned_ms'>): Artifact => ({
  sha256: row.sha256,
  sizeBytes: row.size_bytes,
  state: row.state,
  project: row.project,
  touchedMs: row.touched_ms,
});
