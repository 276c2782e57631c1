/** Transport-neutral kinds of failure. No TypeBox here: the CLI and the SDK load this file on every start. */
export const errorKinds = [
  'invalid',
  'unauthenticated',
  'forbidden',
  'not_found',
  'conflict',
  'too_large',
  'rate_limited',
  'unavailable',
  'timeout',
  'internal',
] as const;
export type ErrorKind = (typeof errorKinds)[number];

/** What a kind of failure means on each way out of the program. */
export interface KindMeaning {
  readonly http: number;
  /** Status code of gRPC (https://grpc.io/docs/guides/status-codes/). */
  readonly grpc: number;
  /** Exit code of the CLI: 1 failed, 2 usage, 3 not found, 4 not allowed, 5 conflict, 6 server unreachable. */
  readonly exit: number;
  /** Whether the same request may succeed when it is sent again unchanged. */
  readonly retryable: boolean;
}

/** The one table from kind to HTTP status, gRPC status, exit code and retryability. HTTP statuses are distinct, so that a client can map back. */
export const kindTable: Readonly<Record<ErrorKind, KindMeaning>> = {
  invalid: { http: 400, grpc: 3, exit: 2, retryable: false },
  unauthenticated: { http: 401, grpc: 16, exit: 4, retryable: false },
  forbidden: { http: 403, grpc: 7, exit: 4, retryable: false },
  not_found: { http: 404, grpc: 5, exit: 3, retryable: false },
  conflict: { http: 409, grpc: 10, exit: 5, retryable: false },
  too_large: { http: 413, grpc: 8, exit: 1, retryable: false },
  rate_limited: { http: 429, grpc: 8, exit: 1, retryable: true },
  unavailable: { http: 503, grpc: 14, exit: 6, retryable: true },
  timeout: { http: 504, grpc: 4, exit: 1, retryable: true },
  internal: { http: 500, grpc: 13, exit: 1, retryable: false },
};

/** The kind behind an HTTP status, also for statuses that the table does not hold (502 of a proxy, 415). */
export function kindOfStatus(status: number): ErrorKind {
  const exact = errorKinds.find((kind) => kindTable[kind].http === status);
  if (exact !== undefined) return exact;
  if (status === 502) return 'unavailable';
  return status >= 500 ? 'internal' : 'invalid';
}
