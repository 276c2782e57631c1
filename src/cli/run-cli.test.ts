import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { Type } from 'typebox';
import { describe, expect, onTestFinished, test } from 'vitest';
import { defineOperation } from '#contracts/operation';
import { type CommandEntry, commands } from './command-list.ts';
import { CliError, createContext } from './context.ts';
import { createNounCommand, nounOf } from './noun-command.ts';
import { createProgram } from './program.ts';
import { collectText, runLine as run } from './testing/run-line.ts';

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemill-cli-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const Thing = Type.Object({ name: Type.String(), rows: Type.Integer() });
const listThings = defineOperation({
  id: 'things.list',
  method: 'GET',
  path: '/api/v1/things',
  summary: 'Lists things',
  permission: 'read',
  query: Type.Object({ limit: Type.Optional(Type.Integer()), cursor: Type.Optional(Type.String()) }),
  responses: { 200: Type.Object({ items: Type.Array(Thing), next: Type.Optional(Type.String()) }) },
});
const getThing = defineOperation({
  id: 'things.get',
  method: 'GET',
  path: '/api/v1/things/:name',
  summary: 'Shows a thing',
  permission: 'read',
  params: Type.Object({ name: Type.String() }),
  responses: { 200: Thing },
});
const things = nounOf({
  sample: 't1',
  list: listThings,
  show: getThing,
  empty: 'There is no thing yet.',
  columns: [
    { title: 'name', value: (row) => row.name },
    { title: 'rows', value: (row) => row.rows },
  ],
});
const entries: readonly CommandEntry[] = [
  {
    name: 'thing',
    summary: 'list and show things',
    examples: [],
    load: async () => (world) => createNounCommand('thing', 'list and show things', things, world),
  },
  {
    name: 'fail',
    summary: 'fails',
    examples: ['fail coded'],
    load: async () => (world) =>
      new Command('fail').argument('<how>').action(async (how: string, _options, command: Command) => {
        const { output } = createContext(command, world);
        output.say('about to fail');
        if (how === 'coded') throw Object.assign(new Error('taken'), { code: 'TAKEN', kind: 'conflict' });
        if (how === 'own') throw new CliError('NO_FILE', 2, 'there is no such file');
        throw new Error('a slip');
      }),
  },
  {
    name: 'other',
    summary: 'is never loaded',
    examples: ['other'],
    load: async () => {
      throw new Error('must not be loaded');
    },
  },
];

/** A server over a bare listener: the CLI reaches it by fetch as it would any. */
async function serveThings(count: number): Promise<string> {
  const { createServer: createHttp } = await import('node:http');
  const items = Array.from({ length: count }, (_, index) => ({ name: `t${index}`, rows: index * 1_000 }));
  const server = createHttp((request, response) => {
    const url = new URL(request.url ?? '/', 'http://x');
    const found = items.find((item) => url.pathname.endsWith(`/things/${item.name}`));
    if (url.pathname.endsWith('/things')) {
      const from = Number(url.searchParams.get('cursor') ?? 0);
      const to = from + Number(url.searchParams.get('limit'));
      response.end(JSON.stringify({ items: items.slice(from, to), ...(to < count && { next: String(to) }) }));
    } else if (found !== undefined) response.end(JSON.stringify(found));
    else {
      response.statusCode = url.pathname.includes('secret') ? 403 : 404;
      response.end('{"error":{"code":"THING_NOT_FOUND","message":"there is no such thing","requestId":"r"}}');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

describe('the command line', () => {
  test('shows every command in its help without loading any', async () => {
    const { code, out } = await run('--help', { entries });
    expect(code).toBe(0);
    for (const { name, summary } of entries) expect(out).toMatch(new RegExp(`${name}.*${summary}`));
    expect((await run('--version', { entries })).out).toBe('1.2.3\n');
  });

  test('suggests the nearest command and option, and exits 2 for wrong usage', async () => {
    const command = await run('thng list', { entries });
    expect(command).toMatchObject({ code: 2, out: '' });
    expect(command.err).toContain('Did you mean thing?');
    const option = await run('thing list --limt 3', { entries });
    expect(option.err).toContain('Did you mean --limit?');
    expect(option.code).toBe(2);
    expect((await run('thing show', { entries })).code).toBe(2);
  });

  test('says that a command is unknown also when its help is asked for', async () => {
    for (const line of ['help thng', 'thng --help', 'thng show --help']) {
      const { code, out, err } = await run(line, { entries });
      expect([line, code, out]).toEqual([line, 2, '']);
      expect(err).toContain("unknown command 'thng'");
      expect(err).toContain('Did you mean thing?');
    }
    expect(await run('help', { entries })).toMatchObject({ code: 0, out: expect.stringContaining('thing') });
  });

  test('prints the help of a command on asking for it', async () => {
    expect((await run('thing --help', { entries })).out).toContain('Lists things');
    expect((await run('help thing', { entries })).out).toContain('Shows a thing');
  });

  test('tells a failure by its exit code, and as JSON on standard error when JSON is asked for', async () => {
    expect(await run('fail coded', { entries })).toMatchObject({
      code: 5,
      out: '',
      err: 'about to fail\nerror taken\n',
    });
    expect(await run('fail own', { entries })).toMatchObject({ code: 2 });
    expect((await run('fail slip', { entries })).err).toContain('mistake in Tidemill itself');
    const json = await run('fail coded --json', { entries });
    expect(JSON.parse(json.err)).toEqual({ error: { code: 'TAKEN', message: 'taken' } });
    const usage = await run('thing list --limt 3 --json', { entries });
    expect(JSON.parse(usage.err)).toEqual({
      error: { code: 'USAGE', message: "unknown option '--limt' (Did you mean --limit?)" },
    });
  });
});

describe('a noun', () => {
  test('lists a table, page by page when all are asked for', async () => {
    const url = await serveThings(250);
    const some = await run(`thing list --limit 2 --url ${url}`, { entries });
    expect(some).toMatchObject({
      code: 0,
      out: 'NAME\tROWS\nt0\t0\nt1\t1000\n',
      err: 'there are more: --all lists them all\n',
    });
    const all = await run('thing list --all --json', { entries, environment: { TIDEMILL_URL: url } });
    const answer = JSON.parse(all.out) as { items: unknown[]; more: boolean };
    expect([answer.items.length, answer.more, all.err]).toEqual([250, false, '']);
  });

  test('tells people, not the pipe, when there is nothing to list', async () => {
    const url = await serveThings(0);
    expect(await run(`--url ${url} thing list`, { entries })).toEqual({
      code: 0,
      out: '',
      err: 'There is no thing yet.\n',
    });
    expect(await run(`--url ${url} thing list --json`, { entries })).toMatchObject({
      out: expect.stringContaining('"items": []'),
      err: '',
    });
  });

  test('takes an address without http:// as one', async () => {
    const url = await serveThings(1);
    expect(await run(`thing list -q --url ${url.replace('http://', '')}`, { entries })).toMatchObject({ out: 't0\n' });
    const nobody = await run('thing list --url localhost:1', { entries });
    expect(nobody).toMatchObject({ code: 6, err: expect.stringContaining('http://localhost:1') });
  });

  test('prints names alone when it is to be quiet', async () => {
    const url = await serveThings(3);
    expect(await run(`thing list -q --limit 2 --url ${url}`, { entries })).toEqual({
      code: 0,
      out: 't0\nt1\n',
      err: '',
    });
  });

  test('refuses a number that is none before it asks the server', async () => {
    const wrong = await run('thing list --limit many --url http://127.0.0.1:1', { entries });
    expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('It must be a whole number.') });
  });

  test('names the nearest thing when there is none of that name', async () => {
    const url = await serveThings(3);
    const { code, err } = await run(`thing show t22 --url ${url}`, { entries });
    expect([code, err]).toEqual([3, 'error there is no such thing; did you mean "t2"?\n']);
  });

  test('shows one thing, or exits 3 when there is none and 4 when it may not be seen', async () => {
    const url = await serveThings(2);
    expect((await run(`thing show t1 --url ${url}`, { entries })).out).toBe('name: t1\nrows: 1000\n');
    expect(await run(`thing show elsewhere --url ${url}`, { entries })).toMatchObject({
      code: 3,
      err: 'error there is no such thing\n',
    });
    expect(await run(`thing show secret --url ${url}`, { entries })).toMatchObject({ code: 4 });
  });

  test('finds the server that runs from the home folder, and exits 6 when none does', async () => {
    const folder = await temporaryFolder();
    const none = await run('thing list', { entries, cwd: folder });
    expect(none).toMatchObject({ code: 6, err: expect.stringContaining('start one with "tidemill up"') });
    await mkdir(join(folder, '.tidemill'));
    await writeFile(join(folder, '.tidemill', 'running.json'), JSON.stringify({ url: await serveThings(1) }));
    expect((await run('thing list', { entries, cwd: folder })).out).toContain('t0');
    expect((await run('thing list --url http://127.0.0.1:1', { entries })).code).toBe(6);
  });

  test('works in the project that the nearest tidemill.yaml declares, unless told otherwise', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'steps'));
    await writeFile(join(folder, 'tidemill.yaml'), '# ours\nproject: "flights" # of 2013\n');
    const seen: string[] = [];
    const { createServer: createHttp } = await import('node:http');
    const server = createHttp((request, response) => {
      seen.push(request.url ?? '');
      response.end('{"items":[]}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    const cwd = join(folder, 'steps');
    await run(`thing list --url ${url}`, { entries, cwd });
    await run(`thing list --url ${url} --project other`, { entries, cwd });
    await run(`thing list --url ${url}`, { entries, cwd, environment: { TIDEMILL_PROJECT: 'third' } });
    expect(seen.map((path) => path.split('/')[2])).toEqual(['flights', 'other', 'third']);
    server.closeAllConnections();
  });
});

describe('the help', () => {
  const world = {
    stdout: collectText().stream,
    stderr: collectText().stream,
    environment: {},
    cwd: tmpdir(),
    signal: new AbortController().signal,
  };

  /** The help of each command and sub-command, by how it is called. */
  async function allHelps(): Promise<readonly (readonly [line: string, help: string])[]> {
    const helps: [string, string][] = [['', (await run('--help')).out]];
    for (const entry of commands) {
      const command = (await entry.load())(world);
      const lines = [entry.name, ...command.commands.map((child) => `${entry.name} ${child.name()}`)];
      for (const line of lines) {
        const { code, out } = await run(`${line} --help`);
        expect([line, code]).toEqual([line, 0]);
        helps.push([line, out]);
      }
    }
    return helps;
  }

  test('of every command and sub-command says what it does, shows an example and the options that all have', async () => {
    for (const [line, help] of await allHelps()) {
      expect(help).toContain(`Usage: tidemill ${line.split(' ')[0]}`);
      expect([line, /^Examples?:$/m.test(help)]).toEqual([line, true]);
      expect(help).toContain('--json');
    }
  });

  test('has words for every option, its choices and no empty default', async () => {
    const silent: string[] = [];
    for (const entry of commands) {
      const command = (await entry.load())(world);
      for (const one of [command, ...command.commands])
        for (const { long, description, defaultValue } of one.options)
          if (description === '' || (Array.isArray(defaultValue) && defaultValue.length === 0 && long !== '--param'))
            silent.push(`${entry.name} ${one.name()} ${long}`);
    }
    expect(silent).toEqual([]);
    const up = (await run('up --help')).out;
    for (const option of ['--auth <on|off>', '--sklearn-checks <quick|full>']) expect(up).toContain(option);
    expect(up).toMatch(/--log-level <[a-z]+(\|[a-z]+)+>/);
  });

  test('has examples whose commands, arguments and options there are', async () => {
    const helps = await allHelps();
    const examples = helps.flatMap(([, help]) =>
      [...help.matchAll(/^ {2}\$ tidemill (.+)$/gm)].map(([, line]) => line),
    );
    expect(examples.length).toBeGreaterThan(helps.length);
    const wrong: string[] = [];
    for (const example of new Set(examples)) {
      const problem = await parseOnly(wordsOf(example ?? ''));
      if (problem !== undefined) wrong.push(`${example}: ${problem}`);
    }
    expect(wrong).toEqual([]);
    expect(await parseOnly(['prediction', 'list'])).toContain('unknown command');
    expect(await parseOnly(['up', '--no-such-option'])).toContain('unknown option');
  });

  /** What the program says against a command line, which it reads as ever but does not carry out. */
  async function parseOnly(words: readonly string[]): Promise<string | undefined> {
    const name = words[0] === 'help' ? words[1] : words[0];
    const entry = commands.find((candidate) => candidate.name === name);
    if (entry === undefined) return 'unknown command';
    if (words[0] === 'help') return undefined;
    const program = createProgram().addCommand((await entry.load())(world));
    disarm(program);
    try {
      await program.parseAsync([...words], { from: 'user' });
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }
});

function disarm(command: Command): void {
  command.exitOverride().configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
  if (command.commands.length === 0) command.action(() => undefined);
  for (const child of command.commands) disarm(child);
}

/** As a shell splits a line, up to where it would send the output. */
function wordsOf(line: string): readonly string[] {
  const [command = ''] = line.split(/ [<>|] /);
  return [...command.matchAll(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g)].map(([word]) => word.replaceAll(/["']/g, ''));
}

describe('doctor', () => {
  test('finds what is there, and says what is missing and how to mend it', async () => {
    const folder = await temporaryFolder();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void taken.close());
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { code, out } = await run(`doctor --json --port ${port} --serving-port 0`, {
      cwd: folder,
      environment: { TIDEMILL_PYTHON: join(folder, 'no-python') },
    });
    expect(code).toBe(1);
    const { ok, findings } = JSON.parse(out) as {
      ok: boolean;
      findings: { name: string; state: string; message: string }[];
    };
    expect(ok).toBe(false);
    const found = Object.fromEntries(findings.map((finding) => [finding.name, finding]));
    expect(found['Node.js']).toMatchObject({ state: 'ok' });
    expect(found['home folder']).toMatchObject({ state: 'ok' });
    expect(found['better-sqlite3']).toMatchObject({ state: 'ok' });
    expect(found['DuckDB']).toMatchObject({ state: 'ok' });
    expect(found['onnxruntime']).toMatchObject({ state: 'ok' });
    expect(found['Python']).toMatchObject({ state: 'failed', message: expect.stringContaining('install Python 3.11') });
    expect(found['port']).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('choose another with --port'),
    });
  });

  test('names a wrong setting', async () => {
    const { code, out } = await run('doctor --port x', { cwd: await temporaryFolder() });
    expect(code).toBe(1);
    expect(out).toContain('--port: "x" is not valid');
  });
});
