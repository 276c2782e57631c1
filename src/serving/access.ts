import { createHash } from 'node:crypto';
import type { SpecEndpoint } from '#contracts/deployment-spec';
import type { Clock } from '#platform/clock';
import type { AppError } from '#platform/errors';
import { isLoopback } from '#platform/loopback';
import { servingErrors } from './serving-errors.ts';

/** What a caller says of itself, whatever carried it: HTTP headers, or gRPC metadata by the same names. */
export interface Caller {
  readonly headers: {
    readonly authorization?: string | undefined;
    readonly host?: string | undefined;
    readonly origin?: string | undefined;
  };
}

interface Guarded {
  readonly spec: Pick<SpecEndpoint, 'access'>;
}

/**
 * Who calls. Tokens are checked against the digests and the ends of the last spec, so it works with the control plane
 * away. Without tokens an endpoint is open, on a loopback address only; there a page in a browser could reach it, so Host
 * and Origin must be ours.
 */
export interface Access {
  /** The caller's principal; throws when the caller may not. */
  check(access: SpecEndpoint['access'], caller: Caller): string;
  /** The caller's principal; undefined when the caller may not. */
  identify(access: SpecEndpoint['access'], caller: Caller): string | undefined;
  /**
   * Those of the endpoints that the caller may call. Throws when there are some and that is none of them: by the refusal
   * that says most, so that who may call nothing hears the same whatever it asks for.
   */
  select<E extends Guarded>(endpoints: readonly E[], caller: Caller): readonly E[];
}

const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]']);
/** The refusal that says most first. */
const refusals = ['TOKEN_ENDED', 'TOKEN_UNKNOWN', 'HOST_NOT_ALLOWED', 'TOKEN_MISSING', 'ENDPOINT_CLOSED'];

export function createAccess(options: {
  readonly host: string;
  readonly allowedHosts: readonly string[];
  /** Without tokens an endpoint is open wherever it listens; default: on a loopback address alone. */
  readonly openToAll?: boolean;
  readonly clock: Clock;
}): Access {
  const isLocal = isLoopback(options.host);
  const allowed = new Set([...loopbackNames, ...options.allowedHosts]);
  /** As a caller wrote it last: nearly all write the same. */
  let lastOurs = '';
  const isOurs = (host: string) => {
    if (host === lastOurs) return true;
    if (!allowed.has(host.replace(/:\d+$/, '').toLowerCase())) return false;
    lastOurs = host;
    return true;
  };

  /** The principal, or why not: made by the caller, since an error costs its stack. */
  function decide({ tokens }: SpecEndpoint['access'], { headers }: Caller): string | (() => AppError) {
    if (tokens.length === 0) {
      if (!isLocal) return options.openToAll === true ? 'user:anyone' : servingErrors.ENDPOINT_CLOSED;
      const { host, origin } = headers;
      if (host !== undefined && !isOurs(host)) return () => servingErrors.HOST_NOT_ALLOWED(host);
      if (origin !== undefined && !isOurs(origin.replace(/^https?:\/\//, '')))
        return () => servingErrors.HOST_NOT_ALLOWED(origin);
      return 'user:local';
    }
    const token = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (token === undefined) return servingErrors.TOKEN_MISSING;
    const digest = createHash('sha256').update(token).digest('hex');
    const known = tokens.find((candidate) => candidate.digest === digest);
    if (known === undefined) return servingErrors.TOKEN_UNKNOWN;
    if (known.expiresAtMs !== undefined && known.expiresAtMs <= options.clock.nowMs()) return servingErrors.TOKEN_ENDED;
    return known.principal;
  }

  return {
    check(rules, caller) {
      const decided = decide(rules, caller);
      if (typeof decided === 'string') return decided;
      throw decided();
    },

    identify(rules, caller) {
      const decided = decide(rules, caller);
      return typeof decided === 'string' ? decided : undefined;
    },

    select(endpoints, caller) {
      const refused = new Set<() => AppError>();
      const callable = endpoints.filter(({ spec }) => {
        const decided = decide(spec.access, caller);
        if (typeof decided !== 'string') refused.add(decided);
        return typeof decided === 'string';
      });
      const [first] = [...refused]
        .map((make) => make())
        .toSorted((a, b) => refusals.indexOf(a.code) - refusals.indexOf(b.code));
      if (callable.length === 0 && first !== undefined) throw first;
      return callable;
    },
  };
}
