import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { runTidemill } from './command-line.ts';
import { temporaryFolder } from './control-plane.ts';
import { mlflowVariables } from './mlflow-script.ts';

const run = promisify(execFile);

async function runScript(
  pythonPath: string,
  script: string,
  trackingUri: string,
  args: readonly string[],
  cwd: string,
): Promise<void> {
  await run(pythonPath, [resolve('tests/python', script), ...args], {
    cwd,
    env: { ...mlflowVariables(pythonPath, trackingUri), MLFLOW_ALLOW_FILE_STORE: 'true' },
    maxBuffer: 64 * 1024 * 1024,
  });
}

/** Makes tracked things with the real client: runs with a child each, a long history, models, traces and prompts where it has them. */
export async function makeStore(
  pythonPath: string,
  trackingUri: string,
  options: { readonly folder: string; readonly runs?: number; readonly points?: number; readonly suffix?: string },
): Promise<void> {
  const { folder, runs = 3, points = 3000, suffix = '' } = options;
  await runScript(pythonPath, 'mlflow_make_store.py', trackingUri, [`${runs}`, `${points}`, suffix], folder);
}

export type StoreDump = Readonly<Record<'runs' | 'models' | 'logged' | 'experiments' | 'traces', object>>;

/** Everything that the real client reads of each store; in one process, since it takes long to start. */
export async function dumpStores<const Uris extends readonly string[]>(
  pythonPath: string,
  trackingUris: Uris,
): Promise<{ [At in keyof Uris]: StoreDump }> {
  const folder = await temporaryFolder();
  await runScript(pythonPath, 'mlflow_dump_store.py', '', [join(folder, 'dump.json'), ...trackingUris], folder);
  return JSON.parse(await readFile(join(folder, 'dump.json'), 'utf8')) as { [At in keyof Uris]: StoreDump };
}

export interface ImportResult {
  readonly unchanged: number;
  readonly sentBytes: number;
  readonly differences: readonly string[];
  readonly left: readonly string[];
  readonly kept: readonly object[];
  readonly leftBehind: readonly { readonly what: string; readonly count: number }[];
  readonly notes: readonly string[];
  readonly experiments: readonly { readonly runs: number; readonly points: number; readonly verified: boolean }[];
}

/** Imports by the real program, which must succeed. */
export async function importInto(
  url: string,
  project: string,
  source: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<ImportResult> {
  const args = ['import', ...source, '--url', url, '--project', project, '--json'];
  const { status, stdout, stderr } = await runTidemill(args, { environment });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout) as ImportResult;
}
