import { randomBytes } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Database } from '#platform/database';
import { digestOf } from './authenticator.ts';
import { makeToken } from './identity-service.ts';
import { findTokenByDigest, insertToken } from './token-store.ts';

/**
 * The first admin's token lies in a file that only the server's own user can read. Whoever has that file has the home
 * folder, so it gives away nothing more. The file comes before the row: dying in between leaves a file whose token the
 * next start makes valid. A revoked one stays revoked.
 */
export async function ensureAdminToken(database: Database, file: string): Promise<void> {
  const secret = readOrCreate(file);
  const digest = digestOf(secret);
  await database.write({ actor: 'system:identity' }, async (unit) => {
    if ((await findTokenByDigest(unit, digest)) !== undefined) return;
    const id = unit.newId();
    await insertToken(unit, {
      id,
      digest,
      kind: 'user',
      name: 'first admin',
      user: undefined,
      project: undefined,
      role: 'admin',
      attempt: undefined,
      pool: undefined,
      issuedBy: unit.context.actor,
      createdMs: unit.nowMs,
      expiresMs: undefined,
      revokedMs: undefined,
    });
    await unit.emit({
      type: 'token.issued',
      project: 'default',
      subject: `token:${id}`,
      data: { tokenId: id, kind: 'user', scope: '*' },
    });
  });
}

function readOrCreate(file: string): string {
  const known = read(file);
  if (known !== undefined) return known;
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, `${makeToken('user')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  chmodSync(draft, 0o600); // whatever the umask is
  try {
    linkSync(draft, file); // appears whole, and never over one that is there
  } finally {
    unlinkSync(draft);
  }
  return read(file) ?? '';
}

function read(file: string): string | undefined {
  try {
    const text = readFileSync(file, 'utf8').trim();
    return text === '' ? undefined : text;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
