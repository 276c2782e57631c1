import { basename, dirname, normalize } from 'node:path/posix';
import { parseGlob } from '#contracts/glob';
import type { StepSpec } from '#contracts/pipelines';
import type { TreeFile } from '#contracts/tree';

const neverCode = /^tidemill\.ya?ml$/;

type Steps = Readonly<Record<string, StepSpec>>;

/**
 * The files of a snapshot that a step sees, and whose content is part of its cache key: those that `code` matches; by
 * default the files that its command names and what else lies in their folders, except the programs of other steps; all
 * files when it names none. What is not in the key is not there when the step runs either, so that a step which needs
 * more than this fails instead of taking an old result.
 */
export function codeOf(step: StepSpec, tree: readonly TreeFile[], steps: Steps = {}): readonly TreeFile[] {
  const files = tree.filter(({ path }) => !neverCode.test(path));
  if (step.code !== undefined) {
    const globs = step.code.map(parseGlob);
    return files.filter(({ path }) => globs.some(({ matches }) => matches(path)));
  }
  const paths = new Set(files.map(({ path }) => path));
  const named = new Set(namedIn(step, paths));
  if (named.size === 0) return files;
  const others = new Set(programsOf(steps, paths).filter((path) => !named.has(path)));
  const folders = [...named].map((path) => dirname(path));
  const everywhere = folders.includes('.');
  return files.filter(
    ({ path }) => !others.has(path) && (everywhere || folders.some((folder) => path.startsWith(`${folder}/`))),
  );
}

/** The words of a command, without quotes and shell signs. */
const wordsOf = ({ run = [] }: StepSpec): readonly string[] =>
  (typeof run === 'string' ? [run] : run)
    .flatMap((text) => text.split(/[\s"'=;|&()<>]+/))
    .filter((word) => word !== '');

const pathsIn = (step: StepSpec): readonly string[] => wordsOf(step).map((word) => word.replace(/^\.\//, ''));

const namedIn = (step: StepSpec, paths: ReadonlySet<string>): readonly string[] =>
  pathsIn(step).filter((path) => paths.has(path));

/** Each step looks at the commands of all of them: they are taken apart once. */
const pathsOfSteps = new WeakMap<Steps, readonly (readonly string[])[]>();

/** The first file that a command names is its program; those after it may be shared settings. */
function programsOf(steps: Steps, paths: ReadonlySet<string>): readonly string[] {
  const known = pathsOfSteps.get(steps) ?? Object.values(steps).map(pathsIn);
  pathsOfSteps.set(steps, known);
  return known.flatMap((words) => words.find((path) => paths.has(path)) ?? []);
}

const interpreters = /^(?:python[\d.]*|node|bash|sh|Rscript|ruby|perl|julia)$/;
const program = /^(?:\.\/)?[\w-][\w./-]*\.(?:py|m?js|cjs|ts|sh|R|r|rb|pl|jl)$/;

/**
 * The program that a command starts by an interpreter, when it is a path inside the project and no file lies there. Only
 * where that is certain: its first two words, no option, variable or pattern among them, and no `cd` that leads elsewhere.
 */
export function missingProgram({ run = [] }: StepSpec, files: readonly string[]): string | undefined {
  const [interpreter = '', word = ''] = typeof run === 'string' ? run.trim().split(/\s+/) : run;
  if (!interpreters.test(interpreter) || !program.test(word)) return undefined;
  const path = normalize(word);
  return path.startsWith('..') || files.includes(path) ? undefined : path;
}

/**
 * A Python file of the step that imports another step's program, which it does not see unless `code` says so. Found by the
 * import statement; what is loaded in other ways is found when the step runs.
 */
export function hiddenImport(
  step: StepSpec,
  tree: readonly TreeFile[],
  steps: Steps,
  readText: (path: string) => string | undefined,
): { readonly file: string; readonly imports: string } | undefined {
  if (step.code !== undefined) return undefined;
  const seen = codeOf(step, tree, steps).map(({ path }) => path);
  const hidden = programsOf(steps, new Set(tree.map(({ path }) => path))).filter(
    (path) => path.endsWith('.py') && !seen.includes(path),
  );
  for (const file of seen.filter((path) => path.endsWith('.py')))
    for (const imports of hidden) {
      const module = basename(imports, '.py').replaceAll(/[^\w]/g, '');
      const statement = new RegExp(
        `^[ \\t]*(?:import|from)[ \\t]+(?:[\\w.]+[ \\t]*,[ \\t]*)*(?:[\\w.]*\\.)?${module}\\b`,
        'm',
      );
      if (dirname(file) === dirname(imports) && statement.test(readText(file) ?? '')) return { file, imports };
    }
  return undefined;
}
