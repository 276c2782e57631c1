import { describe, expect, test } from 'vitest';
import { runCommand } from './run-command.ts';

const env = { PATH: process.env['PATH'] ?? '' };

describe('a short command', () => {
  test('gives its output, its last lines and its code', async () => {
    const lines: string[] = [];
    const result = await runCommand(['sh', '-c', 'echo one; echo two; exit 4'], {
      env,
      onLine: (line) => lines.push(line),
    });
    expect(result).toMatchObject({ code: 4, timedOut: false, stdout: 'one\ntwo\n', tail: ['one', 'two'] });
    expect(lines).toEqual(['one', 'two']);
  });

  test('that takes too long is killed with what it started', async () => {
    const result = await runCommand(['sh', '-c', 'sleep 60 & sleep 60'], { env, timeoutMs: 50 });
    expect(result).toMatchObject({ code: undefined, signal: 'SIGKILL', timedOut: true });
  });

  test('ends when it is aborted', async () => {
    const controller = new AbortController();
    const onLine = () => controller.abort(new Error('enough'));
    const running = runCommand(['sh', '-c', 'echo up; sleep 60'], { env, signal: controller.signal, onLine });
    await expect(running).rejects.toThrow('enough');
  });

  test('that does not exist says so', async () => {
    const running = runCommand(['tidemill-no-such-program'], { env });
    await expect(running).rejects.toMatchObject({ code: 'PROCESS_NOT_STARTED' });
  });
});
