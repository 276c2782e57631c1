import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import { isAppError } from '#platform/errors';
import { checkTable } from './check.ts';
import { describeParts } from './describe.ts';
import {
  assertJsonLines,
  assertNotEmpty,
  assertNothingRejected,
  failureOf,
  type Source,
  unionOf,
} from './read-source.ts';
import { type Session, withSession } from './session.ts';
import type { TaskContext } from './task-context.ts';
import { workerErrors } from './worker-errors.ts';

type Ingest = WorkerTaskInput<'ingest'>;
type Part = WorkerTaskOutput<'ingest'>;

/** Sources of one schema → one Parquet part, rows in input order. */
export async function ingest(context: TaskContext, input: Ingest): Promise<Part> {
  const access = { read: input.sources.map(({ path }) => path), write: [input.outputPath] };
  return withSession(context, access, (session) => writePart(session, input));
}

/** Each file → a part of its own; then the checks over all of them. */
export async function land(context: TaskContext, input: WorkerTaskInput<'land'>): Promise<WorkerTaskOutput<'land'>> {
  const { files, time, checks = [] } = input;
  const access = { read: files.map(({ path }) => path), write: files.map(({ outputPath }) => outputPath) };
  return withSession(context, access, async (session) => {
    const parts: Part[] = [];
    for (const { outputPath, ...source } of files)
      parts.push(await writePart(session, { sources: [source], outputPath, ...(time !== undefined && { time }) }));
    const paths = parts.map(({ path }) => path);
    const names = files.map(({ name, path }) => name ?? path);
    return { files: parts, checks: await checkTable(session, paths, names, checks) };
  });
}

async function writePart(session: Session, { sources, outputPath, time, expectedSchema }: Ingest): Promise<Part> {
  for (const source of sources) await assertNotEmpty(source);
  const file = await readNaming(session, sources, () =>
    session.writeParquet(outputPath, unionOf(sources), {
      failure: failureOf(sources[0] as Source),
      verify: () => assertNothingRejected(session, sources),
    }),
  );
  const name = sources.map((source) => source.name ?? source.path).join(', ');
  const described = await describeParts(session, [outputPath], time, name);
  const problems = (expectedSchema ?? []).flatMap((expected) => {
    const found = described.columns.find((column) => column.name === expected.name);
    if (found === undefined) return [`column "${expected.name}" is missing`];
    return found.type === expected.type ? [] : [`column "${found.name}" is ${found.type}, not ${expected.type}`];
  });
  if (problems.length > 0) throw workerErrors.SOURCE_SCHEMA_MISMATCH(name, problems);
  return { ...file, ...described, rows: file.rows };
}

/**
 * Of several sources DuckDB does not always say which one it cannot read: then each is read by itself. The line that it
 * names in JSON lines is not always the bad one, so that is looked up.
 */
async function readNaming<T>(session: Session, sources: readonly Source[], read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!isAppError(error, 'SOURCE_UNREADABLE')) throw error;
    for (const source of sources) {
      if (source.format === 'jsonl') await assertJsonLines(source);
      if (sources.length === 1) break;
      await session.run(`create or replace temp table probe as ${unionOf([source])}`, failureOf(source));
      await assertNothingRejected(session, [source]);
    }
    throw error;
  }
}
