import { defineErrors } from './errors.ts';

export const jsonLinesErrors = defineErrors({
  LINE_TOO_LONG: {
    kind: 'too_large',
    message: (line: number, maxBytes: number) => `line ${line} is longer than ${maxBytes} bytes`,
  },
  LINE_MALFORMED: {
    kind: 'invalid',
    message: (line: number, problem: string) => `line ${line} is not JSON: ${problem}`,
  },
});

export interface LineOptions {
  /** Default 16 MiB. */
  readonly maxLineBytes?: number;
}

/** The lines of a byte stream, without their ends (`\n` or `\r\n`); a last line needs no end. */
export async function* readLines(source: AsyncIterable<Uint8Array>, options: LineOptions = {}): AsyncGenerator<string> {
  const { maxLineBytes = 16 * 1024 * 1024 } = options;
  let pieces: Uint8Array[] = [];
  let pendingBytes = 0;
  let line = 1;
  const take = (last: Uint8Array) => {
    const text = Buffer.concat([...pieces, last]).toString('utf8');
    pieces = [];
    pendingBytes = 0;
    line += 1;
    return text.endsWith('\r') ? text.slice(0, -1) : text;
  };
  for await (const chunk of source) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      if (pendingBytes + end - from > maxLineBytes) throw jsonLinesErrors.LINE_TOO_LONG(line, maxLineBytes);
      yield take(chunk.subarray(from, end));
      from = end + 1;
    }
    if (from === chunk.length) continue;
    pieces.push(chunk.subarray(from));
    pendingBytes += chunk.length - from;
    if (pendingBytes > maxLineBytes) throw jsonLinesErrors.LINE_TOO_LONG(line, maxLineBytes);
  }
  if (pendingBytes > 0) yield take(new Uint8Array());
}

/** The values of a stream of JSON lines; blank lines are skipped. */
export async function* readJsonLines(source: AsyncIterable<Uint8Array>, options: LineOptions = {}): AsyncGenerator {
  let line = 0;
  for await (const text of readLines(source, options)) {
    line += 1;
    if (text.trim() === '') continue;
    yield parseLine(text, line);
  }
}

function parseLine(text: string, line: number): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw jsonLinesErrors.LINE_MALFORMED(line, error instanceof Error ? error.message : String(error));
  }
}

export function formatJsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
