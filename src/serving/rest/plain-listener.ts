import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { keepAliveMs, PlainConnection, type PlainDeps } from './plain-connection.ts';

const sweepMs = 5_000;

/** Connections that are read here and not by node:http, of a server that is node:http's. */
export interface PlainListener {
  /** Those under way stay. */
  closeIdle(): void;
  closeAll(): void;
}

/** Takes each new connection of a server before node:http does, which gets those that send anything but plain requests. */
export function listenForPlain(
  server: Server,
  deps: Omit<PlainDeps, 'handOver' | 'dateLine'> & { readonly nowMs: () => number },
): PlainListener {
  const connections = new Set<PlainConnection>();
  const native = server.listeners('connection') as ((this: Server, socket: Socket) => void)[];
  server.removeAllListeners('connection');
  let second = 0;
  let dateLine = '';
  const settings: PlainDeps = {
    ...deps,
    handOver: (socket) => native.forEach((listen) => listen.call(server, socket)),
    dateLine() {
      const now = Math.floor(deps.nowMs() / 1_000);
      if (now !== second) {
        second = now;
        dateLine = `date: ${new Date(now * 1_000).toUTCString()}\r\n`;
      }
      return dateLine;
    },
  };
  server.on('connection', (socket: Socket) => {
    const connection = new PlainConnection(socket, settings, () => connections.delete(connection));
    connections.add(connection);
  });

  const timer = setInterval(() => {
    const nowMs = performance.now();
    for (const connection of connections) {
      const quietMs = nowMs - connection.activeMs;
      if (connection.isWaiting && quietMs > sweepMs)
        connection.leave(); // node:http has times for heads and bodies
      else if (connection.isIdle && quietMs > keepAliveMs) connection.end();
    }
  }, sweepMs);
  timer.unref();
  server.on('close', () => clearInterval(timer));

  return {
    closeIdle() {
      for (const connection of connections) if (connection.isIdle) connection.end();
    },
    closeAll() {
      for (const connection of connections) connection.destroy();
    },
  };
}
