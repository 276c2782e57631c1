import type { ErrorObject } from 'ajv';
import type { ErrorBody } from '#contracts/errors';
import { AppError, isAppError, kindTable } from '../errors.ts';
import { httpErrors } from './http-errors.ts';
import { isStalled } from './receive-body.ts';
import { describeProblem } from './validation.ts';

export interface MappedError {
  readonly error: AppError;
  readonly status: number;
}

/**
 * Any thrown thing as an AppError with its status. What nobody declared is `INTERNAL`: its own text stays in the log,
 * for it was not written for the caller and may hold what they must not see. Coded `unavailable` and `timeout` errors
 * keep theirs: it says what to wait for.
 */
export function toAppError(thrown: unknown, limitBytes: number): MappedError {
  if (isAppError(thrown) && thrown.kind !== 'internal')
    return { error: thrown, status: isStalled(thrown) ? 408 : kindTable[thrown.kind].http };
  const { statusCode, code, message, validation, validationContext } = fieldsOf(thrown);
  if (Array.isArray(validation)) {
    const problem = describeProblem(validation[0] as ErrorObject | undefined, validationContext ?? 'body');
    return { error: httpErrors.REQUEST_INVALID(problem.message, problem), status: 400 };
  }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return { error: httpErrors.BODY_TOO_LARGE(limitBytes), status: 413 };
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return { error: httpErrors.MEDIA_TYPE_UNSUPPORTED(/: (.+)$/.exec(message)?.[1] ?? 'given'), status: 415 };
  if (code === 'FST_ERR_BAD_URL') return { error: httpErrors.PATH_MALFORMED(), status: 400 };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return { error: httpErrors.BODY_MALFORMED(message), status: statusCode };
  const internal = new AppError(
    isAppError(thrown) ? thrown.code : 'INTERNAL',
    'internal',
    'something failed inside the server; its log has the details under this request id',
    { cause: thrown },
  );
  return { error: internal, status: 500 };
}

export function toErrorBody(error: AppError, requestId: string): ErrorBody {
  const details = error.kind === 'internal' ? undefined : error.details;
  return {
    error: { code: error.code, message: error.message, ...(details !== undefined && { details }), requestId },
  };
}

interface ForeignError {
  readonly statusCode?: number;
  readonly code?: string;
  readonly message: string;
  readonly validation?: unknown;
  readonly validationContext?: string;
}

function fieldsOf(thrown: unknown): ForeignError {
  return thrown instanceof Error ? thrown : { message: String(thrown) };
}
