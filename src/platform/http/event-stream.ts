import type { FastifyReply } from 'fastify';

export interface EventStreamMessage {
  /** Position in the source; the browser sends the last one back as `Last-Event-ID` when it connects again. */
  readonly id?: string;
  readonly event?: string;
  readonly data: unknown;
}

/** Server-sent events to one reader. */
export interface EventStream {
  /** Where the reader stopped last time; undefined on its first connection. */
  readonly lastEventId: string | undefined;
  /** Aborts when the reader goes away or the server stops. */
  readonly signal: AbortSignal;
  send(message: EventStreamMessage): void;
  /** Tells the reader that messages are missing and that it should read the whole state again. */
  reset(): void;
  close(): void;
}

export interface EventStreamOptions {
  /** Default 15 s: shorter than the idle limits of common proxies. */
  readonly heartbeatMs?: number;
  /** What may wait for a slow reader before messages are dropped and it gets `reset`. Default 256 KiB. */
  readonly maxBufferedBytes?: number;
}

/**
 * Turns the answer into a stream of server-sent events. Live updates are ephemeral: a reader that cannot keep up does
 * not slow the server nor grow its memory; it loses messages and is told so by one `reset` event once it reads again.
 */
export function openEventStream(reply: FastifyReply, options: EventStreamOptions = {}): EventStream {
  const { heartbeatMs = 15_000, maxBufferedBytes = 256 * 1024 } = options;
  const raw = reply.raw;
  const { openStreams } = reply.request.tidemill;
  const controller = new AbortController();
  let lagging = false;

  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  raw.flushHeaders();

  const write = (text: string) => {
    if (controller.signal.aborted || lagging) return;
    if (raw.writableLength > maxBufferedBytes) {
      lagging = true;
      raw.once('drain', () => {
        lagging = false;
        stream.reset();
      });
      return;
    }
    raw.write(text);
  };
  const heartbeat = setInterval(() => write(':\n\n'), heartbeatMs);
  heartbeat.unref();

  const lastEventId = reply.request.headers['last-event-id'];
  const stream: EventStream = {
    lastEventId: typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : undefined,
    signal: controller.signal,
    send: (message) => write(formatMessage(message)),
    reset: () => write('event: reset\ndata: {}\n\n'),
    close() {
      if (controller.signal.aborted) return;
      controller.abort();
      clearInterval(heartbeat);
      openStreams.delete(stream);
      raw.end();
    },
  };
  openStreams.add(stream);
  raw.once('close', () => stream.close());
  return stream;
}

function formatMessage({ id, event, data }: EventStreamMessage): string {
  const head = `${id === undefined ? '' : `id: ${oneLine(id)}\n`}${event === undefined ? '' : `event: ${oneLine(event)}\n`}`;
  return `${head}data: ${JSON.stringify(data ?? null)}\n\n`; // JSON has no line breaks, so one data line is enough
}

function oneLine(text: string): string {
  return text.replaceAll(/[\r\n\0]/g, ' ');
}
