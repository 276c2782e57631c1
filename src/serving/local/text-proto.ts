/*
 * Protocol buffers in their text form, as in Triton's config.pbtxt, without a schema: every field is a list of what was
 * given for it. https://protobuf.dev/reference/protobuf/textformat-spec/ (no extensions, no `Any`).
 */
export type TextProtoValue = string | number | boolean | TextProto;
export interface TextProto {
  readonly [field: string]: readonly TextProtoValue[];
}

/** Where a text cannot be read on. */
export class TextProtoError extends Error {}

const space = /(?:\s+|#[^\n]*)*/y;
const identifier = /[A-Za-z_][A-Za-z0-9_]*/y;
const number = /[-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)[fF]?/y;
const quoted = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/y;
const mostNested = 32;

/** @throws TextProtoError with the line at which it cannot be read */
export function parseTextProto(text: string): TextProto {
  const cursor = createCursor(text);
  const message = readFields(cursor, undefined, 0);
  cursor.end();
  return message;
}

interface Cursor {
  /** Takes what the pattern matches here, after any space; undefined when it does not. */
  match(pattern: RegExp): string | undefined;
  take(character: string): boolean;
  fail(wanted: string): never;
  end(): void;
}

function createCursor(text: string): Cursor {
  let at = 0;
  const skip = () => {
    space.lastIndex = at;
    at += space.exec(text)?.[0].length ?? 0;
  };
  const cursor: Cursor = {
    match(pattern) {
      skip();
      pattern.lastIndex = at;
      const found = pattern.exec(text)?.[0];
      at += found?.length ?? 0;
      return found;
    },
    take(character) {
      skip();
      if (text[at] !== character) return false;
      at += 1;
      return true;
    },
    fail(wanted) {
      const line = text.slice(0, at).split('\n').length;
      const found = at === text.length ? 'the end of the file' : JSON.stringify(text.slice(at, at + 12));
      throw new TextProtoError(`line ${line}: ${wanted} is expected, found ${found}`);
    },
    end() {
      skip();
      if (at < text.length) cursor.fail('a field');
    },
  };
  return cursor;
}

function readFields(cursor: Cursor, close: string | undefined, depth: number): TextProto {
  if (depth > mostNested) cursor.fail(`at most ${mostNested} levels of nesting`);
  const fields = new Map<string, TextProtoValue[]>();
  while (close === undefined || !cursor.take(close)) {
    const name = cursor.match(identifier);
    if (name === undefined) {
      if (close === undefined) break;
      return cursor.fail(`a field or "${close}"`);
    }
    const values = fields.get(name) ?? [];
    fields.set(name, values);
    const isScalar = cursor.take(':');
    if (cursor.take('[')) {
      if (!cursor.take(']')) {
        do values.push(readValue(cursor, isScalar, depth));
        while (cursor.take(','));
        if (!cursor.take(']')) cursor.fail('"," or "]"');
      }
    } else values.push(readValue(cursor, isScalar, depth));
    if (!cursor.take(',')) cursor.take(';');
  }
  return Object.fromEntries(fields);
}

function readValue(cursor: Cursor, isScalar: boolean, depth: number): TextProtoValue {
  if (cursor.take('{')) return readFields(cursor, '}', depth + 1);
  if (cursor.take('<')) return readFields(cursor, '>', depth + 1);
  if (!isScalar) cursor.fail('":" or "{"');
  let text: string | undefined;
  for (let part = cursor.match(quoted); part !== undefined; part = cursor.match(quoted))
    text = (text ?? '') + unquote(part);
  if (text !== undefined) return text;
  const digits = cursor.match(number);
  if (digits !== undefined) return Number(digits.replace(/(?<!0[xX][0-9a-fA-F]*)[fF]$/, ''));
  const word = cursor.match(identifier);
  if (word === undefined) return cursor.fail('a value');
  return word === 'true' || word === 'false' ? word === 'true' : word;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b', f: '\f', v: '\v' };

function unquote(part: string): string {
  return part
    .slice(1, -1)
    .replaceAll(/\\(?:[xX]([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))/g, (_, hex?: string, octal?: string, other?: string) =>
      hex !== undefined
        ? String.fromCharCode(Number.parseInt(hex, 16))
        : octal !== undefined
          ? String.fromCharCode(Number.parseInt(octal, 8))
          : (escapes[other ?? ''] ?? other ?? ''),
    );
}
