import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { ReplicaReport } from '#contracts/replica-report';
import { createLogger } from '#platform/log';
import { createControlClient } from './control-client.ts';
import { createReporter } from './reporter.ts';

test('while a report waits for its answer those that are asked for meanwhile make one, of the moment it is sent', async () => {
  const gate = new EventEmitter();
  const taken: number[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    taken.push((JSON.parse(Buffer.concat(chunks).toString()) as ReplicaReport).sequence);
    if (taken.length === 1) {
      gate.emit('first');
      await once(gate, 'open');
    }
    response.writeHead(204).end();
  };
  const server = createServer((request, response) => void take(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = createControlClient({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: undefined,
  });
  onTestFinished(async () => {
    client.close();
    await new Promise((resolve) => server.close(resolve));
  });
  let sequence = 0;
  const reporter = createReporter({
    client,
    replica: 'r',
    build: () => ({ sequence }) as ReplicaReport,
    everyMs: 3_600_000,
    logger: createLogger({ level: 'silent' }),
  });
  const arrived = once(gate, 'first');
  const first = reporter.reportNow();
  await arrived;
  const later = Array.from({ length: 20 }, () => {
    sequence += 1;
    return reporter.reportNow();
  });
  gate.emit('open');
  await Promise.all([first, ...later]);
  expect(taken).toEqual([0, 20]);
});
