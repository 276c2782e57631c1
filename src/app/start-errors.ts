import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
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
    message: (host: string, port: number, grpcPort: number | 'off', log: string) =>
      `the data plane did not start on ${host}:${port}${
        grpcPort === 'off' ? '' : ` and, for gRPC, ${grpcPort}`
      }: is a port in use? Choose others with --serving-port and --grpc-port; ${log} says more`,
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
const unwritableDatabase = /^SQLITE_(READONLY|CANTOPEN|PERM)/;
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
    const reason = whyUnwritable(at);
    if (reason !== undefined) return withCause(startErrors.HOME_UNUSABLE(place.home, reason), error);
  }
  return error;
}

/** Why something could not be written, in the words of the system; undefined for a failure of another kind. */
export function whyUnwritable(error: Error): string | undefined {
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  if (code === undefined) return undefined;
  if (unwritableDatabase.test(code)) return `${code}: ${error.message}`;
  if (syscall === undefined) return undefined;
  if (unwritableCodes.has(code)) return error.message;
  // Node's recursive mkdir says on a read-only file system that there is no such folder: the folder above says why
  if (code !== 'ENOENT' || syscall !== 'mkdir' || path === undefined) return undefined;
  let above = dirname(path);
  while (!existsSync(above)) above = dirname(above);
  try {
    accessSync(above, constants.W_OK);
    return undefined;
  } catch (denied) {
    return denied instanceof Error ? denied.message : undefined;
  }
}
