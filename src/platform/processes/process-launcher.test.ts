import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isAlive, startTimeOf } from './process-identity.ts';
import { createProcessLauncher, type ProcessLauncher } from './process-launcher.ts';
import { findProcess, readExit, type StartedProcess, signalGroup } from './supervised-process.ts';

const env = { PATH: process.env['PATH'] ?? '' };

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-launcher-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Who started the process of a folder, as its wrapper recorded it. */
function starterOf(folder: string): number {
  const stat = readFileSync(join(folder, 'process'), 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

/** A launcher that is ready, and its pid: until then processes are our own children. */
async function readyLauncher(options: { readonly idleMs?: number } = {}): Promise<{
  readonly launcher: ProcessLauncher;
  readonly pid: number;
  readonly direct: number;
}> {
  const launcher = createProcessLauncher(options);
  onTestFinished(() => launcher.stop());
  for (let direct = 0; ; direct += 1) {
    const folder = await temporaryFolder();
    const { gone } = await launcher.start({ command: ['true'], cwd: folder, env, folder });
    await gone;
    expect(await readExit(folder)).toMatchObject({ outcome: 'exited', code: 0 });
    const pid = starterOf(folder);
    if (pid !== process.pid) return { launcher, pid, direct };
  }
}

/** Runs until the file `go` is there, in a folder of its own. */
async function startWaiting(launcher: ProcessLauncher) {
  const folder = await temporaryFolder();
  const attempt = join(folder, 'attempt');
  const { gone } = await launcher.start({
    command: ['sh', '-c', 'while ! [ -e go ]; do sleep 0.01; done; exit 7'],
    cwd: folder,
    env,
    folder: attempt,
  });
  const started = await until(() => findProcess(attempt));
  onTestFinished(() => void signalGroup(started.pid, 'SIGKILL'));
  return { attempt, gone, started, finish: () => writeFileSync(join(folder, 'go'), '') };
}

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const untilGone = (pid: number): Promise<true> =>
  until(async () => (startTimeOf(pid) === undefined ? true : undefined));
const runs = ({ pid, startTime }: StartedProcess): boolean => isAlive(pid, startTime);

test('the first process is started directly, later ones by a small process, with the same result', async () => {
  const { launcher, pid, direct } = await readyLauncher();
  expect(direct).toBeGreaterThan(0);
  const folder = await temporaryFolder();
  const { gone } = await launcher.start({
    command: ['sh', '-c', 'echo "$1"; pwd; echo "$X" >&2; exit 3', 'sh', '$HOME "quoted"'],
    cwd: folder,
    env: { ...env, X: 'given' },
    folder: join(folder, 'attempt'),
  });
  await gone;
  expect(starterOf(join(folder, 'attempt'))).toBe(pid);
  expect(await readExit(join(folder, 'attempt'))).toMatchObject({ outcome: 'exited', code: 3 });
  expect(await readFile(join(folder, 'attempt', 'output.log'), 'utf8')).toBe(`$HOME "quoted"\n${folder}\ngiven\n`);
});

test('the small process inherits nothing of ours, and each process leads a session of its own', async () => {
  const { launcher, pid } = await readyLauncher();
  expect(readFileSync(`/proc/${pid}/environ`, 'latin1')).toBe('');
  const { started, gone, finish } = await startWaiting(launcher);
  const fields = readFileSync(`/proc/${started.pid}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ');
  expect([Number(fields[2]), Number(fields[3])]).toEqual([started.pid, started.pid]); // group, session
  finish();
  await gone;
});

test('what cannot be started is an error that says why', async () => {
  const { launcher } = await readyLauncher();
  const folder = await temporaryFolder();
  const started = launcher.start({ command: ['true'], cwd: join(folder, 'absent'), env, folder });
  await expect(started).rejects.toMatchObject({ code: 'PROCESS_NOT_STARTED' });
});

test('a killed launcher takes nothing with it: its processes go on, their end is seen, the next has a new one', async () => {
  const { launcher, pid } = await readyLauncher();
  const { attempt, gone, started, finish } = await startWaiting(launcher);
  process.kill(pid, 'SIGKILL');
  await untilGone(pid);
  expect(runs(started)).toBe(true);
  finish();
  await gone;
  expect(await readExit(attempt)).toMatchObject({ outcome: 'exited', code: 7 });
  const next = await startWaiting(launcher);
  next.finish();
  await next.gone;
  expect(await readExit(next.attempt)).toMatchObject({ outcome: 'exited', code: 7 });
});

test('a process asked for while the launcher dies is found by its folder, or lost', async () => {
  const { launcher, pid } = await readyLauncher();
  process.kill(pid, 'SIGSTOP'); // it will never read the request
  const folder = await temporaryFolder();
  const starting = launcher.start({ command: ['true'], cwd: folder, env, folder: join(folder, 'attempt') });
  process.kill(pid, 'SIGKILL');
  const { gone } = await starting;
  await gone;
  expect(await readExit(join(folder, 'attempt'))).toBeUndefined();
});

test('an idle launcher ends, and so does a stopped one; what runs goes on', async () => {
  const idle = await readyLauncher({ idleMs: 300 });
  await untilGone(idle.pid);

  const { launcher, pid } = await readyLauncher();
  const { started } = await startWaiting(launcher);
  await launcher.stop();
  expect(startTimeOf(pid)).toBeUndefined();
  expect(runs(started)).toBe(true);
});
