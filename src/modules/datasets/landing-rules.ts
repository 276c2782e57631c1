import type { Column, DatasetSpec, SourceFormat } from '#contracts/datasets';
import { parseGlob } from '#contracts/glob';
import type { SourceFile } from './dataset-types.ts';
import { datasetsErrors } from './datasets-errors.ts';

/**
 * Which of the files that a source matches now are new. What was landed before must still be there, unchanged.
 * @throws DATASET_SOURCE_CHANGED, DATASET_SOURCE_MISSING; DATASET_SOURCE_MOVED when the source no longer asks for them
 */
export function newFiles(
  dataset: string,
  landed: readonly Pick<SourceFile, 'path' | 'sha256'>[],
  found: readonly SourceFile[],
  source: string,
): readonly SourceFile[] {
  const now = new Map(found.map((file) => [file.path, file]));
  for (const { path, sha256 } of landed) {
    const file = now.get(path);
    if (file === undefined) {
      const outside = outsideOf(source, landed);
      if (outside.length > 0) throw datasetsErrors.DATASET_SOURCE_MOVED(dataset, source, outside);
      throw datasetsErrors.DATASET_SOURCE_MISSING(dataset, path);
    }
    if (file.sha256 !== sha256) throw datasetsErrors.DATASET_SOURCE_CHANGED(dataset, path);
    now.delete(path);
  }
  return [...now.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function outsideOf(source: string, landed: readonly { readonly path: string }[]): readonly string[] {
  const { matches } = parseGlob(source);
  return landed.map(({ path }) => path).filter((path) => !matches(path));
}

/** What a landing of these files would find, by their names alone: nothing is read for it. */
export function compareFiles(
  landed: readonly { readonly path: string }[],
  found: readonly string[],
): { readonly fresh: readonly string[]; readonly missing: readonly string[] } {
  const [before, now] = [new Set(landed.map(({ path }) => path)), new Set(found)];
  return { fresh: found.filter((path) => !before.has(path)), missing: [...before].filter((path) => !now.has(path)) };
}

const formats: readonly (readonly [RegExp, SourceFormat])[] = [
  [/\.(?:csv|tsv)(?:\.gz)?$/i, 'csv'],
  [/\.(?:jsonl|ndjson)(?:\.gz)?$/i, 'jsonl'],
  [/\.(?:parquet|pq)$/i, 'parquet'],
];

/** @throws DATASET_FORMAT_UNKNOWN */
export function formatOf(spec: DatasetSpec, path: string): SourceFormat {
  const format = spec.format ?? formats.find(([pattern]) => pattern.test(path))?.[1];
  if (format === undefined) throw datasetsErrors.DATASET_FORMAT_UNKNOWN(path);
  return format;
}

/** How new columns fail to fit those before; empty when they fit. With `grow`, columns may come but not go. */
export function schemaProblems(
  before: readonly Column[],
  now: readonly Column[],
  rule: 'fixed' | 'grow',
): readonly string[] {
  const [old, fresh] = [before, now].map((columns) => new Map(columns.map(({ name, type }) => [name, type])));
  const problems: string[] = [];
  for (const [name, type] of old ?? []) {
    const found = fresh?.get(name);
    if (found === undefined) problems.push(`column "${name}" is gone`);
    else if (found !== type) problems.push(`column "${name}" is ${found}, was ${type}`);
  }
  if (rule === 'fixed')
    for (const name of fresh?.keys() ?? [])
      if (old?.has(name) !== true) problems.push(`column "${name}" is new (schema: grow allows that)`);
  return problems;
}

/** Columns of old and new parts together, in order of appearance. */
export function mergeColumns(before: readonly Column[], now: readonly Column[]): readonly Column[] {
  const merged = new Map(before.map((column) => [column.name, column]));
  for (const column of now) {
    const known = merged.get(column.name);
    merged.set(column.name, known === undefined ? column : { ...known, nullable: known.nullable || column.nullable });
  }
  return [...merged.values()];
}
