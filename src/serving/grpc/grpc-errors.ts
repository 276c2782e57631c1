import { defineErrors } from '#platform/errors';

export const grpcErrors = defineErrors({
  GRPC_NOT_LISTENING: {
    kind: 'conflict',
    message: (host: string, port: number, reason: string) =>
      `port ${port} on ${host} cannot be listened on for gRPC (${reason}); choose another with --grpc-port, or off`,
  },
  MESSAGE_MALFORMED: {
    kind: 'invalid',
    message: (reason: string) => `the call is not gRPC: ${reason}`,
  },
  CALL_NOT_SUPPORTED: {
    kind: 'invalid',
    message: (reason: string) => reason,
    help: 'Over gRPC the status is UNIMPLEMENTED.',
  },
});
