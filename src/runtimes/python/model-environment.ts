import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { isAppError } from '#platform/errors';
import { normaliseRequirements } from '#platform/python-environments';
import { runtimeErrors } from '../runtime-errors.ts';

/** What a model says of the environment that it needs. */
export interface DeclaredEnvironment {
  /** The file that says it, for people. */
  readonly from: string;
  /** Lines of a requirements file; paths in the model's folder are absolute. */
  readonly requirementsText: string;
  /** `3.11`, when it names one. */
  readonly python: string | undefined;
}

/**
 * Reads what MLflow writes beside a model, the first that is there: `python_env.yaml` with the requirements that it names,
 * `requirements.txt`, `conda.yaml` (its Python and its packages of pip). Undefined when there is none.
 */
export async function readDeclaredEnvironment(folder: string): Promise<DeclaredEnvironment | undefined> {
  const has = (name: string) => existsSync(join(folder, name));
  if (has('python_env.yaml')) {
    const { python, dependencies = [] } = (await readYaml(folder, 'python_env.yaml')) as PythonEnvFile;
    return toEnvironment(folder, 'python_env.yaml', dependencies.filter(isText), minorOf(python));
  }
  if (has('requirements.txt')) return toEnvironment(folder, 'requirements.txt', ['-r requirements.txt'], undefined);
  if (!has('conda.yaml')) return undefined;
  const { dependencies = [] } = (await readYaml(folder, 'conda.yaml')) as CondaFile;
  const fromPip = dependencies.flatMap((one) => (isText(one) ? [] : (one?.pip ?? []))).filter(isText);
  const python = dependencies.filter(isText).find((one) => /^python\s*=/.test(one));
  return toEnvironment(folder, 'conda.yaml', fromPip, minorOf(python?.replace(/^python\s*=+\s*/, '')));
}

interface PythonEnvFile {
  readonly python?: unknown;
  readonly dependencies?: readonly unknown[];
}
interface CondaFile {
  readonly dependencies?: readonly (string | { readonly pip?: readonly unknown[] } | null)[];
}

const isText = (value: unknown): value is string => typeof value === 'string';
/** A version as text or, where YAML has taken `3.11` for one, as a number. */
const minorOf = (version: unknown): string | undefined =>
  typeof version === 'string' || typeof version === 'number' ? /^(\d+\.\d+)/.exec(String(version))?.[1] : undefined;

async function readYaml(folder: string, name: string): Promise<unknown> {
  try {
    return (parse(await readFile(join(folder, name), 'utf8')) as unknown) ?? {};
  } catch (cause) {
    throw runtimeErrors.MODEL_LOAD_FAILED(`its ${name} cannot be read: ${String(cause)}`);
  }
}

async function toEnvironment(
  folder: string,
  from: string,
  lines: readonly string[],
  python: string | undefined,
): Promise<DeclaredEnvironment> {
  const resolved = await Promise.all(lines.map((line) => resolveLine(folder, line, 0)));
  return { from, requirementsText: resolved.join('\n'), python };
}

const deepestInclude = 3;

/** A line as it reads from anywhere: included files in place, and paths of the model's folder (wheels) absolute. */
async function resolveLine(folder: string, line: string, depth: number): Promise<string> {
  const included = /^\s*(?:-r|--requirement)[\s=]+(\S+)\s*$/.exec(line)?.[1];
  if (included !== undefined && depth < deepestInclude) {
    const text = await readFile(join(folder, included), 'utf8').catch((cause: unknown) => {
      throw runtimeErrors.MODEL_LOAD_FAILED(
        `its requirements name "${included}", which cannot be read: ${String(cause)}`,
      );
    });
    const lines = normaliseRequirements(text).split('\n');
    return (await Promise.all(lines.map((one) => resolveLine(folder, one, depth + 1)))).join('\n');
  }
  const [, option = '', path = ''] = /^\s*(-c\s+|--constraint[\s=]+|)(\S+)\s*$/.exec(line) ?? [];
  return path.includes('/') || option !== ''
    ? `${option}${existsSync(join(folder, path)) ? join(folder, path) : path}`
    : line;
}

/** Says of a build that failed which requirement it was, as far as the tool tells, and how to mend it. */
export function explainFailure(
  declared: Pick<DeclaredEnvironment, 'from' | 'requirementsText'>,
  error: unknown,
): Error {
  if (!isAppError(error)) return runtimeErrors.MODEL_ENVIRONMENT_FAILED(declared.from, String(error), '');
  if (error.code !== 'PYTHON_ENVIRONMENT_FAILED')
    return runtimeErrors.MODEL_ENVIRONMENT_FAILED(declared.from, error.message, '');
  const said = error.message
    .split('\n')
    .slice(1)
    .map((line) => line.replace(/^(?:[\s×╰─▶│├]|error:|cause:)+/, '').trim())
    .filter((line) => line !== '' && !/^(?:Using|Resolved|Prepared)\b/.test(line))
    .join('; ');
  if (/Failed to fetch|Request failed|client error/.test(said))
    return runtimeErrors.MODEL_ENVIRONMENT_FAILED(
      declared.from,
      said,
      'Check that the package index can be reached from this machine',
    );
  const culprit = normaliseRequirements(declared.requirementsText)
    .split('\n')
    .find((line) => isNamedIn(line, said));
  return runtimeErrors.MODEL_ENVIRONMENT_FAILED(
    declared.from,
    culprit === undefined ? said : `requirement "${culprit}": ${said}`,
    `Correct it in ${declared.from} and log the model again, or have the index of this machine offer the package`,
  );
}

function isNamedIn(line: string, said: string): boolean {
  const name = /^[A-Za-z0-9][\w.-]*/.exec(line.trim())?.[0];
  if (name === undefined) return false;
  const pattern = name.replaceAll(/[-_.]+/g, '[-_.]+');
  return new RegExp(`(?<![\\w-])${pattern}(?![\\w-])`, 'i').test(said);
}
