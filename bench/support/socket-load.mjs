// A closed loop on raw sockets, which costs less than any client: one request in flight a connection.
import { connect } from 'node:net';

/** The bytes of a whole HTTP request. */
export function httpRequest({ port, path, headers = 'content-type: application/json', body }) {
  const bytes = Buffer.from(body);
  const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${headers}\r\ncontent-length: ${bytes.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

/**
 * Sends `requests` in turn on each connection until the time is over. An answer is good when its status is 200 and it names
 * `expected`.
 */
export async function runSocketLoad({ port, requests, connections, seconds, expected }) {
  const latencies = [];
  let bad = 0;
  let stopped = false;
  const one = (index) =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.setNoDelay(true);
      let received = '';
      let next = index;
      let sentMs = 0;
      const send = () => {
        if (stopped) {
          socket.destroy();
          resolve();
          return;
        }
        sentMs = performance.now();
        socket.write(requests[next++ % requests.length]);
      };
      socket.on('connect', send);
      socket.on('error', () => {
        bad += 1;
        resolve();
      });
      socket.on('data', (chunk) => {
        received += chunk.latin1Slice();
        const head = received.indexOf('\r\n\r\n');
        if (head < 0) return;
        const length = Number(/content-length: (\d+)/i.exec(received)?.[1]);
        if (received.length < head + 4 + length) return;
        if (!received.startsWith('HTTP/1.1 200') || !received.includes(expected)) bad += 1;
        latencies.push(performance.now() - sentMs);
        received = '';
        send();
      });
    });
  const startedMs = performance.now();
  setTimeout(() => {
    stopped = true;
  }, seconds * 1000);
  await Promise.all(Array.from({ length: connections }, (_, index) => one(index)));
  const elapsed = (performance.now() - startedMs) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.floor(latencies.length * share)] ?? 0;
  return { perSecond: latencies.length / elapsed, requests: latencies.length, p50Ms: at(0.5), p99Ms: at(0.99), bad };
}
