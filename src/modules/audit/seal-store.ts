import type { Reader, Unit } from '#platform/database';
import { inList } from '#platform/sql';
import type { AuditTables } from './audit-tables.ts';

export interface Seal {
  /** From 1, without gaps. */
  readonly sequence: number;
  readonly position: string;
  readonly eventId: string;
  /** SHA-256 over the event and the hash before it. */
  readonly hash: string;
}

const rowToSeal = (row: AuditTables['audit_chain']): Seal => ({
  sequence: row.sequence,
  position: row.position,
  eventId: row.event_id,
  hash: row.hash,
});

const select = (reader: Reader) =>
  reader
    .query<AuditTables>()
    .selectFrom('audit_chain')
    .select(['audit_chain.sequence', 'audit_chain.position', 'audit_chain.event_id', 'audit_chain.hash']);

export async function findLastSeal(reader: Reader): Promise<Seal | undefined> {
  const row = await select(reader).orderBy('audit_chain.sequence', 'desc').limit(1).executeTakeFirst();
  return row && rowToSeal(row);
}

export async function listSealsAfter(reader: Reader, sequence: number, limit: number): Promise<readonly Seal[]> {
  const rows = await select(reader)
    .where('audit_chain.sequence', '>', sequence)
    .orderBy('audit_chain.sequence')
    .limit(limit)
    .execute();
  return rows.map(rowToSeal);
}

export async function listSealsOf(reader: Reader, eventIds: readonly string[]): Promise<ReadonlyMap<string, Seal>> {
  const rows = await select(reader)
    .where(inList(reader, 'audit_chain.event_id', eventIds))
    .execute();
  return new Map(rows.map((row) => [row.event_id, rowToSeal(row)]));
}

/**
 * Against a seal of the same number nothing is inserted. It cannot be there, for the unit has looked; one that another
 * sealer has just committed makes PostgreSQL refuse the conflict clause, and the unit is run again.
 */
export async function insertSeals(unit: Unit, seals: readonly Seal[]): Promise<void> {
  await unit
    .query<AuditTables>()
    .insertInto('audit_chain')
    .values(seals.map(({ sequence, position, eventId, hash }) => ({ sequence, position, event_id: eventId, hash })))
    .onConflict((conflict) => conflict.column('sequence').doNothing())
    .execute();
}
