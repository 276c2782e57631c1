import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { builtModule } from '../../src/platform/testing/built-program.ts';

const seconds = 20;
/** Beside it `tidemill up`, a measure of the peak, and the log that is waited for and read. */
const testMs = 180_000;
/** Of the data plane, whatever the machine; with one small model and the load on it is some 140 MB. */
const mostMb = 300;

beforeAll(async () => void (await builtModule('cli/main.js')), testMs);

test(
  'half of the peak for 20 seconds: no request fails, the memory stays, and the log has each answered prediction once',
  async () => {
    const args = ['--seconds', String(seconds), '--every', '5', '--peak-seconds', '2', '--json'];
    const { stdout } = await promisify(execFile)(process.execPath, [resolve('bench/serving-soak.mjs'), ...args]);
    const { requests, answered, mostPssMb, ...found } = JSON.parse(stdout) as Readonly<Record<string, number>>;
    expect(found).toMatchObject({ bad: 0, logged: answered, twice: 0, sameIds: true });
    expect(requests).toBeGreaterThan(seconds);
    expect(mostPssMb).toBeGreaterThan(0);
    expect(mostPssMb).toBeLessThan(mostMb);
  },
  testMs,
);
