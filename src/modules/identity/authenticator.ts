import { hash } from 'node:crypto';
import type { Clock } from '#platform/clock';
import type { Database } from '#platform/database';
import type { Authenticate, Principal } from '#platform/http';
import { isLoopback } from '#platform/loopback';
import { identityErrors } from './identity-errors.ts';
import { localPrincipal, toPrincipal } from './principal.ts';
import { findTokenByDigest } from './token-store.ts';
import { findUser } from './user-store.ts';

/** `open`: callers without a token are `user:local`, on loopback alone. `required`: every caller shows a token. */
export type AuthMode = 'open' | 'required';

/**
 * How long a looked-up token is trusted without asking again. Within this process a revocation empties the cache at
 * its commit; the limit is for another control plane on the same database.
 */
const cacheMs = 10_000;
const cacheSize = 10_000;

interface Cached {
  readonly principal: Principal;
  readonly untilMs: number;
}

export interface Authenticator {
  readonly authenticate: Authenticate;
  /** Asks the database again for every token. */
  readonly forget: () => void;
}

export const digestOf = (token: string): string => hash('sha256', token);

export function createAuthenticator(deps: {
  readonly database: Database;
  readonly clock: Clock;
  readonly auth: AuthMode;
}): Authenticator {
  const { database, clock, auth } = deps;
  const cache = new Map<string, Cached>();
  const lastOf = new WeakMap<object, { readonly authorization: string; readonly digest: string }>();
  let generation = 0;

  async function lookUp(digest: string): Promise<Principal> {
    const begun = generation;
    const nowMs = clock.nowMs();
    const token = await findTokenByDigest(database.read, digest);
    const user = token?.user === undefined ? undefined : await findUser(database.read, token.user);
    const dead =
      token === undefined ||
      token.revokedMs !== undefined ||
      (token.expiresMs !== undefined && token.expiresMs <= nowMs) ||
      user?.disabledMs !== undefined;
    if (dead) throw identityErrors.TOKEN_INVALID();
    const principal = toPrincipal(token, user);
    // What was read before a revocation must not be kept after it.
    if (begun === generation) {
      if (cache.size >= cacheSize) cache.clear();
      cache.set(digest, { principal, untilMs: Math.min(nowMs + cacheMs, token.expiresMs ?? Infinity) });
    }
    return principal;
  }

  /** Of a connection that sends the same again, which clients do, the token is read and hashed once. */
  function digestIn(authorization: string, connection: object | undefined): string {
    const last = connection && lastOf.get(connection);
    if (last?.authorization === authorization) return last.digest;
    const digest = digestOf(readToken(authorization));
    if (connection !== undefined) lastOf.set(connection, { authorization, digest });
    return digest;
  }

  return {
    async authenticate({ headers, ip, connection, cookieToken }) {
      // one that a browser has kept from another day means nothing to a server that asks for none
      const { authorization = auth === 'required' && cookieToken !== undefined ? `Bearer ${cookieToken}` : undefined } =
        headers;
      if (authorization === undefined) {
        if (auth === 'required') throw identityErrors.TOKEN_MISSING();
        if (!isLoopback(ip.replace(/^::ffff:/, ''))) throw identityErrors.OPEN_ON_LOOPBACK_ONLY();
        return localPrincipal;
      }
      const digest = digestIn(authorization, connection);
      const known = cache.get(digest);
      if (known !== undefined && known.untilMs > clock.nowMs()) return known.principal;
      return await lookUp(digest);
    },
    forget() {
      generation += 1;
      cache.clear();
    },
  };
}

/** RFC 6750 and RFC 7617; a Basic user name is not looked at. */
function readToken(authorization: string): string {
  const [, scheme, value] = /^(\S+)\s+(\S+)\s*$/.exec(authorization) ?? [];
  if (value !== undefined && scheme?.toLowerCase() === 'bearer') return value;
  if (value !== undefined && scheme?.toLowerCase() === 'basic') {
    const pair = Buffer.from(value, 'base64').toString('utf8');
    const colon = pair.indexOf(':');
    if (colon >= 0 && colon < pair.length - 1) return pair.slice(colon + 1);
  }
  throw identityErrors.AUTHORIZATION_MALFORMED();
}
