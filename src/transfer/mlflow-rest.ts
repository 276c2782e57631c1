import type { Readable } from 'node:stream';
import { Readable as NodeReadable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { Json } from './json.ts';
import { TransferError } from './transfer-error.ts';

/** What MLflow's own clients read of the environment. */
export type Credentials = Readonly<Record<string, string | undefined>>;

/** MLflow's REST API, of any age. */
export interface MlflowRest {
  /** The address without a password. */
  readonly label: string;
  get(path: string, query?: Readonly<Record<string, string | number | readonly string[]>>): Promise<Json>;
  post(path: string, body: Json, method?: 'POST' | 'PATCH'): Promise<Json>;
  /** Undefined where the server does not know the call: it is older. */
  tryGet(path: string, query: Readonly<Record<string, string | number | readonly string[]>>): Promise<Json | undefined>;
  tryPost(path: string, body: Json, headers?: Readonly<Record<string, string>>): Promise<Json | undefined>;
  download(path: string): Promise<Readable>;
  upload(path: string, body: Readable, sizeBytes: number): Promise<void>;
}

const attempts = 5;
const base = '/api/2.0/mlflow';
/** Before a path: the newer calls. */
export const mlflow3 = '/api/3.0/mlflow';

/** Codes with which a server says that it does not know a call. */
const unknownCall = (status: number, code: string): boolean =>
  status === 405 || status === 501 || (status === 404 && code !== 'RESOURCE_DOES_NOT_EXIST');

class RestError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** True for a failure of that code of MLflow's. */
export const isMlflowError = (error: unknown, code: string): boolean =>
  error instanceof TransferError && error.cause instanceof RestError && error.cause.code === code;

export function createMlflowRest(
  address: string,
  { environment, signal }: { readonly environment: Credentials; readonly signal: AbortSignal },
): MlflowRest {
  const url = new URL(address);
  const [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  url.username = '';
  url.password = '';
  const root = url.href.replace(/\/+$/, '');
  const headers = authorize({
    ...environment,
    ...(user !== '' && { MLFLOW_TRACKING_USERNAME: user, MLFLOW_TRACKING_PASSWORD: password }),
  });

  async function send(
    path: string,
    init: Omit<RequestInit, 'headers'> & {
      readonly headers?: Readonly<Record<string, string>>;
      readonly duplex?: 'half';
    },
  ): Promise<Response> {
    for (let attempt = 1; ; attempt += 1) {
      const last = attempt === attempts || (init.body !== undefined && typeof init.body !== 'string');
      try {
        const response = await fetch(root + path, { ...init, headers: { ...headers, ...init.headers }, signal });
        if (response.ok) return response;
        const failure = await toFailure(response);
        if (last || ![408, 429, 502, 503, 504].includes(failure.status)) throw failure;
      } catch (error) {
        if (signal.aborted) throw error;
        if (error instanceof RestError) throw asTransferError(error, root + path);
        if (last) {
          const why = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
          throw new TransferError('SOURCE_UNREACHABLE', 'unavailable', `${root} does not answer: ${why}`, {
            cause: error,
          });
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** attempt));
    }
  }

  async function get(
    path: string,
    query: Readonly<Record<string, string | number | readonly string[]>> = {},
  ): Promise<Json> {
    const search = new URLSearchParams();
    for (const [key, value] of Object.entries(query))
      for (const item of Array.isArray(value) ? (value as readonly string[]) : [value])
        search.append(key, String(item));
    const response = await send(`${toPath(path)}${search.size > 0 ? `?${search.toString()}` : ''}`, {});
    return (await response.json()) as Json;
  }

  async function post(
    path: string,
    body: Json,
    method = 'POST',
    more: Readonly<Record<string, string>> = {},
  ): Promise<Json> {
    const response = await send(toPath(path), {
      method,
      headers: { 'content-type': 'application/json', ...more },
      body: JSON.stringify(body),
    });
    // OTLP may answer in protobuf, which says nothing
    return response.headers.get('content-type')?.includes('json') === true ? ((await response.json()) as Json) : {};
  }

  return {
    label: root,
    get,
    tryGet: (path, query) => orUnknown(get(path, query)),
    post,
    tryPost: (path, body, more) => orUnknown(post(path, body, 'POST', more)),
    async download(path) {
      const response = await send(`/api/2.0/mlflow-artifacts/artifacts/${encodePath(path)}`, {});
      return NodeReadable.fromWeb((response.body ?? new Blob([]).stream()) as ReadableStream<Uint8Array>);
    },
    async upload(path, body, sizeBytes) {
      await send(`/api/2.0/mlflow-artifacts/artifacts/${encodePath(path)}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/octet-stream', 'content-length': String(sizeBytes) },
        body: NodeReadable.toWeb(body),
        duplex: 'half',
      });
    },
  };
}

/** Undefined instead of the failure of a server that does not know the call. */
async function orUnknown(answer: Promise<Json>): Promise<Json | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof TransferError && error.cause instanceof RestError) {
      const { status, code } = error.cause;
      if (unknownCall(status, code)) return undefined;
    }
    throw error;
  }
}

const toPath = (path: string): string => (/^\/(?:api|v1)\//.test(path) ? path : base + path);

const encodePath = (path: string): string => path.split('/').map(encodeURIComponent).join('/');

function authorize(environment: Credentials): Record<string, string> {
  const {
    MLFLOW_TRACKING_USERNAME: user,
    MLFLOW_TRACKING_PASSWORD: password,
    MLFLOW_TRACKING_TOKEN: token,
  } = environment;
  const workspace = environment['MLFLOW_WORKSPACE'];
  const more: Record<string, string> = workspace === undefined ? {} : { 'x-mlflow-workspace': workspace };
  if (user !== undefined)
    return { ...more, authorization: `Basic ${Buffer.from(`${user}:${password ?? ''}`).toString('base64')}` };
  return token === undefined ? more : { ...more, authorization: `Bearer ${token}` };
}

async function toFailure(response: Response): Promise<RestError> {
  const text = await response.text();
  try {
    const body = JSON.parse(text) as { error_code?: string; message?: string };
    return new RestError(response.status, body.error_code ?? '', body.message ?? text.slice(0, 300));
  } catch {
    return new RestError(response.status, '', text.slice(0, 300));
  }
}

function asTransferError(error: RestError, url: string): TransferError {
  const denied = error.status === 401 || error.status === 403;
  return new TransferError(
    denied ? 'SOURCE_DENIED' : 'SOURCE_REFUSED',
    denied ? 'unauthenticated' : 'conflict',
    denied
      ? `${url} wants a user: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN`
      : `${url} answered ${error.status} ${error.code}: ${error.message}`,
    { cause: error },
  );
}
