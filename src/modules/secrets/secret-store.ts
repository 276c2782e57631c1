import type { Reader, Unit } from '#platform/database';
import { parseJson } from '#platform/sql';
import type { Sealed } from './secret-cipher.ts';
import type { SecretsTables } from './secrets-tables.ts';

/** What is known of a secret without opening it. */
export interface Secret {
  readonly project: string;
  readonly name: string;
  readonly grants: readonly string[];
  readonly createdMs: number;
  readonly updatedMs: number;
}

export interface StoredSecret extends Secret {
  readonly sealed: Sealed;
}

const rowToSecret = (row: SecretsTables['secrets']): StoredSecret => ({
  project: row.project,
  name: row.name,
  grants: parseJson<readonly string[]>(row.grants),
  createdMs: row.created_ms,
  updatedMs: row.updated_ms,
  sealed: { keyId: row.key_id, nonce: row.nonce, ciphertext: row.ciphertext, tag: row.tag },
});

const select = (reader: Reader) =>
  reader
    .query<SecretsTables>()
    .selectFrom('secrets')
    .select([
      'secrets.project',
      'secrets.name',
      'secrets.key_id',
      'secrets.nonce',
      'secrets.ciphertext',
      'secrets.tag',
      'secrets.grants',
      'secrets.created_ms',
      'secrets.updated_ms',
    ]);

export async function findSecret(reader: Reader, project: string, name: string): Promise<StoredSecret | undefined> {
  const row = await select(reader)
    .where('secrets.project', '=', project)
    .where('secrets.name', '=', name)
    .executeTakeFirst();
  return row && rowToSecret(row);
}

export async function listSecretsAfter(
  reader: Reader,
  project: string,
  after: string | undefined,
  limit: number,
): Promise<readonly Secret[]> {
  let query = select(reader).where('secrets.project', '=', project).orderBy('secrets.name').limit(limit);
  if (after !== undefined) query = query.where('secrets.name', '>', after);
  return (await query.execute()).map(rowToSecret);
}

/** Every secret of every project, for the mask. */
export async function listAllSecrets(reader: Reader): Promise<readonly StoredSecret[]> {
  const rows = await select(reader).orderBy('secrets.project').orderBy('secrets.name').execute();
  return rows.map(rowToSecret);
}

export async function upsertSecret(unit: Unit, secret: StoredSecret): Promise<void> {
  const changed = {
    key_id: secret.sealed.keyId,
    nonce: secret.sealed.nonce,
    ciphertext: secret.sealed.ciphertext,
    tag: secret.sealed.tag,
    grants: JSON.stringify(secret.grants),
    updated_ms: secret.updatedMs,
  };
  await unit
    .query<SecretsTables>()
    .insertInto('secrets')
    .values({ project: secret.project, name: secret.name, created_ms: secret.createdMs, ...changed })
    .onConflict((conflict) => conflict.columns(['project', 'name']).doUpdateSet(changed))
    .execute();
}

/** False when there is none. */
export async function deleteSecret(unit: Unit, project: string, name: string): Promise<boolean> {
  const { numDeletedRows } = await unit
    .query<SecretsTables>()
    .deleteFrom('secrets')
    .where('secrets.project', '=', project)
    .where('secrets.name', '=', name)
    .executeTakeFirst();
  return numDeletedRows === 1n;
}
