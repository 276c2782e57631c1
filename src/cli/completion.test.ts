import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Writable } from 'node:stream';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { builtModule } from '#platform/testing/built-program';
import { runCli } from './run-cli.ts';

const program = resolve(import.meta.dirname, '../../bin/tidemill');

async function complete(words: readonly string[], cwd = tmpdir()): Promise<readonly string[]> {
  let text = '';
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  const world = { stdout, stderr: stdout, environment: {}, cwd, signal: new AbortController().signal };
  expect(await runCli(['complete', '--', ...words], world, { version: '1' })).toBe(0);
  return text.split('\n').filter((line) => line !== '');
}
const valuesOf = async (words: readonly string[], cwd?: string) =>
  (await complete(words, cwd)).map((line) => line.split('\t')[0]);

describe('what could stand at the cursor', () => {
  test('is a command, told with what it does', async () => {
    expect(await complete(['appl'])).toEqual(['apply\tmake the project what tidemill.yaml declares']);
    expect(await valuesOf(['pipeline'])).toEqual(['pipeline', 'pipeline-run']);
    expect(await valuesOf([''])).not.toContain('complete');
  });

  test('is a sub-command, an option of the command, or one that all have', async () => {
    expect(await valuesOf(['model', 'ver'])).toEqual(['versions', 'version']);
    expect(await valuesOf(['run', '--no'])).toEqual(['--no-cache']);
    expect(await valuesOf(['--project', 'x', 'model', 'list', '--'])).toEqual(
      expect.arrayContaining(['--limit', '--all', '--json']),
    );
  });

  test('is a value that the option or argument allows', async () => {
    expect(await valuesOf(['completion', ''])).toEqual(['bash', 'zsh', 'fish']);
    expect(await valuesOf(['token', 'create', 'ci', '--role', 'a'])).toEqual(['approver', 'admin']);
  });

  test('is a name that the folder declares, and nothing when no server answers', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tidemill-completion-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await writeFile(
      join(folder, 'tidemill.yaml'),
      'project: p\ndatasets: { flights: { source: "*.csv" }, weather: { source: "*.csv" } }\n',
    );
    expect(await valuesOf(['land', 'fl'], folder)).toEqual(['flights']);
    expect(await valuesOf(['--url', 'http://127.0.0.1:1', 'dataset', 'show', ''])).toEqual([]);
  });
});

const script = (shell: string) => spawnSync(program, ['completion', shell], { encoding: 'utf8' }).stdout;

describe('the script', () => {
  beforeAll(async () => void (await builtModule('cli/main.js')), 180_000);

  // not every shell is on every machine
  const installed = ['bash', 'zsh', 'fish'].filter((shell) => spawnSync(shell, ['-c', 'true']).status === 0);

  test('is printed for each shell', () => {
    for (const shell of ['bash', 'zsh', 'fish']) expect(script(shell)).toContain('complete --');
  });

  test.each(installed)('is what %s can read', (shell) => {
    const { status, stderr } = spawnSync(shell, ['-n'], { input: script(shell), encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });

  test('completes in bash, and never runs what is on the line', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tidemill-completion-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const press = (...words: readonly string[]) =>
      spawnSync(
        'bash',
        [
          '-c',
          `${script('bash')}\nCOMP_WORDS=("$0" "$@"); COMP_CWORD=$#; _tidemill; printf '%s\\n' "\${COMPREPLY[@]}"`,
          program,
          ...words,
        ],
        { encoding: 'utf8', cwd: folder },
      ).stdout.trim();
    expect(press('roll')).toBe('rollout');
    expect(press('dataset', 'ver')).toBe('versions');
    expect(press('dataset', 'show', '$(touch ran)', '')).toBe('');
    expect(spawnSync('ls', [folder], { encoding: 'utf8' }).stdout).toBe('');
  });
});
