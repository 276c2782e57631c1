import type { IncomingHttpHeaders } from 'node:http';
import type { AppError } from '../errors.ts';
import { httpErrors } from './http-errors.ts';

const loopbackNames = new Set(['localhost', '::1', 'ip6-localhost']);
const readingMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/** The name in a Host header: lower case, without port and brackets. */
function hostName(header: string): string {
  const bracketed = /^\[([0-9a-f:.]+)\](?::\d+)?$/i.exec(header);
  if (bracketed?.[1] !== undefined) return bracketed[1].toLowerCase();
  return header.replace(/:\d+$/, '').toLowerCase().replace(/\.$/, '');
}

/** Loopback names are always allowed: a foreign page cannot make a browser send them as its own name. */
function isAllowedHost(header: string | undefined, allowed: ReadonlySet<string>): boolean {
  if (header === undefined) return false;
  const name = hostName(header);
  return loopbackNames.has(name) || /^127\.\d+\.\d+\.\d+$/.test(name) || allowed.has(name);
}

/**
 * Guards a server that browsers can reach: the Host header must be one of ours (DNS rebinding), and a change sent by
 * another site's page is refused (CORS stays closed: no answer ever carries an Access-Control header).
 */
export function callerProblem(
  method: string,
  headers: IncomingHttpHeaders,
  allowedHosts: ReadonlySet<string>,
): AppError | undefined {
  if (!isAllowedHost(headers.host, allowedHosts)) return httpErrors.HOST_NOT_ALLOWED(hostName(headers.host ?? ''));
  if (readingMethods.has(method)) return undefined;
  const { origin } = headers;
  if (origin !== undefined && !isSameOrigin(origin, headers.host ?? '')) return httpErrors.ORIGIN_NOT_ALLOWED(origin);
  if (origin === undefined && headers['sec-fetch-site'] === 'cross-site')
    return httpErrors.ORIGIN_NOT_ALLOWED('another site');
  return undefined;
}

/** The scheme is not compared: a proxy may end TLS in front of us. */
function isSameOrigin(origin: string, host: string): boolean {
  return /^https?:\/\/(.+)$/i.exec(origin)?.[1]?.toLowerCase() === host.toLowerCase();
}
