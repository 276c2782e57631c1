// One small GET after the other until it is told to stop; reports how long they took. A process of its own, so that
// nothing else that is measured delays it.
//   fork('bench/support/pings.mjs', [url])   → send anything to stop it; it sends { calls, p50Ms, p99Ms, mostMs }
import { Agent, get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

const [url] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const betweenMs = 5; // it must not become a load of its own
const latencies = [];
let stopped = false;
process.once('message', () => (stopped = true));
process.once('disconnect', () => process.exit()); // whoever asked is gone

const ask = () =>
  new Promise((resolve, reject) => {
    get(url, { agent }, (answer) => answer.resume().once('end', resolve)).once('error', reject);
  });

while (!stopped) {
  const start = performance.now();
  await ask();
  latencies.push(performance.now() - start);
  await delay(betweenMs);
}
agent.destroy();
latencies.sort((a, b) => a - b);
const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
process.send({ calls: latencies.length, p50Ms: at(0.5), p99Ms: at(0.99), mostMs: latencies.at(-1) }, () =>
  process.disconnect(),
);
