import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { scrubEnvironment } from '../src/platform/processes.ts';
import type { PythonEnvironment } from '../src/platform/python-environments.ts';
import { launcher } from './support/command-line.ts';
import { temporaryFolder } from './support/control-plane.ts';
import { clientRequirements, ensurePython, pythonSetUpMs } from './support/mlflow-script.ts';
import { startPair } from './support/running-server.ts';

const run = promisify(execFile);
const guideMs = 300_000;

let python: PythonEnvironment;
beforeAll(async () => {
  python = await ensurePython(clientRequirements('3.17'));
}, pythonSetUpMs);

test(
  'the commands and the script of docs/mlflow.md work as they stand',
  async () => {
    const page = await readFile(join(import.meta.dirname, '../docs/mlflow.md'), 'utf8');
    const block = (mark: string) => new RegExp(`<!-- ${mark} -->\n\`\`\`\\w+\n(.*?)\`\`\``, 's').exec(page)?.[1] ?? '';
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'train.py'), block('file: train\\.py'));
    const server = await startPair(['--auth', 'on']);
    const { stdout } = await run(
      'sh',
      [
        '-euc',
        `${block('run: walk')}echo "== prompts"\n${block('run: prompts')}echo "== search"\n${block('run: search')}`,
      ],
      {
        cwd: folder,
        env: {
          ...scrubEnvironment(process.env),
          PATH: [python.binPath, dirname(launcher), process.env['PATH']].join(delimiter),
          TIDEMILL_URL: server.url(),
          TIDEMILL_TOKEN: server.token() ?? '',
          MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0',
          GIT_PYTHON_REFRESH: 'quiet',
        },
        timeout: guideMs,
      },
    );
    expect(stdout).toMatch(
      /View run .* at: http:\/\/127\.0\.0\.1:\d+\/projects\/fraud\/#\/experiments\/1\/runs\/[0-9a-f]{32}/,
    );
    expect(stdout).toContain('first');
    expect(stdout).toContain('transactions');
    const prompts = stdout.slice(stdout.indexOf('== prompts'), stdout.indexOf('== search'));
    expect(prompts).toMatch(/^greeting\tproduction=1\t/m);
    expect(prompts).toMatch(/^1\tfirst wording\t/m);
    expect(prompts).toContain('value: Hello {{name}}');
    const found = stdout.slice(stdout.indexOf('== search'));
    expect(found).toMatch(/FINISHED\s+accuracy=[01]/);
    expect(found).not.toContain('C=0.5');
    expect(found.trim().split('\n').at(-1)).toBe('1');
  },
  guideMs,
);
