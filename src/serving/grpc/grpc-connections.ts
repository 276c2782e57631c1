import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { grpcErrors } from './grpc-errors.ts';

/** The connections of the gRPC listener: taken here and handed over, so that there is a limit and each can be cut. */
export interface GrpcConnections {
  /** Takes the address; gives its port. GRPC_NOT_LISTENING */
  listen(host: string, port: number): Promise<number>;
  /** Ends the connection of a client, which `getPeer()` of a call names. */
  readonly cut: (peer: string) => void;
  /** Takes no more of them. */
  close(): void;
}

export function createGrpcConnections(server: Server, maxConnections: number): GrpcConnections {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Map<string, Socket>();

  const listener = createServer({ noDelay: true }, (socket) => {
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    sockets.set(peer, socket);
    socket.on('close', () => sockets.delete(peer));
    injector.injectConnection(socket);
  });
  listener.maxConnections = maxConnections;

  return {
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        listener.once('error', (error) => reject(grpcErrors.GRPC_NOT_LISTENING(host, port, error.message)));
        listener.listen(port, host, () => resolve((listener.address() as AddressInfo).port));
      }),
    cut: (peer) => void sockets.get(peer)?.destroy(),
    close: () => void listener.close(),
  };
}
