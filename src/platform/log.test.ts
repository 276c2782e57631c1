import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createLogger } from './log.ts';

function collect() {
  const lines: Record<string, unknown>[] = [];
  return { lines, stream: { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) } };
}

test('a line is JSON with a readable level and time, and hides secret fields', () => {
  const { lines, stream } = collect();
  const logger = createLogger({ destination: stream, name: 'control' });
  logger.info({ headers: { authorization: 'Bearer x' }, token: 't', user: 'ada' }, 'asked');
  logger.debug('not written at this level');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({
    level: 'info',
    name: 'control',
    msg: 'asked',
    user: 'ada',
    token: '[redacted]',
    headers: { authorization: '[redacted]' },
  });
  expect(Date.parse(String(lines[0]?.['time']))).toBeGreaterThan(0);
});

test('known secret values are masked wherever they stand in the line', () => {
  const { lines, stream } = collect();
  const logger = createLogger({ destination: stream, mask: (line) => line.replaceAll('hunter2', '***') });
  logger.warn({ error: new Error('login with hunter2 failed') }, 'hunter2');
  expect(JSON.stringify(lines)).not.toContain('hunter2');
});

test('a file is written at once and its folder is made', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-log-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'logs', 'control.log');
  createLogger({ destination: { file } }).error({ code: 'X' }, 'failed');
  expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ level: 'error', code: 'X', msg: 'failed' });
});
