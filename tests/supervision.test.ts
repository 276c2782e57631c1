import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { listAlerts } from '../src/contracts/alerts.ts';
import { runTidemill } from './support/command-line.ts';
import { startPair } from './support/running-server.ts';
import { serveModel } from './support/served-model.ts';

const testTimeoutMs = 120_000;

test(
  'a data plane that keeps dying is started again on its port each time, status tells of it, and an incident opens',
  async () => {
    const pair = await startPair();
    const servingUrl = pair.servingUrl();
    const pids = new Set([await pair.dataPlanePid()]);
    for (let death = 1; death <= 3; death += 1) {
      await pair.killDataPlane();
      await expect.poll(() => pair.dataPlanePid(), { timeout: 30_000 }).toBeGreaterThan(0);
      pids.add(await pair.dataPlanePid());
    }
    expect(pids.size).toBe(4);
    expect((await fetch(`${servingUrl}/health/live`)).status).toBe(200);

    const { items } = await pair.client().call(listAlerts, { query: { state: 'open' } });
    expect(items).toMatchObject([
      {
        fingerprint: 'data-plane:local',
        severity: 'critical',
        subject: 'pool:default',
        evidence: { deathsInARow: 3, lastEnd: 'by SIGKILL' },
      },
    ]);
    const status = await runTidemill(['status', '--json', '--home', pair.home]);
    expect(JSON.parse(status.stdout)).toMatchObject({
      parts: expect.arrayContaining([
        expect.objectContaining({
          part: 'data plane',
          at: servingUrl,
          says: expect.stringMatching(/^died 3 times, last by SIGKILL at 2/),
        }),
      ]),
    });
  },
  testTimeoutMs,
);

test(
  'a data plane that was adopted after a crash of the control plane is watched as well',
  async () => {
    const pair = await startPair();
    const adopted = await pair.dataPlanePid();
    await pair.killControlPlane();
    await pair.up();
    expect(await pair.dataPlanePid()).toBe(adopted);
    await pair.killDataPlane();
    await expect.poll(() => pair.dataPlanePid(), { timeout: 30_000 }).toBeGreaterThan(0);
    await pair.stop();
    expect(await pair.dataPlanePid()).toBeUndefined();
  },
  testTimeoutMs,
);

test(
  'a data plane that was left behind is replaced when it is to listen elsewhere, and what it has answered is in the log',
  async () => {
    const pair = await startPair();
    const model = await serveModel(pair);
    const left = await pair.dataPlanePid();
    const before = pair.servingUrl();
    await pair.killControlPlane();
    const answered = await model.ask();

    const port = await freePort();
    await pair.up(['--serving-port', port]);
    expect(new URL(pair.servingUrl()).port).toBe(port);
    expect(await pair.dataPlanePid()).not.toBe(left);
    await expect(fetch(`${before}/health/live`)).rejects.toThrow('fetch failed');
    await expect.poll(() => model.ask().catch(String), { timeout: 30_000, interval: 100 }).toMatch(/^[0-9a-f-]{36}$/);
    await model.flush();
    expect((await model.logged()).get(answered)).toBe(1);
  },
  testTimeoutMs,
);

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return String(port);
}
