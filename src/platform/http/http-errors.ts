import type { Permission } from '#contracts/operation';
import { defineErrors } from '../errors.ts';

/** Errors that the HTTP edge itself answers with. */
export const httpErrors = defineErrors({
  REQUEST_INVALID: {
    kind: 'invalid',
    message: (problem: string, _details: unknown) => problem,
    details: (_problem: string, details: unknown) => details,
    help: 'The message names the part of the request and what was expected; /api/v1/openapi.json has every schema.',
  },
  BODY_MALFORMED: {
    kind: 'invalid',
    message: (problem: string) => `the request body cannot be read: ${problem}`,
  },
  PATH_MALFORMED: {
    kind: 'invalid',
    message: () => 'the path holds a broken percent escape',
  },
  PROJECTS_DIFFER: {
    kind: 'invalid',
    message: (prefix: string, header: string, given: string) =>
      `the address names the project "${prefix}" and the header ${header} "${given.slice(0, 120)}"; send one of them, or the same in both`,
  },
  PROJECT_HEADER_INVALID: {
    kind: 'invalid',
    message: (header: string, given: string) =>
      `the header ${header} names a project, which "${given.slice(0, 120)}" cannot`,
  },
  BODY_TOO_LARGE: {
    kind: 'too_large',
    message: (limitBytes: number) => `the request body is larger than the ${limitBytes} bytes allowed here`,
    help: 'Upload large content as an artifact and send its digest, or raise TIDEMILL_BODY_LIMIT_BYTES.',
  },
  MEDIA_TYPE_UNSUPPORTED: {
    kind: 'invalid',
    message: (given: string) => `the content type ${given} is not understood here; send application/json`,
  },
  ROUTE_NOT_FOUND: {
    kind: 'not_found',
    message: (method: string, path: string) => `there is nothing at ${method} ${path}`,
    help: 'See /api/v1/openapi.json for the paths; a project is addressed by /projects/<project> in front of one.',
  },
  HOST_NOT_ALLOWED: {
    kind: 'forbidden',
    message: (host: string) =>
      `this server does not answer to the host name "${host}"; start it with --allowed-hosts ${host || '<name>'} when it should`,
    help: 'Protects a server on this machine from web pages that point their own name at it (DNS rebinding).',
  },
  ORIGIN_NOT_ALLOWED: {
    kind: 'forbidden',
    message: (origin: string) => `a page of ${origin} may not change anything here`,
    help: 'Only pages of this very server may send changes from a browser; programs send no Origin header.',
  },
  IDEMPOTENCY_KEY_INVALID: {
    kind: 'invalid',
    message: () => 'an Idempotency-Key is 1 to 255 visible ASCII characters; send a new UUID for each new request',
  },
  IDEMPOTENCY_KEY_REUSED: {
    kind: 'conflict',
    message: () => 'this Idempotency-Key came with another request before; send a new key with each new request',
    help: 'A key names one request: the same operation, path and body. It is forgotten after 24 hours.',
  },
  IDEMPOTENCY_ANSWER_LOST: {
    kind: 'conflict',
    message: () =>
      'the request with this Idempotency-Key has been carried out, but it failed or the server ended before its answer was kept; look at what is there before you send it again with a new key',
  },
  IDEMPOTENCY_ANSWER_SECRET: {
    kind: 'conflict',
    message: () =>
      'the request with this Idempotency-Key has been carried out; its answer holds a secret and was shown once. Take back what it made, and send it again with a new key',
  },
  IDEMPOTENCY_OVERTAKEN: {
    kind: 'conflict',
    message: () =>
      'the request with this Idempotency-Key is being carried out by a later try; ask again for its answer',
  },
  PERMISSION_DENIED: {
    kind: 'forbidden',
    message: (principal: string, permission: Permission, project: string) =>
      `${principal} has no "${permission}" permission in project "${project}"; ask an admin of the project for the role`,
  },
});
