import type { CheckSpec } from '#contracts/datasets';
import type { WorkerTaskInput, WorkerTaskOutput } from '#contracts/worker';
import type { JsonValue } from '#contracts/worker-tables';
import { isAppError } from '#platform/errors';
import { toJsonValue } from './json-value.ts';
import { type Session, type TableColumn, withSession } from './session.ts';
import { quoteName, quoteNames, quoteNumber, quoteText, readParquet } from './sql-quote.ts';
import { familyOf } from './table-columns.ts';
import type { TaskContext } from './task-context.ts';
import { workerErrors } from './worker-errors.ts';

type Outcome = WorkerTaskOutput<'check'>['checks'][number];
type DeepCheck = NonNullable<WorkerTaskInput<'check'>['checks']>[number];

/** What a check asks of the table: a condition that bad rows meet, or a verdict on the table as a whole. */
type Question =
  | { readonly kind: 'rows'; readonly bad: string }
  | { readonly kind: 'table'; readonly problem: string | undefined };

const shownRows = 20;
const order = 'file_index, file_row_number';

export async function check(context: TaskContext, input: WorkerTaskInput<'check'>): Promise<WorkerTaskOutput<'check'>> {
  const { paths, names = paths, checks } = input;
  return withSession(context, { read: paths }, async (session) => ({
    checks: await checkTable(session, paths, names, checks),
  }));
}

/** Every check against the table that the files make together; `names` is what failing rows call each file. */
export async function checkTable(
  session: Session,
  paths: readonly string[],
  names: readonly string[],
  checks: readonly DeepCheck[],
): Promise<readonly Outcome[]> {
  if (checks.length === 0) return [];
  const relation = readParquet(paths);
  const columns = await session.columns(relation);
  const rows = Number((await session.row(`select count(*) as n from ${relation}`))['n']);
  const outcomes: Outcome[] = [];
  for (const item of checks) {
    try {
      outcomes.push(await runCheck(session, { relation, columns, rows, names }, item as CheckSpec));
    } catch (error) {
      if (isAppError(error, 'SQL_INVALID')) throw workerErrors.CHECK_INVALID(JSON.stringify(item), error.message);
      throw error;
    }
  }
  return outcomes;
}

interface Table {
  readonly relation: string;
  readonly columns: readonly TableColumn[];
  readonly rows: number;
  readonly names: readonly string[];
}

async function runCheck(session: Session, table: Table, item: CheckSpec): Promise<Outcome> {
  const question = await askOf(session, table, item);
  if (question.kind === 'table')
    return question.problem === undefined
      ? { passed: true, failing: 0, rows: [] }
      : { passed: false, failing: table.rows, rows: [], reason: question.problem };
  const failure = { kind: 'sql', what: 'the check' } as const;
  const marked = `(select file_index, file_row_number, *, (${question.bad}) as ${badFlag} from ${table.relation})`;
  const count = await session.row(`select count(*) filter (${badFlag}) as failing from ${marked}`, failure);
  const failing = Number(count['failing']);
  if (failing === 0) return { passed: true, failing: 0, rows: [] };
  const bad = await session.rows(
    `select file_index, file_row_number, ${quoteNames(table.columns.map(({ name }) => name))} from ${marked} where ${badFlag} order by ${order} limit ${shownRows}`,
  );
  return { passed: false, failing, rows: bad.map((row) => toShownRow(row, table)) };
}

const badFlag = '_tidemill_bad';

function toShownRow(row: Readonly<Record<string, unknown>>, table: Table): Record<string, JsonValue> {
  const shown: Record<string, JsonValue> = {
    file: table.names[Number(row['file_index'])] ?? '',
    row: Number(row['file_row_number']),
  };
  for (const { name } of table.columns)
    shown[name] = toJsonValue((row[name] ?? null) as Parameters<typeof toJsonValue>[0]);
  return shown;
}

async function askOf(session: Session, table: Table, item: CheckSpec): Promise<Question> {
  if ('row_count' in item) return { kind: 'table', problem: rowCountProblem(table.rows, item.row_count) };
  const named = 'column' in item ? [item.column] : item.unique;
  const missing = named.find((name) => !table.columns.some((column) => column.name === name));
  if (missing !== undefined) return { kind: 'table', problem: `there is no column "${missing}"` };
  if ('unique' in item) return { kind: 'rows', bad: repeated(named) };
  const column = table.columns.find(({ name }) => name === item.column) as TableColumn;
  const value = quoteName(column.name);
  if ('type' in item) return { kind: 'table', problem: await typeProblem(session, column, item.type) };
  if ('not_null' in item) return { kind: 'rows', bad: `${value} is null` };
  if ('regex' in item)
    return {
      kind: 'rows',
      bad: `${value} is not null and not regexp_matches(${value}::varchar, ${quoteText(item.regex)})`,
    };
  if ('in' in item) return { kind: 'rows', bad: `${value} is not null and not (${isIn(column, item.in)})` };
  return { kind: 'rows', bad: outOfRange(value, item) };
}

/** Every row but the first of those that agree on all columns; rows with a null among them never agree. */
function repeated(columns: readonly string[]): string {
  const none = columns.map((name) => `${quoteName(name)} is null`).join(' or ');
  return `not (${none}) and row_number() over (partition by ${quoteNames(columns)} order by ${order}) > 1`;
}

function isIn(column: TableColumn, values: readonly (string | number | boolean)[]): string {
  const family = familyOf(column.type);
  const numbers = values.filter((value) => typeof value === 'number');
  const name = quoteName(column.name);
  if ((family === 'integer' || family === 'number') && numbers.length === values.length)
    return `${name}::double in (${numbers.map(quoteNumber).join(', ')})`;
  return `${name}::varchar in (${values.map((value) => quoteText(String(value))).join(', ')})`;
}

/** A value that is no number is out of every range. */
function outOfRange(value: string, { min, max }: { readonly min?: number; readonly max?: number }): string {
  const number = `try_cast(${value} as double)`;
  const outside = [
    `${number} is null`,
    ...(min === undefined ? [] : [`${number} < ${quoteNumber(min)}`]),
    ...(max === undefined ? [] : [`${number} > ${quoteNumber(max)}`]),
  ];
  return `${value} is not null and (${outside.join(' or ')})`;
}

function rowCountProblem(
  rows: number,
  { min, max }: { readonly min?: number; readonly max?: number },
): string | undefined {
  if (min !== undefined && rows < min) return `there are ${rows} rows, at least ${min} are wanted`;
  if (max !== undefined && rows > max) return `there are ${rows} rows, at most ${max} are wanted`;
  return undefined;
}

/** Types are compared as DuckDB writes them, so that `int` and `INTEGER` are one. */
async function typeProblem(session: Session, column: TableColumn, type: string): Promise<string | undefined> {
  const wanted = await session.rows(`select typeof(cast(null as ${quoteType(type)})) as type`, {
    kind: 'sql',
    what: `type ${type}`,
  });
  const text = String(wanted[0]?.['type']);
  return text === column.type ? undefined : `column "${column.name}" is ${column.type}, not ${text}`;
}

/** Types cannot be quoted; words, digits, commas and brackets are all that one needs. */
function quoteType(type: string): string {
  if (/^[A-Za-z][\w (),]*$/.test(type)) return type;
  throw workerErrors.CHECK_INVALID(`type ${type}`, 'that is no type of DuckDB');
}
