import { chmodSync, constants, copyFileSync, mkdirSync, statSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isInsidePath, type TreeFile } from '#contracts/tree';
import type { BlobStore } from '#platform/blobs';
import { quietLibraries } from '#platform/quiet-libraries';
import { prepareCommand } from './command-line.ts';
import type { CommandWork, Json } from './job-types.ts';
import { jobsErrors } from './jobs-errors.ts';

/** What the process of an attempt is started with. */
export interface PreparedAttempt {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
}

export const outputVariable = (name: string): string => `TIDEMILL_OUTPUT_${variableName(name)}`;
const inputVariable = (name: string): string => `TIDEMILL_INPUT_${variableName(name)}`;
const variableName = (name: string): string => name.replaceAll(/[^A-Za-z0-9]/g, '_').toUpperCase();

/** Where an attempt finds its output paths; they do not exist before it makes them. */
export const outputPath = (folder: string, name: string): string => join(folder, `output-${name}`);

/**
 * Lays out the private folder of an attempt: `code/` is its working folder, `input-<name>/` holds the files of an input,
 * `output-<name>` is for it to make; the folder itself is its home and takes what it writes for a while. Files are
 * reflinked where the file system can, else copied: a step that writes in place must not reach the store.
 */
export async function prepareAttempt(
  folder: string,
  work: CommandWork,
  blobs: BlobStore,
  given: {
    readonly token: string;
    readonly path: string;
    readonly variables: Readonly<Record<string, string>>;
    readonly secrets: Readonly<Record<string, string>>;
  },
): Promise<PreparedAttempt> {
  const cwd = join(folder, 'code');
  // folders and small files are made synchronously: that takes microseconds, a trip through the thread pool many more
  mkdirSync(cwd);
  await layOutCode(cwd, work.code, blobs);
  const inputPaths = new Map<string, string>();
  for (const input of work.inputs) {
    const inputFolder = join(folder, `input-${input.name}`);
    mkdirSync(inputFolder);
    await Promise.all(
      input.files.map(async ({ sha256, name }) => {
        const target = join(inputFolder, name);
        if (!isInsidePath(name)) throw jobsErrors.STEP_CODE_PATH(name);
        if (name.includes('/')) mkdirSync(dirname(target), { recursive: true });
        await copy(await blobs.localPath(sha256), target, 0o644);
      }),
    );
    const only = input.files[0];
    inputPaths.set(input.name, input.as === 'file' && only !== undefined ? join(inputFolder, only.name) : inputFolder);
  }
  const { argv, environment } = prepareCommand(work.command, (expression) => {
    const [scope = '', ...rest] = expression.split('.');
    if (scope === 'inputs') return inputPaths.get(rest.join('.'));
    if (scope === 'outputs') return outputPath(folder, rest.join('.'));
    if (scope === 'params') return toText(rest.reduce<Json | undefined>(member, work.params));
    if (scope === 'each') return toText(rest.reduce<Json | undefined>(member, work.each));
    return undefined;
  });
  return {
    argv,
    cwd,
    environment: {
      ...baseEnvironment(folder, given.path),
      ...given.secrets,
      ...given.variables,
      ...Object.fromEntries([...inputPaths].map(([name, path]) => [inputVariable(name), path])),
      ...Object.fromEntries(work.outputs.map(({ name }) => [outputVariable(name), outputPath(folder, name)])),
      TIDEMILL_PARAMS: JSON.stringify(work.params),
      ...eachVariables(work.each),
      TIDEMILL_TOKEN: given.token,
      ...Object.fromEntries(
        Object.entries(work.environment).map(([key, value]) => [
          key,
          value.replaceAll(`\${token}`, given.token).replaceAll(`\${folder}`, cwd),
        ]),
      ),
      ...environment,
    },
  };
}

/** `TIDEMILL_EACH` has the whole item, `TIDEMILL_EACH_DEPTH` one field of it. */
function eachVariables(each: CommandWork['each']): Record<string, string> {
  if (each === undefined) return {};
  const fields = Object.entries(each).map(([name, value]): [string, string] => [
    `TIDEMILL_EACH_${variableName(name)}`,
    toText(value) ?? '',
  ]);
  return { ...Object.fromEntries(fields), TIDEMILL_EACH: JSON.stringify(each) };
}

/** Nothing of the server's own environment reaches a step, its credentials least of all. */
function baseEnvironment(folder: string, path: string): Record<string, string> {
  return {
    PATH: path,
    HOME: folder,
    TMPDIR: folder,
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    PYTHONUNBUFFERED: '1',
    ...quietLibraries,
  };
}

async function layOutCode(folder: string, code: readonly TreeFile[], blobs: BlobStore): Promise<void> {
  await Promise.all(
    code.map(async ({ path, sha256, executable }) => {
      if (!isInsidePath(path)) throw jobsErrors.STEP_CODE_PATH(path);
      const target = join(folder, path);
      if (path.includes('/')) mkdirSync(dirname(target), { recursive: true });
      await copy(await blobs.localPath(sha256), target, executable === true ? 0o755 : 0o644);
    }),
  );
}

const smallBytes = 256 * 1024;

/** @param mode blobs are read-only; a step's own copy is not */
async function copy(from: string, to: string, mode: number): Promise<void> {
  if (statSync(from).size <= smallBytes) copyFileSync(from, to, constants.COPYFILE_FICLONE);
  else await copyFile(from, to, constants.COPYFILE_FICLONE);
  chmodSync(to, mode);
}

function member(value: Json | undefined, key: string): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, Json>>)[key]
    : undefined;
}

function toText(value: Json | undefined): string | undefined {
  if (value === undefined) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
