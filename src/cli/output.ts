import type { Writable } from 'node:stream';
import type { WriteStream } from 'node:tty';
import { createColors } from 'picocolors';

/** Where a command's words go: data to standard output, talk to standard error, colour only on a terminal. */
export interface Output {
  readonly json: boolean;
  readonly colors: ReturnType<typeof createColors>;
  /** The command's result: itself with --json, `short` or nothing with --quiet, else as `human` writes it. */
  result(value: unknown, human: () => string, short?: string): void;
  /**
   * Rows: with --json `{ items, more }`, with --quiet the first column, on a terminal a table as wide as it, else fields
   * between tabs. That there is none is talk, so that a pipe reads no row.
   */
  list<Row>(
    items: readonly Row[],
    more: boolean,
    table: { readonly columns: readonly Column<Row>[]; readonly empty: string },
  ): void;
  /** A line for people on the way; silent with --json and --quiet. */
  say(line: string): void;
  /** One record of a stream: a line of JSON with --json. */
  line(value: unknown, human: () => string): void;
  /** What went wrong, with how to mend it. */
  fail(problem: { readonly code: string; readonly message: string; readonly details?: unknown }): void;
}

type Cell = string | number | boolean | null | undefined;

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => Cell;
  /** In a table on a terminal, in place of the value. */
  readonly short?: (row: Row) => Cell;
  /** What gives way on a narrow terminal before the others do. */
  readonly aside?: true;
}

export interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export function createOutput({ json, quiet, stdout, stderr, environment }: OutputOptions): Output {
  const colors = createColors(wantsColor(stdout, environment));
  const say = (line: string): void => {
    if (!json && !quiet) write(stderr, line);
  };
  return {
    json,
    colors,
    say,
    result(value, human, short) {
      if (json) write(stdout, JSON.stringify(value, undefined, 2));
      else if (!quiet) write(stdout, human());
      else if (short !== undefined) write(stdout, short);
    },
    list(items, more, { columns, empty }) {
      if (json) write(stdout, JSON.stringify({ items, more }, undefined, 2));
      else if (items.length === 0) say(empty);
      else if (quiet) write(stdout, formatFields(items, columns.slice(0, 1), false));
      else if (isTerminal(stdout)) {
        const shown = fittingColumns(items, columns, stdout.columns);
        write(stdout, formatTable(items, shown, '', stdout.columns));
        const hidden = columns.filter((column) => !shown.includes(column)).map(({ title }) => title.toUpperCase());
        if (hidden.length > 0) say(`not shown, for want of room: ${hidden.join(', ')}; --json has all`);
      } else write(stdout, formatFields(items, columns));
      if (more) say('there are more: --all lists them all');
    },
    line: (value, human) => write(stdout, json ? JSON.stringify(value) : human()),
    fail(problem) {
      if (json) write(stderr, JSON.stringify({ error: problem }, undefined, 2));
      else write(stderr, `${createColors(wantsColor(stderr, environment)).red('error')} ${problem.message}`);
    },
  };
}

function write(stream: Writable, text: string): void {
  stream.write(text.endsWith('\n') ? text : `${text}\n`);
}

function wantsColor(stream: Writable, environment: OutputOptions['environment']): boolean {
  if (environment['NO_COLOR']) return false;
  if (environment['FORCE_COLOR'] || environment['CLICOLOR_FORCE']) return true;
  return isTerminal(stream) && environment['TERM'] !== 'dumb';
}

const isTerminal = (stream: Writable): stream is WriteStream => 'isTTY' in stream && stream.isTTY === true;

/** Fields between tabs under a line of titles, for `cut` and its like. */
function formatFields<Row>(rows: readonly Row[], columns: readonly Column<Row>[], titles = true): string {
  const lines = rows.map((row) => columns.map((column) => cellText(column.value(row))).join('\t'));
  return [...(titles ? [columns.map(({ title }) => title.toUpperCase()).join('\t')] : []), ...lines].join('\n');
}

/** A column is not made narrower than this, however narrow the terminal is. */
const leastWidth = 8;
const gap = 2;

/**
 * Columns as wide as their widest value, cut until the table fits into `width`: first what stands aside, then the widest;
 * never what other commands are told, the first column and ids. Numbers stand right. `empty` is said instead of a table
 * without rows.
 */
export function formatTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  empty: string,
  width = Number.POSITIVE_INFINITY,
): string {
  if (rows.length === 0) return empty;
  const cells = shortCells(rows, columns);
  const texts = cells.map((line) => line.map(cellText));
  const wanted = widthsOf(columns, texts);
  const widths = fitted(wanted, width - gap * (columns.length - 1), columns);
  const right = columns.map((_, at) => cells.every((line) => line[at] === undefined || typeof line[at] === 'number'));
  const format = (line: readonly string[]) =>
    line
      .map((text, at) => {
        const room = widths[at] ?? 0;
        const shown = text.length > room ? `${text.slice(0, room - 1)}…` : text;
        return right[at] === true ? shown.padStart(room) : shown.padEnd(room);
      })
      .join(' '.repeat(gap))
      .trimEnd();
  return [columns.map(({ title }) => title.toUpperCase()), ...texts].map(format).join('\n');
}

type AnyColumn = Pick<Column<never>, 'title' | 'aside'>;

const widthsOf = (columns: readonly AnyColumn[], texts: readonly (readonly string[])[]): readonly number[] =>
  columns.map(({ title }, at) => Math.max(title.length, ...texts.map((line) => line[at]?.length ?? 0)));

/** What other commands are told. */
const isKept = ({ title }: AnyColumn, at: number): boolean => at === 0 || title === 'id';

/** The columns that have room, each as narrow as it may be: empty ones go first, then what stands aside, then from the right. */
function fittingColumns<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  width: number,
): readonly Column<Row>[] {
  const texts = shortCells(rows, columns).map((line) => line.map(cellText));
  const kept = columns.map(isKept);
  const least = widthsOf(columns, texts).map((wide, at) => (kept[at] === true ? wide : Math.min(wide, leastWidth)));
  const isEmpty = columns.map((_, at) => texts.every((line) => line[at] === '-'));
  const rank = (at: number): number => (isEmpty[at] === true ? 0 : columns[at]?.aside === true ? 1 : 2);
  const shown = new Set(columns.keys());
  const leaving = [...columns.keys()]
    .filter((at) => kept[at] !== true)
    .toSorted((one, other) => rank(one) - rank(other) || other - one);
  const needed = (): number => [...shown].reduce((sum, at) => sum + (least[at] ?? 0) + gap, -gap);
  for (const at of leaving) if (needed() > width) shown.delete(at);
  return columns.filter((_, at) => shown.has(at));
}

/** Takes from the widest column first, of those that stand aside before others. */
function fitted(wanted: readonly number[], room: number, columns: readonly AnyColumn[]): readonly number[] {
  const widths = [...wanted];
  let over = widths.reduce((sum, width) => sum + width, 0) - room;
  const stages = [columns.map(({ aside }) => aside === true), columns.map((column, at) => !isKept(column, at))];
  for (const gives of stages)
    while (over > 0) {
      const widest = Math.max(...widths.filter((_, at) => gives[at]));
      if (widest <= leastWidth) break;
      widths[widths.findIndex((width, at) => width === widest && gives[at] === true)] = widest - 1;
      over -= 1;
    }
  return widths;
}

const shortCells = <Row>(rows: readonly Row[], columns: readonly Column<Row>[]): readonly (readonly Cell[])[] =>
  rows.map((row) => columns.map(({ short, value }) => shortCell((short ?? value)(row))));

/** For reading: points in time to the second, numbers to five digits. */
function shortCell(value: Cell): Cell {
  if (typeof value === 'number') return roundedNumber(value);
  return typeof value === 'string' ? value.replace(/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+Z$/, '$1Z') : value;
}

/** As many digits as a person compares by. */
export const roundedNumber = (value: number): number =>
  Math.abs(value) >= 1e5 ? Math.round(value) : Number(value.toPrecision(5));

function cellText(value: Cell): string {
  if (value === undefined || value === null || value === '') return '-';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return String(value).replaceAll(/\s+/g, ' ');
}

/** A value for reading: `key: value` lines, nested things indented, absent ones left out. */
export function formatRecord(value: unknown, indent = ''): string {
  if (Array.isArray(value)) return value.map((item) => formatItem(item, indent)).join('\n');
  if (typeof value !== 'object' || value === null) return `${indent}${scalarText(value)}`;
  return Object.entries(value)
    .filter(([, field]) => field !== undefined && field !== null)
    .map(([key, field]) => {
      if (isScalar(field)) return `${indent}${key}: ${scalarText(field)}`;
      const inner = formatRecord(field, `${indent}  `);
      return inner === '' ? `${indent}${key}: none` : `${indent}${key}:\n${inner}`;
    })
    .join('\n');
}

function formatItem(item: unknown, indent: string): string {
  const text = formatRecord(item, `${indent}  `);
  return `${indent}- ${text.slice(indent.length + 2)}`;
}

function isScalar(value: unknown): boolean {
  return typeof value !== 'object' || value === null;
}

function scalarText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
