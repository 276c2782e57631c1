import { defineErrors, nearestName } from '#platform/errors';

export const predictionsErrors = defineErrors({
  ENDPOINT_UNKNOWN: {
    kind: 'not_found',
    message: (endpoint: string, known: readonly string[]) => {
      const near = nearestName(endpoint, known);
      return `no revision of a deployment "${endpoint}" has been made yet${near === undefined ? '' : `; did you mean "${near}"?`}`;
    },
    help: 'A deployment has predictions once a version of its model is deployed; see `tidemill deployments list`.',
  },
  PREDICTION_NOT_FOUND: {
    kind: 'not_found',
    message: (id: string) => `there is no prediction ${id} in the log of this project`,
    help: 'Its record may still be in the spool of the data plane: it arrives within seconds.',
  },
  TRUTH_INVALID: {
    kind: 'invalid',
    message: (index: number, problem: string) => `truths[${index}]: ${problem}`,
  },
  TRUTH_BUSY: {
    kind: 'unavailable',
    message: (endpoint: string) => `other truth of "${endpoint}" is being recorded all the time; try again`,
  },
  SPOOL_FRAME_BAD: {
    kind: 'invalid',
    message: (offset: number, why: string) =>
      `the delivery cannot be read at offset ${offset}: ${why}. Send whole frames, beginning with the offset named in the address`,
  },
  SPOOL_ADDRESS_INVALID: {
    kind: 'invalid',
    message: (problem: string) =>
      `${problem}; a delivery is PUT to /data-plane/replicas/<replica>/spool/<epoch>?from=<offset>`,
  },
  SPOOL_REPLICA_FORBIDDEN: {
    kind: 'forbidden',
    message: (replica: string) =>
      `this token does not speak for replica "${replica}" or for the projects of its records`,
  },
  SPOOL_TOO_LARGE: {
    kind: 'too_large',
    message: (maxBytes: number) => `a delivery holds ${maxBytes} bytes at most; send it in parts`,
  },
  INTAKE_BUSY: {
    kind: 'rate_limited',
    message: () => 'enough deliveries are being taken in; send this one again in a moment',
  },
  LOG_CHANGED: {
    kind: 'conflict',
    message: (endpoint: string) => `the log of "${endpoint}" changed meanwhile; try again`,
  },
  LOG_ROWS_LOST: {
    kind: 'internal',
    message: (day: string, expected: number, found: number) =>
      `compacting ${day} read ${found} rows where the manifest says ${expected}; nothing was changed`,
  },
});
