import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { expect, onTestFinished, test } from 'vitest';
import { runLine } from './testing/run-line.ts';

test('an argument that is no value of its field is refused in words, and as JSON when JSON is asked for', async () => {
  for (const wrong of ['latest', '1.5', '-1', '0'])
    for (const line of [`model set-alias fraud prod ${wrong}`, `prompt set-alias greeting prod ${wrong}`]) {
      const plain = await runLine(line);
      expect([line, plain.code, plain.out]).toEqual([line, 2, '']);
      expect(plain.err).toMatch(/'(latest|1\.5|-1|0)' is invalid for argument 'version'\. It must be (a whole|1 or)/);
      const json = await runLine(`${line} --json`);
      expect(JSON.parse(json.err)).toMatchObject({
        error: { code: 'USAGE', message: expect.stringContaining("for argument 'version'") },
      });
    }
});

test('what a command refuses itself is said too', async () => {
  const entries = [
    {
      name: 'fail',
      summary: 'fails',
      examples: ['fail'],
      load: async () => () =>
        new Command('fail').action(() => {
          throw new InvalidArgumentError('It must be blue.');
        }),
    },
  ];
  expect(await runLine('fail', { entries })).toEqual({ code: 2, out: '', err: 'error It must be blue.\n' });
  expect(JSON.parse((await runLine('fail --json', { entries })).err)).toEqual({
    error: { code: 'USAGE', message: 'It must be blue.' },
  });
});

test('an export goes to a folder or a server: another address is refused before anything is written', async () => {
  const cwd = await mkdtemp(join(tmpdir(), 'tidemill-export-'));
  onTestFinished(() => rm(cwd, { recursive: true }));
  for (const [to, way] of [
    ['sqlite:///back.db', 'mlflow migrate-filestore'],
    ['postgresql://user:secret@db/mlflow', 'mlflow server --backend-store-uri'],
    ['ftp://there/mlruns', '--to takes a folder'],
    ['s3://bucket/mlruns', '--to takes a folder'],
  ] as const) {
    const { code, out, err } = await runLine(`export mlflow --to ${to} --url http://127.0.0.1:1`, { cwd });
    expect([to, code, out]).toEqual([to, 2, '']);
    expect(err).toContain(way);
    expect(err).not.toContain('secret');
  }
  // what is taken gets as far as the server
  for (const to of ['./mlruns', 'file:///tmp/mlruns', 'http://127.0.0.1:1'])
    expect(await runLine(`export mlflow --to ${to} --url http://127.0.0.1:1`, { cwd })).toMatchObject({ code: 6 });
  expect(await readdir(cwd)).toEqual([]);
});
