import type { Writable } from 'node:stream';
import { createColors } from 'picocolors';

/** Where a command's words go: data to standard output, talk to standard error, colour only on a terminal. */
export interface Output {
  readonly json: boolean;
  readonly colors: ReturnType<typeof createColors>;
  /** The command's result: itself with --json, else as `human` writes it. */
  result(value: unknown, human: () => string): void;
  /** A line for people on the way; silent with --json. */
  say(line: string): void;
  /** One record of a stream: a line of JSON with --json. */
  line(value: unknown, human: () => string): void;
  /** What went wrong, with how to mend it. */
  fail(problem: { readonly code: string; readonly message: string; readonly details?: unknown }): void;
}

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number | boolean | null | undefined;
}

export interface OutputOptions {
  readonly json: boolean;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export function createOutput({ json, stdout, stderr, environment }: OutputOptions): Output {
  const colors = createColors(wantsColor(stdout, environment));
  return {
    json,
    colors,
    result: (value, human) => write(stdout, json ? JSON.stringify(value, undefined, 2) : human()),
    line: (value, human) => write(stdout, json ? JSON.stringify(value) : human()),
    say: (line) => {
      if (!json) write(stderr, line);
    },
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
  return 'isTTY' in stream && stream.isTTY === true && environment['TERM'] !== 'dumb';
}

/** Columns as wide as their widest value; numbers stand right. `empty` is said instead of a table without rows. */
export function formatTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], empty: string): string {
  if (rows.length === 0) return empty;
  const cells = rows.map((row) => columns.map((column) => column.value(row)));
  const texts = cells.map((line) => line.map(cellText));
  const widths = columns.map(({ title }, at) => Math.max(title.length, ...texts.map((line) => line[at]?.length ?? 0)));
  const right = columns.map((_, at) => cells.every((line) => line[at] === undefined || typeof line[at] === 'number'));
  const format = (line: readonly string[]) =>
    line
      .map((text, at) => (right[at] === true ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd();
  return [columns.map(({ title }) => title.toUpperCase()), ...texts].map(format).join('\n');
}

function cellText(value: string | number | boolean | null | undefined): string {
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
