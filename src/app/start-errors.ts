import { defineErrors, withCause } from '#platform/errors';

/** Why `up` does not start, each in one sentence that says how to mend it. */
export const startErrors = defineErrors({
  PORT_IN_USE: {
    kind: 'conflict',
    message: (host: string, port: number) =>
      `port ${port} on ${host} is in use; choose another with --port, or end what listens there`,
  },
  ADDRESS_UNUSABLE: {
    kind: 'invalid',
    message: (host: string, port: number, reason: string) =>
      `${host}:${port} cannot be listened on (${reason}); choose an address of this machine with --host and a port with --port`,
  },
  DATA_PLANE_NOT_STARTED: {
    kind: 'conflict',
    message: (host: string, port: number, log: string) =>
      `the data plane did not start on ${host}:${port}: is the port in use? Choose another with --serving-port; ${log} says more`,
  },
  HOME_UNUSABLE: {
    kind: 'invalid',
    message: (home: string, reason: string) =>
      `the home folder ${home} cannot be written (${reason}): correct its owner and mode, or choose another with --home`,
  },
  DISK_FULL: {
    kind: 'internal',
    message: (home: string) =>
      `the disk that holds ${home} is full: free some space, or choose a folder on another disk with --home`,
  },
});

const fullCodes = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'SQLITE_FULL']);
const unwritableCodes = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ELOOP', 'ENAMETOOLONG']);
const addressCodes = new Set(['EADDRNOTAVAIL', 'EACCES', 'ENOTFOUND', 'EAI_AGAIN', 'EINVAL', 'EAFNOSUPPORT']);

/** A failure of the start as one sentence, when it is one of the machine's; else the failure itself. */
export function explainStart(
  error: unknown,
  place: { readonly home: string; readonly host: string; readonly port: number },
): unknown {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code, syscall } = at as NodeJS.ErrnoException;
    if (code === undefined) continue;
    if (syscall === 'listen' || syscall === 'getaddrinfo') {
      if (code === 'EADDRINUSE') return withCause(startErrors.PORT_IN_USE(place.host, place.port), error);
      if (addressCodes.has(code)) return withCause(startErrors.ADDRESS_UNUSABLE(place.host, place.port, code), error);
    }
    if (fullCodes.has(code)) return withCause(startErrors.DISK_FULL(place.home), error);
    if (syscall !== undefined && unwritableCodes.has(code))
      return withCause(startErrors.HOME_UNUSABLE(place.home, at.message), error);
  }
  return error;
}
