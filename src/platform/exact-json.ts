import { randomUUID } from 'node:crypto';

/*
 * JSON of other people's programs, read and written again without loss. JavaScript's numbers lose what Python's keep: 1.0
 * is not 1 there, 12345678901234567890 has all its digits, and NaN and Infinity are written as such. A number that
 * JavaScript would write otherwise is carried as a text that only this process can make, and written as it was.
 */
const mark = `\u0000${randomUUID()}:`;
const escapedMark = JSON.stringify(mark).slice(1, -1);
const marked = new RegExp(`"${escapedMark.replaceAll('\\', '\\\\')}([^"]*)"`, 'g');

const numberToken = /-?(?:(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|NaN|Infinity)/y;
const colon = /\s*:/y;
/** Deeper nesting would exhaust the stack of whoever walks the value. */
const deepest = 200;

/** A JSON value; numbers that JavaScript cannot carry are in it as marked texts, see `numberText`. */
export type ExactJson = null | boolean | number | string | readonly ExactJson[] | { readonly [key: string]: ExactJson };

/** Whether JavaScript reads and writes this number as it stands. */
const isCarried = (token: string) => Number.isFinite(Number(token)) && String(Number(token)) === token;

function endOfText(text: string, start: number): number {
  let end = start;
  do {
    end = text.indexOf('"', end + 1);
    if (end === -1) throw new SyntaxError(`the text that begins at position ${start + 1} has no end`);
  } while (isEscaped(text, end));
  return end + 1;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === '\\') backslashes += 1;
  return backslashes % 2 === 1;
}

const oddNumber = /-?Infinity\b|NaN\b/g;

/**
 * The same JSON with the numbers that Python writes and JSON does not have as texts, `"NaN"`. Texts are stepped over by
 * hand: a regular expression that matches them runs out of stack on a long one, and takes ever longer on one without an
 * end. Throws SyntaxError for such a one.
 */
export function quoteOddNumbers(text: string): string {
  const pieces: string[] = [];
  for (let at = 0; at < text.length; ) {
    const quote = text.indexOf('"', at);
    const start = quote === -1 ? text.length : quote;
    pieces.push(text.slice(at, start).replaceAll(oddNumber, '"$&"'));
    at = quote === -1 ? start : endOfText(text, start);
    pieces.push(text.slice(start, at));
  }
  return pieces.join('');
}

/** Reads JSON; throws SyntaxError for what is none, and for what is nested deeper than 200 levels. */
export function parseExactJson(text: string): ExactJson {
  const pieces: string[] = [];
  let taken = 0;
  let depth = 0;
  for (let at = 0; at < text.length; ) {
    const character = text[at] ?? '';
    if (character === '"') {
      at = endOfText(text, at);
      continue;
    }
    if (character === '[' || character === '{') depth += 1;
    else if (character === ']' || character === '}') depth -= 1;
    if (depth > deepest) throw new SyntaxError(`it is nested deeper than ${deepest} levels`);
    numberToken.lastIndex = at;
    const token = /[-\dNI]/.test(character) ? numberToken.exec(text)?.[0] : undefined;
    if (token !== undefined && !isCarried(token)) {
      pieces.push(text.slice(taken, at), `"${escapedMark}${token}"`);
      taken = at + token.length;
      colon.lastIndex = taken;
      if (colon.test(text)) throw new SyntaxError(`${token} cannot name a field`);
    }
    at += token?.length ?? 1;
  }
  pieces.push(text.slice(taken));
  return JSON.parse(pieces.join('')) as ExactJson;
}

/** The digits of a number that is carried as a marked text. */
export function numberText(value: ExactJson): string | undefined {
  return typeof value === 'string' && value.startsWith(mark) ? value.slice(mark.length) : undefined;
}

/** The text that a value is; undefined for anything else, also for a number that is carried as one. */
export function plainText(value: ExactJson | undefined): string | undefined {
  return typeof value === 'string' && !value.startsWith(mark) ? value : undefined;
}

/** Writes what `parseExactJson` has read, each number as it was. */
export function writeExactJson(value: ExactJson): string {
  return JSON.stringify(value).replaceAll(marked, '$1');
}

export function isJsonObject(value: ExactJson | undefined): value is { readonly [key: string]: ExactJson } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The same value with the keys of each object in order, so that equal values are written equally. */
export function sortKeys(value: ExactJson): ExactJson {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, each]) => [key, sortKeys(each)]),
  );
}
