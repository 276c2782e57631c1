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
  PERMISSION_DENIED: {
    kind: 'forbidden',
    message: (principal: string, permission: Permission, project: string) =>
      `${principal} has no "${permission}" permission in project "${project}"; ask an admin of the project for the role`,
  },
});
