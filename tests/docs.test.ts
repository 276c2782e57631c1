import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { commands } from '../src/cli/command-list.ts';
import { printJsonSchema } from '../src/modules/workspace/document-schema.ts';
import { printDocs } from '../tools/print-docs.mjs';

const root = resolve(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

describe('the documents', () => {
  test('that are printed from the code are current; else: npm run build && node tools/print-docs.mjs', async () => {
    const pages = await printDocs(join(root, 'src'), '.ts');
    const stale = Object.entries(pages).filter(([path, text]) => read(path) !== text);
    expect(stale.map(([path]) => path)).toEqual([]);
  }, 60_000);

  test('name every key that tidemill.yaml may have', () => {
    const page = read('docs/tidemill-yaml.md');
    const sections = Object.entries((printJsonSchema() as { readonly properties: Record<string, object> }).properties);
    const missing = sections.flatMap(([name, schema]) => {
      const [, part = ''] = page.split(`## ${name}\n`);
      const [table = ''] = part.split('\n## ');
      return keysIn(schema)
        .filter((key) => !new RegExp(`^\\| \`([^\`]*[.\\]])?${key}\` \\|`, 'm').test(table))
        .map((key) => `${name}: ${key}`);
    });
    expect(missing).toEqual([]);
    expect(keysIn(printJsonSchema())).toEqual(expect.arrayContaining(['known_after', 'created', 'sql', 'sample_rate']));
  });

  test('ask for a prediction by a script that ends when nobody answers', async () => {
    const [, script = ''] = /```sh\n(.*?)```/s.exec(read('docs/predictions.md')) ?? [];
    const cwd = mkdtempSync(join(tmpdir(), 'tidemill-docs-'));
    onTestFinished(() => rmSync(cwd, { recursive: true }));
    const environment = { PATH: process.env['PATH'], SERVING: 'http://127.0.0.1:1' };
    const { status, stderr } = spawnSync('bash', ['-c', script], { cwd, env: environment, timeout: 20_000 });
    expect(status, 'ended by itself').toBeGreaterThan(0);
    expect(String(stderr)).toContain('prediction: the request was refused');
  }, 30_000);

  test('name the options that up takes', async () => {
    const world = { stdout: process.stdout, stderr: process.stderr, environment: {}, cwd: root };
    const load = commands.find(({ name }) => name === 'up')?.load;
    const up = (await load?.())?.({ ...world, signal: new AbortController().signal });
    const named = [...read('docs/configuration.md').matchAll(/^\| `(--[a-z0-9-]+)` \|/gm)].map(([, option]) => option);
    // --home is an option of every command
    expect(named.toSorted()).toEqual(['--home', ...(up?.options ?? []).map(({ long }) => long ?? '')].toSorted());
    expect(named).toContain('--log-level');
  });

  test('give a reason for each dependency, and for none that is gone', () => {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read('package.json')) as Record<
      string,
      object
    >;
    const named = [...read('docs/dependencies.md').matchAll(/^\| `([^`]+)` +\| .{4,} \|$/gm)].map(([, name]) => name);
    expect(named.toSorted()).toEqual(
      Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies }).toSorted(),
    );
  });

  test('are wrapped, and use the command line where it does the thing', () => {
    expect(
      read('CHANGELOG.md')
        .split('\n')
        .filter((line) => line.length > 140),
    ).toEqual([]);
    const shell = [...read('README.md').matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block ?? '').join('');
    expect(shell).toContain('tidemill token create');
    expect(shell).not.toContain('/api/v1/');
    const known = commands.map(({ name }) => name);
    const named = [...shell.matchAll(/^tidemill ([a-z-]+)/gm)].map(([, name]) => name ?? '');
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });

  test('link to files that are there', () => {
    const documents = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)];
    const broken = documents
      .filter((path) => path.endsWith('.md'))
      .flatMap((path) =>
        [...read(path).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
          .map(([, target]) => join(path, '..', target ?? ''))
          .filter((target) => {
            try {
              readdirSync(join(root, target));
              return false;
            } catch (error) {
              return (error as { code?: string }).code !== 'ENOTDIR';
            }
          })
          .map((target) => `${path} -> ${target}`),
      );
    expect(broken).toEqual([]);
  });

  test('of decisions say what enforces them', () => {
    const decisions = readdirSync(join(root, 'docs/adr'));
    expect(decisions.filter((name) => !read(`docs/adr/${name}`).includes('Enforced by: '))).toEqual([]);
    expect(decisions.filter((name) => !/^\d{4}-[a-z0-9-]+\.md$/.test(name))).toEqual([]);
  });
});

/** The names of all properties in a JSON Schema, however deep. */
function keysIn(schema: unknown): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([word, value]: readonly [string, unknown]) => {
    if (typeof value !== 'object' || value === null) return [];
    return word === 'properties'
      ? [...Object.keys(value), ...Object.values(value as Record<string, object>).flatMap(keysIn)]
      : keysIn(value);
  });
}
