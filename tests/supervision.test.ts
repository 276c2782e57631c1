import { expect, test } from 'vitest';
import { listAlerts } from '../src/contracts/alerts.ts';
import { runTidemill } from './support/command-line.ts';
import { startPair } from './support/running-server.ts';

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
