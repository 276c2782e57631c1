// Load on raw sockets, which costs less than any client: one request in flight a connection, as fast as it goes or at a pace.
import { connect } from 'node:net';

/** The bytes of a whole HTTP request. */
export function httpRequest({ port, path, headers = 'content-type: application/json', body }) {
  const bytes = Buffer.from(body);
  const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${headers}\r\ncontent-length: ${bytes.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

const reconnectMs = 100;

/**
 * Sends `requests` in turn on each connection until the time is over. An answer is good when its status is 200 and it names
 * `expected`. With `perSecond` so many are sent a second, and `behind` says how many were not sent in time; else each
 * connection sends the next one when it has its answer. `hear` is given the text of each good answer, `tell` figures of each
 * `everyMs`. A connection that breaks counts as bad and is opened again.
 */
export async function runSocketLoad(options) {
  const { port, requests, connections, seconds, expected, perSecond, hear, tell, everyMs = 10_000 } = options;
  const latencies = [];
  const idle = [];
  let toldUpTo = 0;
  let sent = 0;
  let bad = 0;
  let stopped = false;
  const startedMs = performance.now();
  const due = () => ((performance.now() - startedMs) / 1000) * perSecond;

  function open(index, ended) {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    let received = '';
    let next = index;
    let sentMs = 0;
    let isOver = false;
    const end = () => {
      isOver = true;
      socket.destroy();
      ended();
    };
    const send = () => {
      if (isOver) return;
      if (stopped) return end();
      if (perSecond !== undefined && sent >= due()) return void idle.push(send);
      sent += 1;
      sentMs = performance.now();
      socket.write(requests[next++ % requests.length]);
    };
    socket.on('connect', send);
    socket.on('error', () => undefined); // 'close' follows
    socket.on('close', () => {
      if (isOver) return;
      isOver = true;
      bad += 1;
      if (stopped) ended();
      else setTimeout(open, reconnectMs, index, ended);
    });
    socket.on('data', (chunk) => {
      received += chunk.latin1Slice();
      const head = received.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1]);
      if (received.length < head + 4 + length) return;
      if (!received.startsWith('HTTP/1.1 200') || !received.includes(expected)) bad += 1;
      else hear?.(received);
      latencies.push(performance.now() - sentMs);
      received = '';
      send();
    });
  }

  function release() {
    for (let count = idle.length; count > 0 && (stopped || sent < due()); count -= 1) idle.shift()();
  }

  const pace = perSecond && setInterval(release, 1);
  const teller =
    tell &&
    setInterval(() => {
      const recent = latencies.slice(toldUpTo).sort((a, b) => a - b);
      toldUpTo = latencies.length;
      tell({ requests: latencies.length, bad, p50Ms: at(recent, 0.5), p99Ms: at(recent, 0.99) });
    }, everyMs);
  setTimeout(() => {
    stopped = true;
    release();
  }, seconds * 1000);
  await Promise.all(Array.from({ length: connections }, (_, index) => new Promise((ended) => open(index, ended))));
  clearInterval(pace);
  clearInterval(teller);
  const elapsed = (performance.now() - startedMs) / 1000;
  latencies.sort((a, b) => a - b);
  return {
    perSecond: latencies.length / elapsed,
    requests: latencies.length,
    p50Ms: at(latencies, 0.5),
    p99Ms: at(latencies, 0.99),
    bad,
    ...(perSecond !== undefined && { behind: Math.max(0, Math.round(seconds * perSecond) - sent) }),
  };
}

const at = (sorted, share) => sorted[Math.floor(sorted.length * share)] ?? 0;
