import type { Session } from './session.ts';
import { quoteName } from './sql-quote.ts';
import { familyOf, toMs } from './table-columns.ts';

/** From when to when rows lie. */
export interface TimeSpan {
  readonly column: string;
  readonly fromMs: number;
  readonly untilMs: number;
  /** Rows whose time is known. */
  readonly rows: number;
  /** SQL of a row's time in milliseconds, null when it is not known. */
  readonly ms: string;
}

// What JavaScript can write as a date: a column of other integers, or of nanoseconds, holds none of ours.
const furthestMs = 8_640_000_000_000_000;

/** Or why there is none: it is asked for a warning, which must not make a task fail. */
export async function timeSpan(
  session: Session,
  relation: string,
  name: string,
): Promise<{ readonly span: TimeSpan; readonly why?: never } | { readonly span?: never; readonly why: string }> {
  const column = (await session.columns(relation)).find((one) => one.name === name);
  if (column === undefined) return { why: `they have no column "${name}"` };
  if (!['time', 'integer'].includes(familyOf(column.type)))
    return { why: `their column "${name}" is ${column.type}, not a time` };
  const given = toMs(quoteName(name), column, 'the rows');
  const ms = `(case when ${given} between ${-furthestMs} and ${furthestMs} then ${given} end)`;
  const row = await session.row(
    `select min(${ms}) as "from", max(${ms}) as "until", count(${ms}) as n from ${relation}`,
  );
  if (typeof row['from'] !== 'bigint') return { why: `their column "${name}" has no time` };
  return {
    span: { column: name, fromMs: Number(row['from']), untilMs: Number(row['until']), rows: Number(row['n']), ms },
  };
}
