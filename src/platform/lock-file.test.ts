import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, expect, inject, test } from 'vitest';
import { AppError } from './errors.ts';
import { acquireLockFile } from './lock-file.ts';
import { startTimeOf } from './processes/process-identity.ts';

const refuse = (holder: string) => new AppError('LOCKED', 'conflict', `held by ${holder}`);
let path = '';
beforeEach(() => {
  path = join(mkdtempSync(join(inject('databaseFolder'), 'lock-')), 'thing.lock');
});
const filesLeft = () => readdirSync(dirname(path));

test('a lock is held until it is released', () => {
  const lock = acquireLockFile(path, refuse);
  expect(() => acquireLockFile(path, refuse)).toThrow(`held by process ${process.pid}`);
  expect(filesLeft()).toEqual(['thing.lock']);
  lock.release();
  lock.release();
  expect(filesLeft()).toEqual([]);
  acquireLockFile(path, refuse).release();
});

test('releasing never removes the lock of a successor', () => {
  const lock = acquireLockFile(path, refuse);
  const theirs = readFileSync(path, 'utf8').replace(/"token":"[^"]*"/, '"token":"other"');
  writeFileSync(path, theirs);
  lock.release();
  expect(readFileSync(path, 'utf8')).toBe(theirs);
});

test('a lock of a process that is gone is taken over', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const startedAt = startTimeOf(child.pid ?? 0);
  writeFileSync(path, `{"pid":${child.pid},"startedAt":"${startedAt}","token":"theirs"}\n`);
  expect(() => acquireLockFile(path, refuse)).toThrow(`held by process ${child.pid}`);

  child.kill('SIGKILL');
  await once(child, 'exit');
  acquireLockFile(path, refuse).release();
  expect(filesLeft()).toEqual([]);
});

test.each([
  ['whose pid was given to another process', `{"pid":${process.pid},"startedAt":"1","token":"t"}\n`],
  ['cut short by a crash', '{"pid":12'],
  ['that is empty', ''],
])('a lock %s is taken over', (_, text) => {
  writeFileSync(path, text);
  const lock = acquireLockFile(path, refuse);
  expect(readFileSync(path, 'utf8')).toContain(`"pid":${process.pid},`);
  lock.release();
  expect(filesLeft()).toEqual([]);
});
