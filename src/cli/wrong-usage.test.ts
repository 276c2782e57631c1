import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { expect, onTestFinished, test } from 'vitest';
import { inCommandWords } from './field-words.ts';
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

test('a value that no server would take is refused as wrong usage, with what it must be', async () => {
  for (const [line, said] of [
    ['project create bad/name', "invalid for argument 'name'. It must be a name of letters, digits"],
    [
      'purge --older-than 5',
      "option '--older-than <duration>' argument '5' is invalid. It must be a duration, such as 30d",
    ],
    [
      'token create ci --expires-at tomorrow',
      'It must be a point in time, such as 2027-01-31T12:00:00Z, or how long from',
    ],
    ['webhook create https://h.example --types alert.opened,nosuch', '"nosuch" is none of project.goal.changed'],
    ['webhook create h.example --types alert.opened', 'It must be an address of http:// or https://'],
    ['--project a/b model list', '--project is "a/b"; it must be a name of letters'],
  ] as const) {
    const { code, out, err } = await runLine(line, { environment: { TIDEMILL_URL: 'http://127.0.0.1:1' } });
    expect([line, code, out]).toEqual([line, 2, '']);
    expect(err).toContain(said);
  }
});

test('what the server alone can refuse is said with the name of the option or the argument', () => {
  expect(inCommandWords('query/olderThan must match pattern "^(?:\\d+(?:ms|s|m|h|d|w))+$"')).toBe(
    '--older-than must be a duration, such as 30d or 12h',
  );
  expect(inCommandWords('body/types/0 must be one of a, b')).toBe('--types must be one of a, b');
  expect(inCommandWords('path/name must match pattern "^x$"')).toBe('<name> must be a text like ^x$');
  expect(inCommandWords('body/expiresAt must match format "date-time"')).toContain(
    '--expires-at must be a point in time',
  );
  expect(inCommandWords('body has the unknown field "x"')).toBe('body has the unknown field "x"');
});

test('the help of a command below a noun is had both ways, with the choices of an option that takes several', async () => {
  const asked = await runLine('help webhook create');
  expect(asked).toEqual(await runLine('webhook create --help'));
  expect(asked).toMatchObject({ code: 0, out: expect.stringMatching(/--types <values\.\.\.>.*"alert\.opened"/s) });
});
