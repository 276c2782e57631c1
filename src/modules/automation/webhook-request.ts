import type { LookupAddress } from 'node:dns';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { automationErrors } from './automation-errors.ts';

export interface PostAnswer {
  readonly status: number;
  /** The beginning of what the other side said. */
  readonly text: string;
}

const keptBytes = 4_096;

/**
 * Posts a body to the pinned addresses. Redirects are answers like any other: whoever is behind one was not checked.
 * What the other side says is read to its end; its beginning is kept.
 */
export function postTo(target: {
  readonly url: URL;
  readonly addresses: readonly LookupAddress[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}): Promise<PostAnswer> {
  const { url, headers, body, timeoutMs } = target;
  const [first] = target.addresses;
  const lookup: LookupFunction = (_host, options, callback) => {
    if (options.all === true) callback(null, [...target.addresses]);
    else callback(null, first?.address ?? '', first?.family);
  };
  const signal = AbortSignal.any([target.signal, AbortSignal.timeout(timeoutMs)]);
  return new Promise((resolve, reject) => {
    const fail = (error: Error) =>
      reject(
        automationErrors.WEBHOOK_UNANSWERED(
          target.signal.aborted
            ? 'the server is stopping'
            : signal.aborted
              ? `no answer within ${timeoutMs / 1000} s`
              : error.message || ('code' in error ? String(error.code) : error.name),
        ),
      );
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    const request = send(
      url,
      // a connection of its own: a kept one would go to an address that was checked for another webhook
      {
        method: 'POST',
        agent: false,
        lookup,
        signal,
        headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        const kept: Buffer[] = [];
        let bytes = 0;
        response.on('error', fail);
        response.on('data', (chunk: Buffer) => {
          if (bytes < keptBytes) kept.push(chunk.subarray(0, keptBytes - bytes));
          bytes += chunk.length;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(kept).toString('utf8') }),
        );
      },
    );
    request.on('error', fail);
    request.end(body);
  });
}
