import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { WorkerTaskInput } from '#contracts/worker';
import { readLines } from '#platform/json-lines';
import type { FailureContext } from './duckdb-error.ts';
import type { Session } from './session.ts';
import { quoteText, quoteTexts, readParquet } from './sql-quote.ts';
import { type SourceProblem, workerErrors } from './worker-errors.ts';

export type Source = WorkerTaskInput<'ingest'>['sources'][number];

const mends: Readonly<Record<Source['format'], string>> = {
  csv: 'Every line needs as many fields as the header, texts with a comma or a line break in quotes; other delimiters and types go into the options of the source',
  jsonl: 'Every line needs to be one whole JSON object',
  parquet: 'Write the file again, or fetch it again: it is damaged, cut short, or not Parquet',
};
const rejectsShown = 5;

/** What a file's failure is called in messages. */
export function failureOf(source: Source): Extract<FailureContext, { readonly kind: 'source' }> {
  return { kind: 'source', path: source.path, name: source.name ?? source.path, mend: mends[source.format] };
}

/** SQL that reads one source, rows in file order. Bad lines of a CSV are set aside: `assertNothingRejected` tells. */
export function readSource(source: Source): string {
  switch (source.format) {
    case 'parquet':
      return readParquet([source.path]);
    case 'jsonl':
      return `read_json(${quoteText(source.path)}, format = 'newline_delimited', sample_size = -1)`;
    default:
      return readCsv(source);
  }
}

function readCsv({ path, name, options = {} }: Source): string {
  const {
    delimiter = /\.tsv(?:\.gz)?$/i.test(name ?? path) ? '\t' : ',',
    quote = '"',
    header = true,
    nulls,
    types,
  } = options;
  // The dialect is said, never guessed: with one ragged line DuckDB's guess is a table of one column.
  const said = [
    `delim = ${quoteText(delimiter)}`,
    `quote = ${quoteText(quote)}`,
    `escape = ${quoteText(quote)}`,
    `header = ${header}`,
    'sample_size = -1',
    'strict_mode = true',
    'store_rejects = true',
    ...(nulls === undefined ? [] : [`nullstr = ${quoteTexts(nulls)}`]),
    ...(types === undefined ? [] : [`types = ${structOf(types)}`]),
  ];
  return `read_csv(${quoteText(path)}, ${said.join(', ')})`;
}

function structOf(types: Readonly<Record<string, string>>): string {
  return `{${Object.entries(types)
    .map(([name, type]) => `${quoteText(name)}: ${quoteText(type)}`)
    .join(', ')}}`;
}

/** DuckDB reads an empty file as a table without columns. @throws SOURCE_UNREADABLE */
export async function assertNotEmpty(source: Source): Promise<void> {
  const { name, mend } = failureOf(source);
  const found = await stat(source.path).catch(() => undefined);
  if (found === undefined) throw workerErrors.SOURCE_UNREADABLE({ file: name, reason: 'there is no such file', mend });
  if (found.size === 0) throw workerErrors.SOURCE_UNREADABLE({ file: name, reason: 'the file is empty', mend });
}

/** @throws SOURCE_UNREADABLE with the first bad line of the CSV files read so far in this session */
export async function assertNothingRejected(session: Session, sources: readonly Source[]): Promise<void> {
  if (sources.every(({ format }) => format !== 'csv')) return;
  const rejects = await session.rows(
    `select s.file_path as path, e.line, e.column_name, e.error_type, e.csv_line, e.error_message
     from reject_errors e join reject_scans s using (scan_id, file_id)
     order by e.line, e.column_idx limit ${rejectsShown}`,
  );
  const [first] = rejects;
  if (first === undefined) return;
  const source = sources.find(({ path }) => path === first['path']) ?? sources[0];
  if (source === undefined) return;
  const { name, mend } = failureOf(source);
  const column = first['column_name'];
  const problem: SourceProblem = {
    file: name,
    line: Number(first['line']),
    ...(typeof column === 'string' && column !== '' && { column }),
    reason: `${String(first['error_message']).split('\n')[0]?.replace(/\.$/, '')}, in "${String(first['csv_line']).slice(0, 200)}"${rejects.length > 1 ? `; lines ${rejects.map((row) => String(row['line'])).join(', ')} are bad too` : ''}`,
    mend,
  };
  throw workerErrors.SOURCE_UNREADABLE(problem);
}

/** @throws SOURCE_UNREADABLE with the first line that is no JSON object; compressed files are not looked into */
export async function assertJsonLines(source: Source): Promise<void> {
  if (/\.gz$/i.test(source.name ?? source.path)) return;
  const { name, mend } = failureOf(source);
  let line = 0;
  for await (const text of readLines(createReadStream(source.path))) {
    line += 1;
    const problem = text.trim() === '' ? undefined : jsonProblem(text);
    if (problem !== undefined)
      throw workerErrors.SOURCE_UNREADABLE({
        file: name,
        line,
        reason: `${problem}, in "${text.slice(0, 200)}"`,
        mend,
      });
  }
}

function jsonProblem(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'it is no JSON object';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Rows of several sources one after the other, columns by name. */
export function unionOf(sources: readonly Source[]): string {
  return sources.map((source) => `select * from ${readSource(source)}`).join(' union all by name ');
}
