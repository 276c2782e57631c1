import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { TracingSettings } from './otel-settings.ts';

/** Sends what is encoded, by OTLP over HTTP: https://opentelemetry.io/docs/specs/otlp/#otlphttp */
export interface OtlpSender {
  /** The body of the answer with 200. What may pass is tried again for a while, then it throws. */
  send(body: Buffer, stopped: AbortSignal): Promise<Buffer>;
  close(): void;
}

const mediaTypes = { protobuf: 'application/x-protobuf', json: 'application/json' } as const;
/** Those after which the same may be sent again. */
const passing: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const firstWaitMs = 500;
const longestWaitMs = 5_000;
const longestAnswer = 1024 ** 2;
const pack = promisify<Buffer, Buffer>(gzip);

interface Reply {
  readonly status: number;
  readonly retryAfterMs: number;
  readonly body: Buffer;
}

export function createOtlpSender(
  settings: Pick<TracingSettings, 'url' | 'encoding' | 'gzip' | 'headers' | 'timeoutMs' | 'giveUpMs'>,
): OtlpSender {
  const { url, timeoutMs, giveUpMs } = settings;
  const isHttps = url.protocol === 'https:';
  const agent = isHttps ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  const send = isHttps ? httpsRequest : httpRequest;

  function post(body: Buffer, signal: AbortSignal): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const request = send(
        url,
        {
          method: 'POST',
          agent,
          signal,
          headers: {
            ...settings.headers,
            'content-type': mediaTypes[settings.encoding],
            'content-length': body.length,
            ...(settings.gzip && { 'content-encoding': 'gzip' }),
          },
        },
        (response) => {
          read(response).then(
            (answer) =>
              resolve({
                status: response.statusCode ?? 0,
                retryAfterMs: 1_000 * (Number(response.headers['retry-after']) || 0),
                body: answer,
              }),
            reject,
          );
        },
      );
      request.on('error', reject);
      request.end(body);
    });
  }

  /** Undefined: it may go through later. */
  async function attempt(body: Buffer, stopped: AbortSignal): Promise<Reply | Error> {
    try {
      return await post(body, AbortSignal.any([stopped, AbortSignal.timeout(timeoutMs)]));
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  return {
    async send(body, stopped) {
      const payload = settings.gzip ? await pack(body) : body;
      const untilMs = performance.now() + giveUpMs;
      for (let waitMs = firstWaitMs; ; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
        const reply = await attempt(payload, stopped);
        if (!(reply instanceof Error)) {
          if (reply.status >= 200 && reply.status < 300) return reply.body;
          if (!passing.has(reply.status)) throw new Error(`it answered ${reply.status}`);
        }
        const pauseMs = Math.max(waitMs * (0.5 + Math.random()), reply instanceof Error ? 0 : reply.retryAfterMs);
        if (stopped.aborted || performance.now() + pauseMs > untilMs)
          throw reply instanceof Error ? reply : new Error(`it answered ${reply.status}`);
        await delay(pauseMs, undefined, { ref: false, signal: stopped }).catch(() => undefined);
      }
    },
    close: () => agent.destroy(),
  };
}

async function read(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > longestAnswer) throw new Error('its answer is longer than any that OTLP knows');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
