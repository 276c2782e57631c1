import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { createToken } from '../src/contracts/identity.ts';
import { builtModule } from '../src/platform/testing/built-program.ts';
import { temporaryFolder } from './support/control-plane.ts';
import { startPair } from './support/running-server.ts';
import { serveModel } from './support/served-model.ts';

const program = fileURLToPath(new URL('../bin/tidemill', import.meta.url));
beforeAll(async () => void (await builtModule('cli/main.js')), 180_000);

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the real program in a folder, as a shell does. */
function tidemill(cwd: string, line: string, environment: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      program,
      line.split(' '),
      { cwd, env: { PATH: process.env['PATH'], ...environment } },
      (_error, out, err) => resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

const document = `project: flights
datasets:
  rows: { source: data/*.csv }
pipelines:
  good: { steps: { one: { run: 'true' } } }
  bad: { steps: { one: { run: 'echo broken >&2; exit 3' } } }
`;

test('the program tells how it went by its exit code, with data on standard output and talk on standard error', async () => {
  const pair = await startPair();
  const folder = join(pair.home, '..', 'flights');
  await mkdir(join(folder, 'data'), { recursive: true });
  await writeFile(join(folder, 'tidemill.yaml'), document);
  await writeFile(join(folder, 'data', '1.csv'), 'a,b\n1,x\n2,y\n');
  const run = (line: string, environment = {}) => tidemill(folder, line, { TIDEMILL_HOME: pair.home, ...environment });

  // 0: done
  const applied = await run('apply --wait --json');
  expect(applied).toMatchObject({ code: 0, err: '' });
  expect(JSON.parse(applied.out)).toMatchObject({
    changes: 3,
    landings: [{ dataset: 'rows', state: 'published', version: 1 }],
  });
  expect(await run('apply --wait')).toEqual({ code: 0, out: 'Nothing to change.\n', err: '' });
  await writeFile(join(folder, 'more.yaml'), document.replace('data/*.csv }', 'data/*.csv, time: a }'));
  expect(await run('diff --file more.yaml --exit-code')).toMatchObject({
    code: 1,
    out: expect.stringContaining('~ change dataset:rows\n    time: nothing → "a"\n'),
  });
  expect(await run('apply --file more.yaml')).toMatchObject({ out: 'Applied 1 change to project flights.\n' });
  // files that wait to be landed, and a source that no longer matches what was landed
  await writeFile(join(folder, 'data', '2.csv'), 'a,b\n3,z\n');
  const waiting = await run('diff --exit-code --file more.yaml');
  expect(waiting).toMatchObject({
    code: 0,
    out: 'No difference.\n+ land    dataset:rows: 1 new file (data/2.csv)\n',
  });
  await writeFile(join(folder, 'moved.yaml'), document.replace('data/*.csv', 'data/2*.csv'));
  const moved = JSON.parse((await run('diff --json --file moved.yaml')).out) as {
    readonly landings: readonly object[];
  };
  expect(moved.landings).toEqual([
    { dataset: 'rows', source: 'data/2*.csv', waiting: ['data/2.csv'], missing: ['data/1.csv'] },
  ]);
  expect((await run('diff --file moved.yaml')).out).toContain(
    '! refuse  dataset:rows: data/2*.csv matches no longer what was landed (data/1.csv): put back ',
  );
  for (const line of ['land rows --file moved.yaml', 'apply --file moved.yaml'])
    expect(await run(line)).toMatchObject({
      code: 5,
      err: expect.stringContaining(
        'the source of dataset "rows" was changed to data/2*.csv, which no longer matches data/1.csv, landed before: landed data stays, so let the source match',
      ),
    });
  await rm(join(folder, 'data', '2.csv'));
  await run('apply --file more.yaml');
  expect((await run('whoami')).out).toMatch(
    /^You are \S+; in project flights your role is admin: you may read, write, approve, admin\.$/m,
  );
  expect(await run('run good --wait')).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^Run \S+ of good: succeeded\n$/),
    err: expect.stringMatching(/one +succeeded/),
  });
  expect((await run('dataset list')).out).toBe('NAME\tVERSION\tROWS\tPARTS\tUNTIL\tINGESTING\nrows\t1\t2\t1\t-\tno\n');
  expect(await run('dataset list --quiet')).toEqual({ code: 0, out: 'rows\n', err: '' });

  // 1: the thing failed
  const failed = await run('run bad --wait');
  expect(failed).toMatchObject({ code: 1, out: expect.stringContaining('failed') });
  expect(failed.err).toMatch(/one +failed: .*3/);
  await writeFile(join(folder, 'broken.yaml'), 'project: flights\ndatsets: {}\n');
  expect(await run('apply --file broken.yaml')).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringContaining('broken.yaml:2:1: unknown key "datsets"'),
  });

  // 2: wrong usage
  expect(await run('aply')).toMatchObject({ code: 2, out: '', err: expect.stringContaining('Did you mean apply?') });
  expect(await run('run good --param x')).toMatchObject({ code: 2, err: expect.stringContaining('name=value') });
  expect(await run('apply --project other')).toMatchObject({ code: 2, err: expect.stringContaining('"flights"') });

  // 3: not found
  expect(await run('dataset show row')).toMatchObject({
    code: 3,
    out: '',
    err: 'error there is no dataset "row"; did you mean "rows"?\n',
  });
  expect(await run('run nothing')).toMatchObject({ code: 3 });
  expect(await run('land nothing')).toMatchObject({ code: 3 });
  expect(await run('lineage dataset:nothing@1')).toMatchObject({ code: 3 });

  // 4: not allowed
  const { token } = await pair
    .client()
    .inProject('flights')
    .call(createToken, { body: { name: 'looks', role: 'viewer' } });
  expect(await run('dataset list -q', { TIDEMILL_TOKEN: token })).toEqual({ code: 0, out: 'rows\n', err: '' });
  expect((await run('whoami', { TIDEMILL_TOKEN: token })).out).toContain('your role is viewer: you may read.');
  const denied = await run('apply --json', { TIDEMILL_TOKEN: token });
  expect(denied).toMatchObject({ code: 4, out: '' });
  expect(JSON.parse(denied.err)).toMatchObject({ error: { code: 'PERMISSION_DENIED' } });
  expect(await run('dataset list', { TIDEMILL_TOKEN: 'none of ours' })).toMatchObject({ code: 4 });

  // what the server made for itself is not in the list of tokens, unless all are asked for
  expect((await run('token list --quiet')).out.trim().split('\n')).toHaveLength(1);
  expect((await run('token list --all')).out).toContain('\treplica\tlocal\t');

  // 5: conflict
  expect(await run('project create flights')).toMatchObject({ code: 5, err: expect.stringContaining('flights') });

  // of a server that is named, from a folder that knows none
  const elsewhere = { TIDEMILL_HOME: join(folder, 'no-home') };
  const named = await run(`status --json --url ${pair.url()}`, elsewhere);
  expect(named).toMatchObject({ code: 0, err: '' });
  expect(JSON.parse(named.out)).toEqual({
    ready: true,
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    parts: [{ part: 'control plane', state: 'ready', at: pair.url(), says: expect.stringContaining('version') }],
  });
  expect((await run('status', { ...elsewhere, TIDEMILL_URL: pair.url() })).out).toContain(pair.url());
  expect(await run('status --url http://127.0.0.1:1')).toMatchObject({
    code: 6,
    out: expect.stringContaining('unreachable'),
  });

  // a killed control plane leaves its running.json
  await pair.killControlPlane();
  const killed = JSON.parse((await run('status --json')).out) as { readonly parts: readonly object[] };
  expect(killed.parts[0]).toEqual({
    part: 'control plane',
    state: 'not running',
    says: expect.stringContaining('tidemill up'),
  });
  await pair.up();

  // 6: the server cannot be reached
  await pair.stop();
  expect(await run('dataset list')).toMatchObject({ code: 6, out: '', err: expect.stringContaining('tidemill up') });
  expect(await run('dataset list --url http://127.0.0.1:1')).toMatchObject({ code: 6 });
  expect(await run('status')).toMatchObject({ code: 6 });
}, 120_000);

test('truth is told by options and from a file, and a webhook is changed', async () => {
  const pair = await startPair();
  const model = await serveModel(pair);
  const folder = await temporaryFolder();
  const run = (line: string) => tidemill(folder, `${line} --project flights`, { TIDEMILL_HOME: pair.home });
  const ids = [await model.ask(), await model.ask(), await model.ask()];
  await model.flush();
  const lineage = (await run('lineage model:late@champion')).out;
  expect(lineage).toMatch(/^led to$[\s\S]*revision:\S+ \(admitted\)$[\s\S]*… 1 of 3 predictions shown \(answered\)$/m);

  const told = await run(`prediction truth late --prediction ${ids[0]} --value true --json`);
  expect(told).toMatchObject({ code: 0, err: '' });
  expect(JSON.parse(told.out)).toEqual({ matched: 1, changed: 0, unchanged: 0, waiting: 0 });
  await writeFile(join(folder, 'truth.csv'), `prediction,value\n${ids[0]},0\n${ids[1]},1\nnobody-knows,1\n`);
  const many = await run('prediction truth late --file truth.csv');
  expect(many).toMatchObject({ code: 0, err: '' });
  expect(many.out).toMatch(/^matched: 1\nchanged: 1\nunchanged: 0\nwaiting: 1\n/);
  const shown = JSON.parse((await run(`prediction show ${ids[0]} --json`)).out) as object;
  expect(JSON.stringify(shown)).toContain('"truth":{"value":0');
  expect(await run('prediction truth late')).toMatchObject({ code: 2, err: expect.stringContaining('--file') });
  expect(await run(`prediction truth late --prediction ${ids[2]} --value soon`)).toMatchObject({ code: 2 });
  expect(await run('prediction truth late --file none.csv')).toMatchObject({ code: 2, out: '' });
  expect(await run(`prediction truth lat --prediction ${ids[2]} --value 1`)).toMatchObject({
    code: 3,
    err: expect.stringContaining('"lat"'),
  });

  // every noun is shown by its reference too, and says in our words what is not there
  const shows = async (line: string) => JSON.parse((await run(`${line} --json`)).out) as object;
  expect(await shows('model show model:late')).toMatchObject({ name: 'late', aliases: [{ alias: 'champion' }] });
  expect(await shows('model show late@champion')).toMatchObject({ model: 'late', version: 1 });
  expect(await shows('dataset show dataset:flights@1')).toMatchObject({ dataset: 'flights', version: 1, parts: 1 });
  expect(await shows(`prediction show prediction:${ids[1]}`)).toMatchObject({ id: ids[1] });
  expect(await run('model show lat')).toMatchObject({
    code: 3,
    err: 'error there is no model "lat" in this project; did you mean "late"?\n',
  });
  expect((await run('dataset show flights@x')).err).toBe('error dataset "flights" has no version x\n');
  expect(await run('model show late@7')).toMatchObject({
    code: 3,
    err: 'error model "late" has no version or alias "7"\n',
  });
  expect(await run('alert show late/performance')).toMatchObject({ code: 3, out: '' });

  // nobody named a project, and it lies in another
  const unnamed = (line: string) => tidemill(folder, line, { TIDEMILL_HOME: pair.home });
  const note = ' (in project default; this server also has: flights)';
  expect(await unnamed('model list')).toMatchObject({ code: 0, out: '', err: expect.stringContaining(`${note}\n`) });
  expect(await unnamed('model show late')).toMatchObject({ code: 3, err: expect.stringContaining(`${note}\n`) });
  expect(await unnamed('lineage model:late@1')).toMatchObject({ code: 3, err: expect.stringContaining(note) });
  expect((await run('alert list')).err).toBe('There is no alert.\n');
  expect((await unnamed('alert list --project default')).err).toBe('There is no alert.\n');

  const made = await run('webhook create https://example.org/hook --types alert.opened --json');
  const { id } = JSON.parse(made.out) as { readonly id: string };
  const changed = await run(`webhook change ${id} --no-enabled --types alert.opened alert.resolved --json`);
  expect(JSON.parse(changed.out)).toMatchObject({ enabled: false, types: ['alert.opened', 'alert.resolved'] });
  expect(JSON.parse((await run(`webhook change ${id} --enabled --json`)).out)).toMatchObject({
    enabled: true,
    url: 'https://example.org/hook',
    types: ['alert.opened', 'alert.resolved'],
  });
  expect((await run('prediction truth --help')).out).toContain('Examples:');
}, 120_000);
