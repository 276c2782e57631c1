import { type ErrorKind, kindOfStatus } from '#contracts/error-kinds';

export interface TidemillErrorFacts {
  readonly code: string;
  readonly kind: ErrorKind;
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  /** Names the request in the server's log. */
  readonly requestId?: string | undefined;
  readonly details?: unknown;
  readonly cause?: unknown;
}

/** Every failure of a call. Decide by `code` or `kind`: `SERVER_UNREACHABLE` means that no answer came. */
export class TidemillError extends Error {
  override readonly name = 'TidemillError';
  readonly code: string;
  readonly kind: ErrorKind;
  readonly status: number;
  readonly requestId: string | undefined;
  readonly details: unknown;

  constructor(message: string, facts: TidemillErrorFacts) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = facts.code;
    this.kind = facts.kind;
    this.status = facts.status;
    this.requestId = facts.requestId;
    this.details = facts.details;
  }
}

/** By shape, not class: two copies of this package may meet in one program. */
export function isTidemillError(error: unknown, code?: string): error is TidemillError {
  return (
    error instanceof Error &&
    error.name === 'TidemillError' &&
    (code === undefined || (error as TidemillError).code === code)
  );
}

export function serverUnreachable(url: string, cause: unknown): TidemillError {
  const reason = reasonOf(cause);
  return new TidemillError(`no answer from ${url}${reason === '' ? '' : ` (${reason})`}: is the server running?`, {
    code: 'SERVER_UNREACHABLE',
    kind: 'unavailable',
    status: 0,
    cause,
  });
}

function reasonOf(cause: unknown): string {
  const inner: unknown = cause instanceof Error && cause.cause !== undefined ? cause.cause : cause;
  if (inner instanceof Error && 'code' in inner && typeof inner.code === 'string') return inner.code;
  return inner instanceof Error ? inner.message : '';
}

/** The error that an answer tells; a proxy's page or an empty body becomes one too. */
export async function errorOf(response: Response, what: string): Promise<TidemillError> {
  const { status } = response;
  const kind = kindOfStatus(status);
  const text = await response.text().catch(() => '');
  const told = readErrorBody(text);
  const requestId = told?.requestId ?? response.headers.get('x-request-id') ?? undefined;
  if (told !== undefined) return new TidemillError(told.message, { ...told, kind, status, requestId });
  const shown = text.replaceAll(/\s+/g, ' ').slice(0, 200);
  return new TidemillError(`${what}: status ${status}${shown === '' ? '' : `, ${shown}`}`, {
    code: `HTTP_${status}`,
    kind,
    status,
    requestId,
  });
}

interface ToldError {
  readonly code: string;
  readonly message: string;
  readonly requestId?: string;
  readonly details?: unknown;
}

function readErrorBody(text: string): ToldError | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: Partial<ToldError> };
    return typeof error?.code === 'string' && typeof error.message === 'string' ? (error as ToldError) : undefined;
  } catch {
    return undefined; // not ours: the caller shows the text
  }
}
