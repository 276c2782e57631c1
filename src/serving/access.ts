import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { SpecEndpoint } from '#contracts/deployment-spec';
import type { Clock } from '#platform/clock';
import { isLoopback } from '#platform/loopback';
import { servingErrors } from './serving-errors.ts';

/**
 * Who calls. Tokens are checked against the digests and the ends of the last spec, so it works with the control plane
 * away. Without tokens an endpoint is open, on a loopback address only; there a page in a browser could reach it, so Host
 * and Origin must be ours.
 */
export interface Access {
  /** The caller's principal; throws when the caller may not. */
  check(access: SpecEndpoint['access'], request: IncomingMessage): string;
  /** Whether the caller may. */
  allows(access: SpecEndpoint['access'], request: IncomingMessage): boolean;
  /** Those of the endpoints that the caller may call; throws when that is none of them. */
  select<E extends { readonly spec: Pick<SpecEndpoint, 'access'> }>(
    endpoints: readonly E[],
    request: IncomingMessage,
  ): readonly E[];
}

const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]']);

export function createAccess(options: {
  readonly host: string;
  readonly allowedHosts: readonly string[];
  readonly clock: Clock;
}): Access {
  const open = isLoopback(options.host);
  const allowed = new Set([...loopbackNames, ...options.allowedHosts]);
  const isOurs = (host: string) => allowed.has(host.replace(/:\d+$/, '').toLowerCase());

  const access: Access = {
    check({ tokens }, { headers }) {
      if (tokens.length === 0) {
        if (!open) throw servingErrors.ENDPOINT_CLOSED();
        const { host, origin } = headers;
        if (host !== undefined && !isOurs(host)) throw servingErrors.HOST_NOT_ALLOWED(host);
        if (origin !== undefined && !isOurs(origin.replace(/^https?:\/\//, '')))
          throw servingErrors.HOST_NOT_ALLOWED(origin);
        return 'user:local';
      }
      const token = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
      if (token === undefined) throw servingErrors.TOKEN_MISSING();
      const digest = createHash('sha256').update(token).digest('hex');
      const known = tokens.find((candidate) => candidate.digest === digest);
      if (known === undefined) throw servingErrors.TOKEN_UNKNOWN();
      if (known.expiresAtMs !== undefined && known.expiresAtMs <= options.clock.nowMs())
        throw servingErrors.TOKEN_ENDED();
      return known.principal;
    },

    allows(rules, request) {
      try {
        access.check(rules, request);
        return true;
      } catch {
        return false; // why it may not is told where it calls
      }
    },

    select(endpoints, request) {
      const callable = endpoints.filter(({ spec }) => access.allows(spec.access, request));
      const [first] = endpoints;
      if (callable.length === 0 && first !== undefined) access.check(first.spec.access, request); // says why not
      return callable;
    },
  };
  return access;
}
