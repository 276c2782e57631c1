import type { PushedTruths } from '#contracts/predictions';
import { CliError } from '../context.ts';

type Truth = PushedTruths[number];

const columns = ['prediction', 'key', 'eventTime', 'value', 'observedAt'];
const shape = `each has "prediction", or "key" and "eventTime"; "value"; and, if not now, "observedAt"`;

const refuse = (place: string, problem: string): CliError =>
  new CliError('TRUTH_UNREADABLE', 2, `${place}: ${problem}; ${shape}`);

/**
 * Truths of a text: CSV with a line of column names, or a JSON object a line, told by its first character. Several values
 * of a key are a JSON array in CSV too. The server checks ids and instants; here only what it could not place in a file.
 * @throws TRUTH_UNREADABLE
 */
export function parseTruths(text: string, name: string): readonly Truth[] {
  const records = text.trimStart().startsWith('{') ? readJsonLines(text, name) : readCsv(text, name);
  return records.map(({ line, fields }) => toTruth(fields, `${name}, line ${line}`));
}

/** A truth from what a line, or the options of a command, say. */
export function toTruth(fields: Readonly<Record<string, unknown>>, place: string): Truth {
  const unknown = Object.keys(fields).find((field) => !columns.includes(field));
  if (unknown !== undefined) throw refuse(place, `"${unknown}" is not known`);
  const { prediction, key, eventTime, observedAt } = fields;
  if ((prediction === undefined) === (key === undefined)) throw refuse(place, 'it must have one of prediction and key');
  if (key !== undefined && eventTime === undefined) throw refuse(place, 'a key needs its eventTime');
  if (prediction !== undefined && eventTime !== undefined) throw refuse(place, 'a prediction has its own event time');
  const value = readValue(fields['value'], place);
  const given = { value, ...(observedAt !== undefined && { observedAt }) };
  // ids, keys and instants are the server's to check
  return (prediction === undefined ? { key, eventTime, ...given } : { prediction, ...given }) as Truth;
}

function readValue(value: unknown, place: string): Truth['value'] {
  if (value === null || value === 'null') return null;
  if (typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) return value;
  if (value === 'true' || value === 'false') return value === 'true';
  if (typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value))) return Number(value);
  if (value === undefined) throw refuse(place, 'the value is missing: a number, true, false, or null (never known)');
  throw refuse(place, `the value ${JSON.stringify(value)} is no number, true, false or null`);
}

interface Row {
  readonly line: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

function readJsonLines(text: string, name: string): readonly Row[] {
  return text.split('\n').flatMap((content, at) => {
    if (content.trim() === '') return [];
    try {
      const fields: unknown = JSON.parse(content);
      if (typeof fields === 'object' && fields !== null) return { line: at + 1, fields: { ...fields } };
    } catch {
      // told below, with the place
    }
    throw refuse(`${name}, line ${at + 1}`, 'it is no JSON object');
  });
}

function readCsv(text: string, name: string): readonly Row[] {
  const [head, ...rows] = splitCsv(text);
  const titles = head?.cells.map((title) => title.trim()) ?? [];
  const strange = titles.find((title) => !columns.includes(title));
  if (head === undefined || strange !== undefined)
    throw refuse(`${name}, line 1`, `the column names must be of ${columns.join(', ')}, not "${strange ?? ''}"`);
  return rows.map(({ line, cells }) => {
    if (cells.length !== titles.length)
      throw refuse(`${name}, line ${line}`, `it has ${cells.length} fields where ${titles.length} are named`);
    const given = titles.map((title, at) => [title, cells[at] ?? ''] as const).filter(([, cell]) => cell !== '');
    return {
      line,
      fields: Object.fromEntries(given.map(([title, cell]) => [title, title === 'key' ? readKey(cell) : cell])),
    };
  });
}

/** A JSON array is several values; anything else is one, as it is written. */
export function readKey(text: string): unknown {
  if (!text.startsWith('[')) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** RFC 4180: fields in double quotes may hold commas, line ends and doubled quotes. Empty lines are left out. */
function splitCsv(text: string): readonly { readonly line: number; readonly cells: readonly string[] }[] {
  const rows: { line: number; cells: string[] }[] = [];
  let [line, first] = [1, 1];
  let cells: string[] = [];
  for (const [, quoted, plain = '', end = ''] of text
    .replace(/^\uFEFF/, '')
    .matchAll(/(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r?\n|$)/g)) {
    cells.push(quoted?.replaceAll('""', '"') ?? plain);
    line += (quoted?.split('\n').length ?? 1) - 1;
    if (end === ',') continue;
    if (end !== '') line += 1;
    if (cells.length > 1 || cells[0] !== '') rows.push({ line: first, cells });
    cells = [];
    first = line;
    if (end === '') break;
  }
  return rows;
}
