import { type ErrorKind, kindTable } from '#contracts/error-kinds';

export { nearestName } from '#contracts/nearest-name';

export { type ErrorKind, kindTable };

export interface AppErrorOptions {
  /** Structured facts for programs; shown to the caller, so nothing secret. */
  readonly details?: unknown;
  /** The failure behind this one; logged, never shown. */
  readonly cause?: unknown;
}

/** The one error of the program. The message says what, where and how to mend it; `code` is stable. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: string;
  readonly kind: ErrorKind;
  readonly details?: unknown;

  constructor(code: string, kind: ErrorKind, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.kind = kind;
    if (options.details !== undefined) this.details = options.details;
  }
}

export interface ErrorDefinition {
  readonly kind: ErrorKind;
  readonly message: (...args: never[]) => string;
  /** Structured facts, from the same arguments as the message. */
  readonly details?: (...args: never[]) => unknown;
  /** How to mend it, for docs/errors.md. */
  readonly help?: string;
}

/** Makes one coded error; carries its definition so that docs/errors.md can be printed. */
export interface ErrorFactory<Args extends readonly unknown[] = readonly never[]> {
  (...args: Args): AppError;
  readonly code: string;
  readonly kind: ErrorKind;
  readonly help: string | undefined;
}

/** Declares a module's coded errors; the key is the code. `throw datasetErrors.DATASET_NOT_FOUND(name)`. */
export function defineErrors<const D extends Readonly<Record<string, ErrorDefinition>>>(
  definitions: D,
): { readonly [K in keyof D]: ErrorFactory<Parameters<D[K]['message']>> } {
  const factories = Object.entries(definitions).map(([code, { kind, message, details, help }]) => {
    const create = (...args: never[]) => {
      const error = new AppError(code, kind, message(...args), details && { details: details(...args) });
      Error.captureStackTrace(error, create); // the stack starts where the error is thrown, not here
      return error;
    };
    return [code, Object.assign(create, { code, kind, help })];
  });
  return Object.fromEntries(factories) as { readonly [K in keyof D]: ErrorFactory<Parameters<D[K]['message']>> };
}

/** The same coded error with the failure behind it attached for the log. */
export function withCause(error: AppError, cause: unknown): AppError {
  return Object.assign(error, { cause });
}

/** What people are told of a failure: what is no error of ours says nothing to them, the log has it. */
export function reasonOf(error: unknown): string {
  return isAppError(error) ? error.message : 'the server made a mistake, which its log tells';
}

/** Recognises by shape, not by class: errors cross package and worker borders. */
export function isAppError(error: unknown, code?: string): error is AppError {
  if (!(error instanceof Error) || !('code' in error) || !('kind' in error)) return false;
  if (typeof error.kind !== 'string' || !Object.hasOwn(kindTable, error.kind)) return false;
  return code === undefined || error.code === code;
}
