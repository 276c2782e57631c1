import type { DocumentProblem } from '#contracts/workspace';
import { nearestName } from '#platform/errors';
import type { ResourceKind, WorkspaceDocument } from '#platform/resource-kind';
import { documentSchema } from './document-schema.ts';
import { type DocumentPath, type DocumentSource, readDocument } from './document-source.ts';
import { createSchemaChecker } from './schema-problems.ts';

export type ParsedDocument =
  | { readonly ok: true; readonly document: WorkspaceDocument; readonly goal: unknown }
  | { readonly ok: false; readonly problems: readonly DocumentProblem[] };

let checker: ReturnType<typeof createSchemaChecker> | undefined; // compiled once: the schema never changes

/**
 * Parses a document and the files that it includes, checks it against the schema, then has each kind check what a schema
 * cannot say. Every problem is told at once, each with its place.
 */
export function parseWorkspaceDocument(
  path: string,
  readText: (path: string) => string | undefined,
  files: readonly string[],
  kinds: readonly ResourceKind<never>[],
): ParsedDocument {
  const text = readText(path);
  if (text === undefined)
    return {
      ok: false,
      problems: [
        { file: path, line: 1, column: 1, message: 'the snapshot has no such file', expected: 'tidemill.yaml' },
      ],
    };
  const main = readDocument(path, text);
  if (main.problems.length > 0) return { ok: false, problems: main.problems };
  if (main.value === null)
    return {
      ok: false,
      problems: [
        { file: path, line: 1, column: 1, message: 'the document is empty', expected: 'project: <name>, and sections' },
      ],
    };
  const known = kinds.map(({ section }) => section);
  const sources = [main, ...included(main, readText, files, known)];
  const broken = sources.flatMap(({ problems }) => problems);
  if (broken.length > 0) return { ok: false, problems: broken };
  checker ??= createSchemaChecker(documentSchema());
  const misfits = sources.flatMap((source, index) => {
    // an included file holds sections only; the project is named once
    const value = index === 0 ? source.value : { project: 'included', ...(source.value as object) };
    return (checker?.(value) ?? []).map((problem) => toProblem(source, problem));
  });
  if (misfits.length > 0) return { ok: false, problems: misfits };
  const { sections, owners, problems } = mergeSections(sources, kinds);
  const { project, goal } = main.value as { readonly project: string; readonly goal?: unknown };
  const document: WorkspaceDocument = { project, sections, files, readText };
  for (const kind of kinds)
    for (const [name, spec] of Object.entries(sections[kind.section] ?? {})) {
      const owner = owners.get(`${kind.section}/${name}`);
      if (owner === undefined || kind.check === undefined) continue;
      for (const problem of kind.check(name, spec as never, document))
        problems.push(toProblem(owner.source, { ...problem, of: 'value', path: [...owner.path, ...problem.path] }));
    }
  if (problems.length > 0)
    return { ok: false, problems: problems.toSorted((a, b) => a.line - b.line || a.column - b.column) };
  return { ok: true, document, goal };
}

/** An included file holds sections only: the project, its goal and what is included are said once, in the document. */
function included(
  main: DocumentSource,
  readText: (path: string) => string | undefined,
  files: readonly string[],
  sections: readonly string[],
): readonly DocumentSource[] {
  const paths = (main.value as { readonly include?: unknown } | null)?.include;
  if (!Array.isArray(paths)) return [];
  return paths.map(String).map((path, index, all): DocumentSource => {
    const refuse = (message: string, hint: Partial<DocumentProblem> = {}): DocumentSource => ({
      file: path,
      value: {},
      problems: [{ file: main.file, ...main.positionOf(['include', index]), message, ...hint }],
      positionOf: () => ({ line: 1, column: 1 }),
    });
    if (path === main.file || all.indexOf(path) < index) return refuse(`"${path}" is included twice`);
    const text = readText(path);
    if (text === undefined) {
      const nearest = nearestName(path, files);
      return refuse(`there is no file "${path}"`, {
        expected: 'a path inside the project, without * or ?',
        ...(nearest !== undefined && { nearest }),
      });
    }
    const source = readDocument(path, text);
    return { ...source, problems: [...source.problems, ...sectionsOnly(source, sections)] };
  });
}

function sectionsOnly(source: DocumentSource, sections: readonly string[]): readonly DocumentProblem[] {
  const { value } = source;
  if (value === undefined || value === null) return [];
  if (typeof value !== 'object' || Array.isArray(value))
    return [
      {
        file: source.file,
        ...source.positionOf([]),
        message: 'an included file is a mapping of sections',
        expected: sections.join(', '),
      },
    ];
  return ['project', 'goal', 'include']
    .filter((key) => key in value)
    .map((key) => ({
      file: source.file,
      ...source.positionOf([key], 'key'),
      message: `"${key}" stands in the document itself, not in what it includes`,
      expected: sections.join(', '),
    }));
}

interface Owner {
  readonly source: DocumentSource;
  readonly path: DocumentPath;
}

/** All sections by resource name, and where each resource stands. Declared twice is a problem. */
function mergeSections(sources: readonly DocumentSource[], kinds: readonly ResourceKind<never>[]) {
  const sections: Record<string, Record<string, unknown>> = {};
  const owners = new Map<string, Owner>();
  const problems: DocumentProblem[] = [];
  for (const source of sources)
    for (const kind of kinds) {
      const value = (source.value as Readonly<Record<string, unknown>>)[kind.section];
      if (value === undefined || value === null) continue;
      const entries: readonly (readonly [string, unknown, DocumentPath])[] = Array.isArray(value)
        ? value.map(
            (spec, index) => [kind.nameOf?.(spec as never) ?? String(index), spec, [kind.section, index]] as const,
          )
        : Object.entries(value).map(([name, spec]) => [name, spec, [kind.section, name]] as const);
      for (const [name, spec, path] of entries) {
        const other = owners.get(`${kind.section}/${name}`);
        if (other !== undefined)
          problems.push({
            file: source.file,
            ...source.positionOf(path, 'key'),
            message: `${kind.kind} "${name}" is declared twice, here and in ${placeOf(other)}`,
          });
        owners.set(`${kind.section}/${name}`, { source, path });
        sections[kind.section] = { ...sections[kind.section], [name]: spec };
      }
    }
  return { sections, owners, problems };
}

function toProblem(
  source: DocumentSource,
  problem: {
    readonly path: DocumentPath;
    readonly of: 'key' | 'value';
    readonly message: string;
    readonly expected?: string;
    readonly known?: readonly string[];
    readonly wrong?: string;
  },
): DocumentProblem {
  const wrong = problem.wrong ?? /"([^"]+)"[^"]*$/.exec(problem.message)?.[1];
  const nearest = problem.known === undefined || wrong === undefined ? undefined : nearestName(wrong, problem.known);
  return {
    file: source.file,
    ...source.positionOf(problem.path, problem.of),
    message: problem.message,
    ...(problem.expected !== undefined && problem.expected !== '' && { expected: problem.expected }),
    ...(nearest !== undefined && { nearest }),
  };
}

function placeOf({ source, path }: Owner): string {
  const { line, column } = source.positionOf(path, 'key');
  return `${source.file}:${line}:${column}`;
}
