import type { GrpcCall } from './grpc-call.ts';

/** Calls that last: a server that stops waits for all that is open, so each is told to come to its end. */
export interface OpenStreams {
  /** `end` answers what is under way and ends the call. */
  add(call: GrpcCall, end: () => void): void;
  end(): void;
}

export function createOpenStreams(): OpenStreams {
  const open = new Map<GrpcCall, () => void>();
  return {
    add(call, end) {
      open.set(call, end);
      call.onOver(() => open.delete(call));
    },
    end() {
      for (const end of open.values()) end();
    },
  };
}
