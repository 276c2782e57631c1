import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { servingErrors } from './serving-errors.ts';

export interface ControlRequest {
  readonly method: 'GET' | 'PUT' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** Silence after which the request is given up. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface ControlAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** Every connection between the planes is opened here, by the data plane, with the pool's token. */
export interface ControlClient {
  /** Any status is an answer; CONTROL_PLANE_UNREACHABLE when there is none. */
  send(request: ControlRequest): Promise<ControlAnswer>;
  /** As `send`, with the body left to be read. */
  open(request: ControlRequest): Promise<IncomingMessage>;
  close(): void;
}

export function createControlClient(options: {
  readonly url: string;
  readonly token: string | undefined;
}): ControlClient {
  const base = new URL(options.url);
  const prefix = base.pathname.replace(/\/$/, '');
  const secure = base.protocol === 'https:';
  const agent = secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  const start = secure ? requestHttps : requestHttp;

  const open = (asked: ControlRequest): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const outgoing = start(
        new URL(`${prefix}${asked.path}`, base),
        {
          agent,
          method: asked.method,
          timeout: asked.timeoutMs,
          headers: {
            ...(options.token !== undefined && { authorization: `Bearer ${options.token}` }),
            ...(asked.body !== undefined && { 'content-length': Buffer.byteLength(asked.body) }),
            ...asked.headers,
          },
          ...(asked.signal && { signal: asked.signal }),
        },
        resolve,
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${asked.timeoutMs} ms`)));
      outgoing.on('error', (cause) =>
        reject(servingErrors.CONTROL_PLANE_UNREACHABLE(`${asked.method} ${base.origin}${asked.path}`, cause.message)),
      );
      void sendBody(outgoing, asked.body);
    });

  return {
    open,
    async send(asked) {
      const answer = await open(asked);
      const chunks: Buffer[] = [];
      try {
        for await (const chunk of answer) chunks.push(chunk as Buffer);
      } catch (cause) {
        throw servingErrors.CONTROL_PLANE_UNREACHABLE(`${asked.method} ${asked.path}`, String(cause));
      }
      return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) };
    },
    close: () => agent.destroy(),
  };
}

const pieceBytes = 128 * 1024;

/** In pieces, each in a turn of its own: a delivery of megabytes in one would hold up every request for milliseconds. */
async function sendBody(outgoing: ClientRequest, body: Buffer | string | undefined): Promise<void> {
  if (typeof body !== 'object' || body.length <= pieceBytes) {
    outgoing.end(body);
    return;
  }
  for (let at = 0; at < body.length && !outgoing.destroyed; at += pieceBytes) {
    if (at > 0) await nextTurn();
    await new Promise<void>((resolve) => {
      outgoing.write(body.subarray(at, at + pieceBytes), () => resolve()); // never, where there is no connection: that is told
    });
  }
  if (!outgoing.destroyed) outgoing.end();
}

/** Retry-After of an answer in milliseconds, when it says seconds. */
export function retryAfterMs(answer: ControlAnswer): number | undefined {
  const seconds = Number(answer.headers['retry-after']);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}
