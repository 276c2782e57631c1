import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isAlive, startTimeInStat, startTimeOf } from './process-identity.ts';
import { scrubEnvironment } from './scrub-environment.ts';
import {
  findProcess,
  readExit,
  type StartedProcess,
  signalGroup,
  startProcess,
  watchExit,
  wrapCommand,
} from './supervised-process.ts';

const env = { PATH: process.env['PATH'] ?? '' };

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-process-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function start(...command: [string, ...string[]]): Promise<StartedProcess> {
  const folder = await temporaryFolder();
  const started = await startProcess({ command, cwd: folder, env, folder: join(folder, 'attempt') });
  onTestFinished(() => void signalGroup(started.pid, 'SIGKILL'));
  return started;
}

const never = new AbortController().signal;
const log = (folder: string) => readFile(join(folder, 'output.log'), 'utf8');

/** Resolves once the log holds a text: the way to know how far a child has come. */
async function logged(folder: string, text: string): Promise<void> {
  while (!(await log(folder)).includes(text)) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('a supervised process', () => {
  test('writes its output to the log and its exit to a file', async () => {
    const { folder } = await start('sh', '-c', 'echo out; echo err >&2; exit 3');
    const exit = await watchExit(folder, never);
    expect(exit).toMatchObject({ outcome: 'exited', code: 3 });
    expect(exit.outcome === 'exited' && Math.abs(Date.now() - exit.endedAtMs) < 5_000).toBe(true);
    expect(await readExit(folder)).toEqual(exit);
    expect(await log(folder)).toBe('out\nerr\n');
    expect(await readdir(folder)).toEqual(['exit.json', 'output.log', 'process']);
  });

  test('gets its arguments as they are, its folder, its environment and nothing of ours', async () => {
    const folder = await temporaryFolder();
    const script =
      'console.log(JSON.stringify([process.argv.slice(1), process.cwd(), Object.keys(process.env).sort()]))';
    await startProcess({
      command: [process.execPath, '-e', script, '$HOME "quoted"', '; rm -rf *'],
      cwd: folder,
      env: { PATH: env.PATH, TIDEMILL_X: '1' },
      folder: join(folder, 'attempt'),
    });
    await watchExit(join(folder, 'attempt'), never);
    const [args, cwd, names] = JSON.parse(await log(join(folder, 'attempt'))) as [string[], string, string[]];
    expect(args).toEqual(['$HOME "quoted"', '; rm -rf *']);
    expect(cwd).toBe(folder);
    expect(names.filter((name) => !['PWD', 'OLDPWD', '_', 'SHLVL'].includes(name))).toEqual(['PATH', 'TIDEMILL_X']);
  });

  test('that is asked to end may clean up, and says by which signal it went when it does not', async () => {
    const polite = await start('sh', '-c', 'trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.01; done');
    await logged(polite.folder, 'up');
    signalGroup(polite.pid, 'SIGTERM');
    expect(await watchExit(polite.folder, never)).toMatchObject({ outcome: 'exited', code: 0 });
    expect(await log(polite.folder)).toContain('bye');

    const plain = await start('sh', '-c', 'echo up; exec sleep 60');
    await logged(plain.folder, 'up');
    signalGroup(plain.pid, 'SIGTERM');
    expect(await watchExit(plain.folder, never)).toMatchObject({ outcome: 'signalled', signal: 'SIGTERM' });
  });

  test('is killed with everything it started, and is lost when its wrapper was killed too', async () => {
    const { pid, folder } = await start('sh', '-c', 'sleep 60 & echo "child $!"; wait');
    await logged(folder, 'child');
    const child = Number(/child (\d+)/.exec(await log(folder))?.[1]);
    const childStart = startTimeOf(child) ?? '';
    expect(isAlive(child, childStart)).toBe(true);
    signalGroup(pid, 'SIGKILL');
    expect(await watchExit(folder, never)).toEqual({ outcome: 'lost' });
    while (isAlive(child, childStart)) await new Promise((resolve) => setTimeout(resolve, 5));
    const nobody = 2 ** 30; // above every possible pid
    expect(signalGroup(nobody, 'SIGKILL')).toBe(false);
  });

  test('outlives the process that started it and is adopted by another', async () => {
    const folder = await temporaryFolder();
    const attempt = join(folder, 'attempt');
    await mkdir(attempt);
    // node cannot load TypeScript, so a bare parent starts the very command line that startProcess would
    const [program, ...args] = wrapCommand(attempt, ['sh', '-c', 'sleep 0.3; exit 7']);
    const parent = spawn(process.execPath, [
      '-e',
      `require('child_process').spawn(${JSON.stringify(program)}, ${JSON.stringify(args)}, { detached: true }); setInterval(() => {}, 1e6)`,
    ]);
    while ((await findProcess(attempt)) === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    const adopted = await findProcess(attempt);
    expect(adopted !== undefined && isAlive(adopted.pid, adopted.startTime)).toBe(true);
    expect(await watchExit(attempt, never)).toMatchObject({ outcome: 'exited', code: 7 });
  });

  test('recorded by its wrapper is the one that was started', async () => {
    const started = await start('sh', '-c', 'echo up; exec sleep 60');
    await logged(started.folder, 'up');
    expect(started).toMatchObject((await findProcess(started.folder)) ?? {});
    expect(await findProcess(started.folder)).toBeDefined();
    expect(isAlive(started.pid, started.startTime)).toBe(true);
    expect(isAlive(started.pid, 'another/1')).toBe(false);
  });

  test('that cannot be found exits 127 with the reason in its log; a missing folder is an error at once', async () => {
    const { folder } = await start('tidemill-no-such-program');
    expect(await watchExit(folder, never)).toMatchObject({ outcome: 'exited', code: 127 });
    expect(await log(folder)).toContain('not found');
    const started = startProcess({ command: ['true'], cwd: join(folder, 'absent'), env, folder });
    await expect(started).rejects.toMatchObject({ code: 'PROCESS_NOT_STARTED' });
  });

  test('has ended once its exit file holds the whole line, not before', async () => {
    const { folder, pid } = await start('sleep', '60');
    const file = join(folder, 'exit.json');
    await writeFile(file, '{"status":1');
    expect(await readExit(folder)).toBeUndefined();
    const waiting = watchExit(folder, never);
    await writeFile(file, '{"status":12}\n');
    expect(await waiting).toMatchObject({ outcome: 'exited', code: 12 });
    await writeFile(file, '');
    signalGroup(pid, 'SIGKILL');
    expect(await watchExit(folder, never)).toEqual({ outcome: 'lost' });
  });

  test('may be waited for in vain: the wait ends when it is aborted', async () => {
    const { folder } = await start('sleep', '60');
    const controller = new AbortController();
    const waiting = watchExit(folder, controller.signal);
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  test('whose name holds parentheses and spaces has a readable start time', () => {
    const fields = Array.from({ length: 30 }, (_, index) => String(index + 3));
    expect(startTimeInStat(`12 (a) (b c) S ${fields.slice(1).join(' ')}`)).toMatch(/\/22$/);
    expect(startTimeInStat(`12 (a) Z ${fields.slice(1).join(' ')}`)).toBeUndefined();
  });
});

test('a scrubbed environment keeps what programs need and adds what it is given', () => {
  const scrubbed = scrubEnvironment(
    { PATH: '/bin', LC_ALL: 'C', AWS_SECRET_ACCESS_KEY: 'x', TIDEMILL_TOKEN: 'y', HOME: undefined },
    { TIDEMILL_PARAMS: '{}' },
  );
  expect(scrubbed).toEqual({ PATH: '/bin', LC_ALL: 'C', TIDEMILL_PARAMS: '{}' });
});
