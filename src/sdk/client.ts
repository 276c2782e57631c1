import { kindTable } from '#contracts/error-kinds';
import type { OperationArguments, OperationResult, OperationShape } from '#contracts/operation';
import { errorOf, isTidemillError, serverUnreachable } from './errors.ts';
import { parseServerEvents, type ServerEvent, type StreamOptions } from './event-stream.ts';

export interface ClientOptions {
  /** Where the server is: `http://127.0.0.1:7878`. */
  readonly url: string;
  /** Default: the project `default`. */
  readonly project?: string;
  /** Sent as a bearer token. */
  readonly token?: string;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
  /**
   * How often a request is sent again when no answer came or the server said "later". Default 2. What changes something
   * carries an `Idempotency-Key`, so that it is done once all the same.
   */
  readonly retries?: number;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
  /** Names the request over restarts of the caller: sent again with it within a day, it is done once. Default: a new one. */
  readonly idempotencyKey?: string;
  /** What the server calls the request in its log, and in the `cause` of what follows from it. Default: the server's own. */
  readonly requestId?: string;
}

export interface Client {
  readonly url: string;
  readonly project: string | undefined;
  /** Calls an operation of the own API; its types are the operation's. Throws TidemillError. */
  call<const O extends OperationShape>(
    operation: O,
    args: OperationArguments<O>,
    options?: RequestOptions,
  ): Promise<OperationResult<O>>;
  /** Raw bytes and foreign protocols; the path is inside the project. Throws TidemillError unless the status is 2xx. */
  request(path: string, init?: RequestInit & { readonly duplex?: 'half' }): Promise<Response>;
  /** Server-sent events, for ever unless aborted: a broken connection is made again from the last event's id. */
  stream(path: string, options?: StreamOptions): AsyncGenerator<ServerEvent>;
  /** The same server with another project. */
  inProject(project: string): Client;
}

/** A client over any fetch; paths and bodies come from the operations, no code is generated. */
export function createClient(options: ClientOptions): Client {
  const { project, token, retries = 2 } = options;
  const base = options.url.replace(/\/+$/, '');
  const prefix = project === undefined ? base : `${base}/projects/${encodeURIComponent(project)}`;
  const fetchOnce = options.fetch ?? globalThis.fetch;
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };

  async function sendOnce(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    for (const [name, value] of Object.entries(authorization)) headers.set(name, value);
    const url = prefix + path;
    const response = await fetchOnce(url, { ...init, headers }).catch((error: unknown) => {
      if (init.signal?.aborted === true) throw error;
      throw serverUnreachable(base, error);
    });
    if (!response.ok) throw await errorOf(response, `${init.method ?? 'GET'} ${url}`);
    return response;
  }

  async function request(path: string, init: RequestInit = {}): Promise<Response> {
    return await send((init.method ?? 'GET') === 'GET' ? retries + 1 : 1, path, init); // only a read may safely arrive twice
  }

  async function send(attempts: number, path: string, init: RequestInit): Promise<Response> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await sendOnce(path, init);
      } catch (error) {
        if (attempt >= attempts || !isRetryable(error)) throw error;
        await delay(backoffMs(attempt), init.signal ?? undefined);
      }
    }
  }

  async function call<const O extends OperationShape>(
    operation: O,
    args: OperationArguments<O>,
    { signal, idempotencyKey, requestId }: RequestOptions = {},
  ): Promise<OperationResult<O>> {
    const parts: { params?: object; query?: object; body?: unknown } = args;
    const { method } = operation;
    // a DELETE that arrives twice is answered that nothing is there
    const keyed = method === 'POST' || method === 'PATCH';
    const response = await send(method === 'DELETE' ? 1 : retries + 1, pathOf(operation, parts.params, parts.query), {
      method,
      headers: {
        ...(parts.body !== undefined && { 'content-type': 'application/json' }),
        ...(requestId !== undefined && { 'x-request-id': requestId }),
        ...(keyed && { 'idempotency-key': idempotencyKey ?? crypto.randomUUID() }),
      },
      ...(signal !== undefined && { signal }),
      ...(parts.body !== undefined && { body: JSON.stringify(parts.body) }),
    });
    if (response.status === 204) return null as OperationResult<O>;
    return (await response.json()) as OperationResult<O>;
  }

  async function* stream(path: string, streamOptions: StreamOptions = {}): AsyncGenerator<ServerEvent> {
    const { signal, reconnect = true } = streamOptions;
    let { lastEventId } = streamOptions;
    for (let failures = 0; ; ) {
      try {
        const response = await sendOnce(path, {
          headers: { accept: 'text/event-stream', ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) },
          ...(signal !== undefined && { signal }),
        });
        for await (const event of parseServerEvents(response.body ?? new ReadableStream())) {
          failures = 0;
          lastEventId = event.id ?? lastEventId;
          yield event;
        }
      } catch (error) {
        if (signal?.aborted === true) return;
        const broken = !isTidemillError(error) || isRetryable(error);
        if (!reconnect || !broken || (failures === 0 && lastEventId === undefined && isTidemillError(error)))
          throw error;
      }
      if (!reconnect || signal?.aborted === true) return;
      failures += 1;
      await delay(backoffMs(failures), signal).catch(() => undefined);
    }
  }

  return {
    url: base,
    project,
    call,
    request,
    stream,
    inProject: (name) => createClient({ ...options, project: name }),
  };
}

function pathOf(operation: OperationShape, params: object = {}, query: object = {}): string {
  const values = new Map<string, unknown>(Object.entries(params));
  const path = operation.path.replaceAll(/:(\w+)/g, (_, key: string) => encodeURIComponent(String(values.get(key))));
  const search = new URLSearchParams();
  type Plain = string | number | boolean | undefined;
  for (const [key, value] of Object.entries(query) as [string, Plain | readonly Plain[]][])
    for (const item of Array.isArray(value) ? value : [value]) if (item !== undefined) search.append(key, String(item));
  return search.size === 0 ? path : `${path}?${search.toString()}`;
}

function isRetryable(error: unknown): boolean {
  return isTidemillError(error) && kindTable[error.kind].retryable;
}

/** Doubling from 100 ms to 5 s, each shortened by up to half so that many clients do not come back at once. */
function backoffMs(attempt: number): number {
  return Math.min(5_000, 100 * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);
}

async function delay(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', abort, { once: true });
  });
}
