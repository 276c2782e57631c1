import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '#platform/clock';
import type { Database } from '#platform/database';
import { artifactErrors } from './artifacts-errors.ts';
import { findUrlKey, insertUrlKey } from './upload-store.ts';

/** What a signed URL carries beside the things that it is bound to. */
export interface UrlSignature {
  readonly expires: string;
  readonly signature: string;
}

/**
 * Signs URLs that let whoever has them do one thing for a while, without a token: `what` names the thing wholly. One key
 * for all lies in the database, so that every control plane of it knows what another has signed.
 */
export interface UrlSigner {
  sign(what: readonly string[], lifeMs: number): Promise<UrlSignature>;
  /** SIGNED_URL_INVALID unless it was signed for this very thing and its time is not over. */
  verify(what: readonly string[], given: { readonly expires?: unknown; readonly signature?: unknown }): Promise<void>;
}

const keyName = 'urls';
const context = { actor: 'system:artifacts' };

export function createUrlSigner({
  database,
  clock,
}: {
  readonly database: Database;
  readonly clock: Clock;
}): UrlSigner {
  let key: Promise<string> | undefined;

  async function loadKey(): Promise<string> {
    const found = await findUrlKey(database.read, keyName);
    if (found !== undefined) return found;
    const made = randomBytes(32).toString('hex');
    return await database.write(context, (unit) => insertUrlKey(unit, keyName, made));
  }

  async function digest(what: readonly string[], expires: string): Promise<Buffer> {
    key ??= loadKey();
    key.catch(() => (key = undefined));
    // JSON keeps the parts apart: no two lists have one text
    return createHmac('sha256', Buffer.from(await key, 'hex'))
      .update(JSON.stringify([expires, ...what]))
      .digest();
  }

  return {
    async sign(what, lifeMs) {
      const expires = String(Math.ceil((clock.nowMs() + lifeMs) / 1_000));
      return { expires, signature: (await digest(what, expires)).toString('base64url') };
    },
    async verify(what, { expires, signature }) {
      if (typeof expires !== 'string' || typeof signature !== 'string') throw artifactErrors.SIGNED_URL_INVALID();
      const expected = await digest(what, expires);
      const given = Buffer.from(signature, 'base64url');
      const sound = given.length === expected.length && timingSafeEqual(given, expected);
      if (!sound || Number(expires) * 1_000 < clock.nowMs()) throw artifactErrors.SIGNED_URL_INVALID();
    },
  };
}
