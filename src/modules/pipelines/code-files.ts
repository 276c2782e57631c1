import { dirname } from 'node:path/posix';
import { globToRegExp } from '#contracts/glob';
import type { StepSpec } from '#contracts/pipelines';
import type { TreeFile } from '#contracts/tree';

const neverCode = /^tidemill\.ya?ml$/;

/**
 * The files of a snapshot that a step sees, and whose content is part of its cache key: those that `code` matches; by
 * default all files in the folders of the files that its command names; all files when it names none.
 */
export function codeOf(step: StepSpec, tree: readonly TreeFile[]): readonly TreeFile[] {
  const files = tree.filter(({ path }) => !neverCode.test(path));
  if (step.code !== undefined) {
    const patterns = step.code.map(globToRegExp);
    return files.filter(({ path }) => patterns.some((pattern) => pattern.test(path)));
  }
  const words = (typeof step.run === 'string' ? [step.run] : step.run).flatMap((text) => text.split(/[\s"'=;|&()<>]+/));
  const named = files.filter(({ path }) => words.some((word) => word === path || word === `./${path}`));
  if (named.length === 0) return files;
  const folders = named.map(({ path }) => dirname(path));
  if (folders.includes('.')) return files;
  return files.filter(({ path }) => folders.some((folder) => path.startsWith(`${folder}/`)));
}
