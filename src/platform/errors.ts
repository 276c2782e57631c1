import { type ErrorKind, kindTable } from '#contracts/error-kinds';

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

/** Recognises by shape, not by class: errors cross package and worker borders. */
export function isAppError(error: unknown, code?: string): error is AppError {
  if (!(error instanceof Error) || !('code' in error) || !('kind' in error)) return false;
  if (typeof error.kind !== 'string' || !Object.hasOwn(kindTable, error.kind)) return false;
  return code === undefined || error.code === code;
}

/** The known name that a mistyped one most likely means, for "did you mean"; undefined when none is near. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(wanted, candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Optimal string alignment distance (a swap of neighbours counts one); stops early at `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length] ?? limit;
}
