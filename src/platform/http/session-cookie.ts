import type { IncomingHttpHeaders } from 'node:http';

/**
 * A browser that follows links cannot send an Authorization header: it brings its token as a cookie. Requests that read
 * are the only ones that it counts for, and the browser does not send it along with what a page of another site loads
 * (`SameSite`), so that nothing can be changed by it from anywhere; a page that changes something sends the header.
 */

/** Cookies do not mind the port: servers side by side on a machine each have a name of their own. */
const nameFor = (host: string | undefined): string => {
  const port = /:(\d{1,5})$/.exec(host ?? '')?.[1];
  return port === undefined ? 'tidemill_token' : `tidemill_token_${port}`;
};

/** What a cookie may hold without quotes, and a token is made of. */
const plainToken = /^[\w.~+/=-]{1,1024}$/;

export const isPlainToken = (token: string): boolean => plainToken.test(token);

/** The token that a browser has brought with a request; undefined when it may not count. */
export function tokenInCookie(method: string, headers: IncomingHttpHeaders): string | undefined {
  const { cookie, host } = headers;
  if (cookie === undefined || (method !== 'GET' && method !== 'HEAD')) return undefined;
  const name = `${nameFor(host)}=`;
  for (const part of cookie.split(';')) {
    const pair = part.trim();
    if (pair.startsWith(name)) return pair.slice(name.length) || undefined;
  }
  return undefined;
}

/** The value of a Set-Cookie header: it ends with the browser, or at once without a token. No script can read it. */
export function sessionCookie(headers: IncomingHttpHeaders, token: string | undefined): string {
  const parts = [`${nameFor(headers.host)}=${token ?? ''}`, 'Path=/', 'HttpOnly', 'SameSite=Lax'];
  if (token === undefined) parts.push('Max-Age=0');
  // a proxy that ends TLS in front of us says so
  if (headers['x-forwarded-proto'] === 'https') parts.push('Secure');
  return parts.join('; ');
}
