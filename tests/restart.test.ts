import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { startRun } from '../src/contracts/pipelines.ts';
import { createProject } from '../src/contracts/projects.ts';
import { collect, startTidemill } from './support/command-line.ts';
import { startPair } from './support/running-server.ts';
import { serveModel } from './support/served-model.ts';

const testTimeoutMs = 180_000;
const inTimeMs = 5_000;

describe('a stop of both planes', () => {
  test(
    'ends in time although a data plane, a tail of events and a waiting call hold their connections open',
    async () => {
      const pair = await startPair();
      const model = await serveModel(pair);
      const tail = startTidemill(['events', 'tail', '--json', '--home', pair.home, '--project', 'flights']);
      const said = collect(tail);
      let heard = '';
      tail.stdout?.on('data', (chunk: Buffer) => (heard += chunk.toString()));
      const train = () => model.client().call(startRun, { params: { name: 'train' }, body: {} });
      const wait = fetch(`${pair.url()}/projects/flights/api/v1/deployments/late?wait=60`);
      await expect
        .poll(
          async () => {
            await train();
            return heard.length; // the tail takes a moment to connect
          },
          { timeout: 30_000, interval: 500 },
        )
        .toBeGreaterThan(0);

      const began = performance.now();
      await pair.stop();
      expect(performance.now() - began).toBeLessThan(inTimeMs);
      expect((await wait).status).toBe(200); // what waits is answered with what is there
      expect(await pair.dataPlanePid()).toBeUndefined();

      await pair.up();
      const before = heard.length;
      // the new data plane listens before its model is loaded
      await expect.poll(() => model.ask().catch(String), { timeout: 30_000, interval: 100 }).toMatch(/^[0-9a-f-]{36}$/);
      await model.flush();
      await train();
      await expect.poll(() => heard.length, { timeout: 30_000 }).toBeGreaterThan(before);
      tail.kill('SIGINT');
      await said;
    },
    testTimeoutMs,
  );

  test(
    'answers a request that is under way',
    async () => {
      const pair = await startPair();
      await pair.client().call(createProject, { body: { name: 'slow' } });
      // a body that is still on its way when the stop begins
      const { port } = new URL(pair.url());
      const body = JSON.stringify({ goal: { statement: 'Warn in time.' } });
      const socket = connect(Number(port), '127.0.0.1');
      socket.write(
        `PUT /projects/slow/api/v1/goal HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
      );
      socket.write(body.slice(0, 10));
      await delay(300); // until the server has read the head; a later arrival would only make the test weaker
      const stopped = pair.stop();
      await expect.poll(() => pair.dataPlanePid(), { timeout: 20_000 }).toBeUndefined();
      socket.write(body.slice(10));
      const answer = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
      const answered = performance.now();
      await stopped;
      expect(performance.now() - answered).toBeLessThan(inTimeMs);
      await pair.up();
      const { goal } = (await (await fetch(`${pair.url()}/api/v1/projects/slow`)).json()) as { goal: object };
      expect(goal).toMatchObject({ statement: 'Warn in time.' });
    },
    testTimeoutMs,
  );

  test(
    'waits only so long for a request that never ends',
    async () => {
      const pair = await startPair([], { TIDEMILL_STOP_TIMEOUT_MS: '500' });
      const { port } = new URL(pair.url());
      const socket = connect(Number(port), '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(
        'PUT /api/v1/goal HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
      );
      await delay(300);
      const began = performance.now();
      await pair.stop();
      expect(performance.now() - began).toBeLessThan(inTimeMs);
    },
    testTimeoutMs,
  );
});
