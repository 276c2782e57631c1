import type { Reader, Unit } from '../database/types.ts';

interface IdempotencyTables {
  idempotency_keys: {
    project: string;
    principal: string;
    key_digest: string;
    request_digest: string;
    attempt: string;
    state: 'running' | 'committed' | 'answered';
    status: number | null;
    body: string | null;
    created_ms: number;
  };
}

/** Whose key it is. */
export interface KeyOwner {
  readonly project: string;
  readonly principal: string;
  readonly keyDigest: string;
}

export interface KeyRecord {
  readonly requestDigest: string;
  readonly attempt: string;
  readonly state: 'running' | 'committed' | 'answered';
  readonly status: number | undefined;
  /** JSON; absent when the answer may not be kept. */
  readonly body: string | undefined;
  readonly createdMs: number;
}

export async function findKey(reader: Reader, owner: KeyOwner): Promise<KeyRecord | undefined> {
  const row = await reader
    .query<IdempotencyTables>()
    .selectFrom('idempotency_keys')
    .select([
      'idempotency_keys.request_digest',
      'idempotency_keys.attempt',
      'idempotency_keys.state',
      'idempotency_keys.status',
      'idempotency_keys.body',
      'idempotency_keys.created_ms',
    ])
    .where('idempotency_keys.project', '=', owner.project)
    .where('idempotency_keys.principal', '=', owner.principal)
    .where('idempotency_keys.key_digest', '=', owner.keyDigest)
    .executeTakeFirst();
  return (
    row && {
      requestDigest: row.request_digest,
      attempt: row.attempt,
      state: row.state,
      status: row.status ?? undefined,
      body: row.body ?? undefined,
      createdMs: row.created_ms,
    }
  );
}

/** Writes the row of a new try, over whatever is there. */
export async function putKey(
  unit: Unit,
  owner: KeyOwner,
  record: { readonly requestDigest: string; readonly attempt: string },
): Promise<void> {
  const fields = {
    request_digest: record.requestDigest,
    attempt: record.attempt,
    state: 'running' as const,
    status: null,
    body: null,
    created_ms: unit.nowMs,
  };
  await unit
    .query<IdempotencyTables>()
    .insertInto('idempotency_keys')
    .values({ project: owner.project, principal: owner.principal, key_digest: owner.keyDigest, ...fields })
    .onConflict((conflict) => conflict.columns(['project', 'principal', 'key_digest']).doUpdateSet(fields))
    .execute();
}

/** False when another try has overtaken this one. */
export async function updateKey(
  unit: Unit,
  owner: KeyOwner,
  attempt: string,
  change:
    | { readonly state: 'committed' }
    | { readonly state: 'answered'; readonly status: number; readonly body: string | null },
): Promise<boolean> {
  const { numUpdatedRows } = await unit
    .query<IdempotencyTables>()
    .updateTable('idempotency_keys')
    .set(change)
    .where('idempotency_keys.project', '=', owner.project)
    .where('idempotency_keys.principal', '=', owner.principal)
    .where('idempotency_keys.key_digest', '=', owner.keyDigest)
    .where('idempotency_keys.attempt', '=', attempt)
    .executeTakeFirst();
  return Number(numUpdatedRows) === 1;
}

export async function deleteKey(unit: Unit, owner: KeyOwner, attempt: string): Promise<void> {
  await unit
    .query<IdempotencyTables>()
    .deleteFrom('idempotency_keys')
    .where('idempotency_keys.project', '=', owner.project)
    .where('idempotency_keys.principal', '=', owner.principal)
    .where('idempotency_keys.key_digest', '=', owner.keyDigest)
    .where('idempotency_keys.attempt', '=', attempt)
    .execute();
}

export async function deleteKeysBefore(unit: Unit, beforeMs: number): Promise<void> {
  await unit
    .query<IdempotencyTables>()
    .deleteFrom('idempotency_keys')
    .where('idempotency_keys.created_ms', '<', beforeMs)
    .execute();
}
