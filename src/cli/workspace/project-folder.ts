import { execFile } from 'node:child_process';
import { existsSync, lstatSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { parseGlob } from '#contracts/glob';
import { namePattern } from '#contracts/references';
import { CliError, documentNames, foldersUpFrom } from '../context.ts';

/** A folder with a tidemill.yaml, as the client sees it before the server has read the document. */
export interface ProjectFolder {
  readonly folder: string;
  /** Name of the document inside the folder. */
  readonly document: string;
  readonly project: string;
  /** Sources of the declared datasets by name; read loosely, the server checks. */
  readonly sources: Readonly<Record<string, string>>;
}

const isName = new RegExp(namePattern);

/**
 * Finds the document: the file given, else the one in this folder or the nearest above.
 * @param project what the caller was told to work in, when they were: it must be the document's
 */
export async function openProjectFolder(cwd: string, file?: string, project?: string): Promise<ProjectFolder> {
  const path = file === undefined ? findDocument(cwd) : resolve(cwd, file);
  if (path === undefined || !existsSync(path))
    throw new CliError(
      'DOCUMENT_NOT_FOUND',
      3,
      `there is no ${file ?? 'tidemill.yaml in this folder or above it'}; make one, or say --file`,
    );
  const value: unknown = parseLoosely(await readFile(path, 'utf8'));
  const document = isRecord(value) ? value : {};
  const datasets = isRecord(document['datasets']) ? document['datasets'] : {};
  const sources = Object.entries(datasets).flatMap(([name, spec]) =>
    isRecord(spec) && typeof spec['source'] === 'string' ? [[name, spec['source']] as const] : [],
  );
  const declared = typeof document['project'] === 'string' ? document['project'] : 'default';
  if (project !== undefined && project !== declared)
    throw new CliError(
      'PROJECT_MISMATCH',
      2,
      `${path} declares project "${declared}", but "${project}" was asked for; leave --project and TIDEMILL_PROJECT out, or change the document`,
    );
  return {
    folder: dirname(path),
    document: path.slice(dirname(path).length + 1),
    // what is no name is said by the server, with its place
    project: isName.test(declared) ? declared : 'default',
    sources: Object.fromEntries(sources),
  };
}

function findDocument(from: string): string | undefined {
  for (const folder of foldersUpFrom(from)) {
    const found = documentNames.map((name) => join(folder, name)).find((path) => existsSync(path));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The server says what is wrong with the YAML, with its place; here a broken document just names nothing. */
function parseLoosely(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The files of the snapshot: in a git checkout those that are not ignored, else all; never `.tidemill`, a link, or what
 * is landed as data.
 */
export async function listSnapshotFiles({ folder, sources }: ProjectFolder): Promise<readonly string[]> {
  const data = Object.values(sources).map(parseGlob);
  const files = (await listByGit(folder)) ?? (await walk(folder, ''));
  return files.filter((path) => !data.some(({ matches }) => matches(path))).toSorted();
}

/** The files that a dataset's source matches now. */
export async function listSourceFiles(folder: string, source: string): Promise<readonly string[]> {
  const { matches } = parseGlob(source);
  const fixed = source.replace(/^\.\//, '').split('/');
  const wild = fixed.findIndex((part) => /[*?]/.test(part));
  const base = (wild < 0 ? fixed.slice(0, -1) : fixed.slice(0, wild)).join('/');
  const files = await walk(join(folder, base), base === '' ? '' : `${base}/`);
  return files.filter(matches).toSorted();
}

async function listByGit(folder: string): Promise<readonly string[] | undefined> {
  try {
    const { stdout } = await promisify(execFile)(
      'git',
      ['-C', folder, 'ls-files', '--cached', '--others', '--exclude-standard', '-z', '--deduplicate', '.'],
      { maxBuffer: 64 * 1024 * 1024 },
    );
    const files = stdout.split('\0').filter((path) => path !== '' && !isOurs(path) && isFile(join(folder, path)));
    // a folder that its checkout ignores as a whole (a copy in `.tidemill`) is no checkout of its own
    return files.length > 0 ? files : undefined;
  } catch {
    return undefined; // no checkout, or no git
  }
}

/** A link is none: what it leads to may lie anywhere, and is not what this folder holds. Nor is a submodule's folder. */
const isFile = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;

async function walk(folder: string, prefix: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const files: string[] = [];
  for (const entry of entries) {
    const path = `${prefix}${entry.name}`;
    if (isOurs(path) || entry.name === '.git') continue;
    if (entry.isDirectory()) files.push(...(await walk(join(folder, entry.name), `${path}/`)));
    else if (entry.isFile()) files.push(path);
  }
  return files;
}

const isOurs = (path: string): boolean => path === '.tidemill' || path.startsWith('.tidemill/');
