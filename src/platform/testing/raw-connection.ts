import { connect } from 'node:net';
import { onTestFinished } from 'vitest';

/** A connection on which anything can be said, ended with the test. */
export function talkTo(port: number) {
  const socket = connect(port, '127.0.0.1');
  let received = Buffer.alloc(0);
  let wake: (() => void) | undefined;
  let ended = false;
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    wake?.();
  });
  socket.on('error', () => undefined); // the server ends it
  const closed = new Promise<void>((resolve) =>
    socket.once('close', () => {
      ended = true;
      wake?.();
      resolve();
    }),
  );
  onTestFinished(() => void socket.destroy());

  /** The next answer on the connection. */
  async function answer(): Promise<{ readonly status: number; readonly body: string }> {
    for (;;) {
      const headEnd = received.indexOf('\r\n\r\n');
      if (headEnd >= 0) {
        const head = received.subarray(0, headEnd).toString();
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        const end = headEnd + 4 + length;
        if (received.length >= end) {
          const body = received.subarray(headEnd + 4, end).toString();
          received = received.subarray(end);
          return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), body };
        }
      }
      if (ended) throw new Error(`the connection ended before an answer: ${received.toString()}`);
      await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  const send = (bytes: string | Uint8Array) => void (socket.writable && socket.write(bytes));
  return {
    send,
    answer,
    closed,
    end: () => void socket.end(),
    async ask(line: string, body = '') {
      send(`${line}\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      return await answer();
    },
  };
}
