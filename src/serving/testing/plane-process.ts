import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { builtModule } from '#platform/testing/built-program';
import type { FakeControlPlane } from './fake-control-plane.ts';

/** The data plane as its own process, as it is shipped: what is measured or killed is it alone. */
export interface PlaneProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly url: string;
  readonly grpcAddress: string;
  /** Memory that it has in use now, in MB; 0 where the system does not tell. */
  readonly residentMb: () => number;
  /** SIGKILL; resolves when it is gone. */
  readonly kill: () => Promise<void>;
}

export async function startPlaneProcess(
  control: FakeControlPlane,
  home: string,
  more: readonly string[] = [],
): Promise<PlaneProcess> {
  const entry = fileURLToPath(await builtModule('serving/main.js'));
  const args = ['--control-url', control.url, '--home', home, '--port', '0', '--deliver-every-ms', '20'];
  const child = spawn(process.execPath, [entry, ...args, '--report-every-ms', '100', ...more], {
    env: { PATH: process.env['PATH'], TIDEMILL_POOL_TOKEN: control.token },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  onTestFinished(kill);
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('exit', (code) => reject(new Error(`the data plane ended with code ${code}`)));
  });
  const told = JSON.parse(line) as { readonly pid: number; readonly url: string; readonly grpcAddress: string };
  return { ...told, child, kill, residentMb: () => residentMb(told.pid) };
}

function residentMb(pid: number): number {
  if (process.platform !== 'linux') return 0;
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024;
}
