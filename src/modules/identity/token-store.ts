import type { Role, TokenKind } from '#contracts/identity';
import type { Reader, Unit } from '#platform/database';
import { like } from '#platform/sql';
import type { IdentityTables } from './identity-tables.ts';

export interface Token {
  readonly id: string;
  readonly digest: string;
  readonly kind: TokenKind;
  readonly name: string;
  /** The person it belongs to; undefined for a token with a role of its own. */
  readonly user: string | undefined;
  /** Undefined is all of them. */
  readonly project: string | undefined;
  readonly role: Role | undefined;
  readonly attempt: string | undefined;
  readonly pool: string | undefined;
  readonly issuedBy: string;
  readonly createdMs: number;
  readonly expiresMs: number | undefined;
  readonly revokedMs: number | undefined;
}

const rowToToken = (row: IdentityTables['tokens']): Token => ({
  id: row.id,
  digest: row.digest,
  kind: row.kind,
  name: row.name,
  user: row.user_name ?? undefined,
  project: row.project ?? undefined,
  role: row.role ?? undefined,
  attempt: row.attempt ?? undefined,
  pool: row.pool ?? undefined,
  issuedBy: row.issued_by,
  createdMs: row.created_ms,
  expiresMs: row.expires_ms ?? undefined,
  revokedMs: row.revoked_ms ?? undefined,
});

const select = (reader: Reader) =>
  reader
    .query<IdentityTables>()
    .selectFrom('tokens')
    .select([
      'tokens.id',
      'tokens.digest',
      'tokens.kind',
      'tokens.name',
      'tokens.user_name',
      'tokens.project',
      'tokens.role',
      'tokens.attempt',
      'tokens.pool',
      'tokens.issued_by',
      'tokens.created_ms',
      'tokens.expires_ms',
      'tokens.revoked_ms',
    ]);

export async function insertToken(unit: Unit, token: Token): Promise<void> {
  await unit
    .query<IdentityTables>()
    .insertInto('tokens')
    .values({
      id: token.id,
      digest: token.digest,
      kind: token.kind,
      name: token.name,
      user_name: token.user ?? null,
      project: token.project ?? null,
      role: token.role ?? null,
      attempt: token.attempt ?? null,
      pool: token.pool ?? null,
      issued_by: token.issuedBy,
      created_ms: token.createdMs,
      expires_ms: token.expiresMs ?? null,
      revoked_ms: null,
    })
    .execute();
}

export async function findToken(reader: Reader, id: string): Promise<Token | undefined> {
  const row = await select(reader).where('tokens.id', '=', id).executeTakeFirst();
  return row && rowToToken(row);
}

export async function findTokenByDigest(reader: Reader, digest: string): Promise<Token | undefined> {
  const row = await select(reader).where('tokens.digest', '=', digest).executeTakeFirst();
  return row && rowToToken(row);
}

/** Undefined when there is no such token, or it was revoked before. */
export async function markRevoked(unit: Unit, id: string): Promise<Pick<Token, 'kind' | 'project'> | undefined> {
  const row = await unit
    .query<IdentityTables>()
    .updateTable('tokens')
    .set({ revoked_ms: unit.nowMs })
    .where('tokens.id', '=', id)
    .where('tokens.revoked_ms', 'is', null)
    .returning(['tokens.kind', 'tokens.project'])
    .executeTakeFirst();
  return row && { kind: row.kind, project: row.project ?? undefined };
}

export interface TokenFilter {
  /** Undefined asks for the tokens of every project. */
  readonly project: string | undefined;
  readonly kind: TokenKind | undefined;
  /** Also what the server gave its own steps and data plane. */
  readonly internal: boolean;
  readonly beforeId: string | undefined;
  readonly limit: number;
}

/** Newest first: ids grow with time. */
export async function listTokensBefore(reader: Reader, filter: TokenFilter): Promise<readonly Token[]> {
  let query = select(reader).orderBy('tokens.id', 'desc').limit(filter.limit);
  if (filter.project !== undefined) query = query.where('tokens.project', '=', filter.project);
  if (filter.kind !== undefined) query = query.where('tokens.kind', '=', filter.kind);
  if (!filter.internal)
    query = query.where((where) =>
      where.or([where('tokens.kind', '=', 'user'), where.not(like(reader, 'tokens.issued_by', 'system:%'))]),
    );
  if (filter.beforeId !== undefined) query = query.where('tokens.id', '<', filter.beforeId);
  return (await query.execute()).map(rowToToken);
}

/** People's tokens that work now and could reach a project. */
export async function listLiveTokens(reader: Reader, project: string, nowMs: number): Promise<readonly Token[]> {
  const rows = await select(reader)
    .where('tokens.kind', '=', 'user')
    .where('tokens.revoked_ms', 'is', null)
    .where((where) => where.or([where('tokens.expires_ms', 'is', null), where('tokens.expires_ms', '>', nowMs)]))
    .where((where) => where.or([where('tokens.project', 'is', null), where('tokens.project', '=', project)]))
    .orderBy('tokens.id')
    .execute();
  return rows.map(rowToToken);
}
