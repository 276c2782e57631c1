import { servingHeaders } from '#contracts/serving';
import { isAppError, kindTable } from '#platform/errors';
import type { Logger } from '#platform/log';
import { findFailedInference } from '../inference.ts';
import { type CallStatus, type Names, status } from './status-codes.ts';

/** What is not there at all has a status of its own, which no kind of error has. */
const unimplemented: ReadonlySet<string> = new Set([
  'CALL_NOT_SUPPORTED',
  'MODELS_ARE_MANAGED',
  'MODELS_ARE_FIXED',
  'MODEL_OVERRIDE_NOT_YET',
]);
/** A status travels in a header, which peers limit to some 8 KiB; percent-encoded, a character may take nine bytes. */
const maxDetailsLength = 800;

/** The status of a failure. What we did not foresee stays in the log: the caller hears that it happened. */
export function toStatus(error: unknown, logger: Logger): CallStatus {
  const known = isAppError(error) ? error : undefined;
  if (known === undefined) logger.error({ err: error }, 'a gRPC call failed unexpectedly');
  const code =
    known === undefined
      ? status.INTERNAL
      : unimplemented.has(known.code)
        ? status.UNIMPLEMENTED
        : kindTable[known.kind].grpc;
  const failed = error instanceof Error ? findFailedInference(error) : undefined;
  return {
    code,
    details: toDetails(known?.message ?? 'the server failed; its log says why'),
    ...(failed !== undefined && { names: namesOf(failed.predictionId, failed.revision) }),
  };
}

/** Half of a pair of surrogates, as a cut leaves it, cannot be sent. */
function toDetails(message: string): string {
  if (message.length <= maxDetailsLength) return message;
  return `${message.slice(0, maxDetailsLength).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

/** By which an answer names its prediction and the revision that made it, as the headers of REST do. */
export const namesOf = (predictionId: string, revision: string): Names => [
  [servingHeaders.predictionId, predictionId],
  [servingHeaders.revision, revision.replace(/[^ -~]/g, '?')], // what a header may not hold
];
