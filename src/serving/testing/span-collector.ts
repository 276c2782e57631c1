import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { expect, onTestFinished } from 'vitest';

interface CollectedAttribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly CollectedAttribute[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status?: { readonly code: number; readonly message: string };
}

/** Takes spans as a collector does, by OTLP in JSON over real HTTP. */
export interface SpanCollector {
  readonly url: string;
  readonly spans: readonly CollectedSpan[];
  readonly resource: readonly CollectedAttribute[];
  readonly headers: Readonly<Record<string, unknown>>;
  /** What it answers from now on; default 200 and nothing said. */
  answer(status: number, body?: object): void;
  /** Waits until so many requests (spans without a parent of ours) have come; gives all spans by then. */
  reached(spans: number): Promise<readonly CollectedSpan[]>;
}

export async function aSpanCollector(): Promise<SpanCollector> {
  const spans: CollectedSpan[] = [];
  let resource: readonly CollectedAttribute[] = [];
  let headers: Readonly<Record<string, unknown>> = {};
  let [status, said]: [number, object] = [200, {}];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const text = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString();
      const { resourceSpans } = JSON.parse(text) as {
        readonly resourceSpans: readonly [
          {
            readonly resource: { readonly attributes: readonly CollectedAttribute[] };
            readonly scopeSpans: readonly [{ readonly spans: readonly CollectedSpan[] }];
          },
        ];
      };
      headers = { path: request.url, ...request.headers };
      resource = resourceSpans[0].resource.attributes;
      if (status === 200) spans.push(...resourceSpans[0].scopeSpans[0].spans);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(said));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    get resource() {
      return resource;
    },
    get headers() {
      return headers;
    },
    answer(next, body = {}) {
      [status, said] = [next, body];
    },
    async reached(count) {
      await expect.poll(() => spans.length, { timeout: 10_000, interval: 10 }).toBeGreaterThanOrEqual(count);
      return spans;
    },
  };
}

export const attributesOf = ({ attributes }: Pick<CollectedSpan, 'attributes'>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
