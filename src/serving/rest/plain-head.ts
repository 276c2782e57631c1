/**
 * The head of a request as almost all clients send it: one POST over HTTP/1.1, of a body whose length is said, and nothing
 * about how the connection goes on. What is any different is left to node:http, so this grammar is narrower than the one of
 * RFC 9112: there is nothing in it that two readers could take for two things.
 */
export interface PlainHead {
  readonly url: string;
  /** By their names in lower case, each once. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyBytes: number;
}

const requestLine = /^POST (\/[!-~]*) HTTP\/1\.1$/;
/** Blanks around a value are cut off by hand: a pattern would try all ways to divide them. */
const field = /^([\w!#$%&'*+.^`|~-]+):([\t -~]*)$/;
/** About the connection or the body's form. */
const notPlain: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'expect',
  'upgrade',
  'trailer',
  'http2-settings',
  'te',
]);

/** Undefined: leave it to node:http. `text` is all before the empty line. */
export function readPlainHead(text: string): PlainHead | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const url = requestLine.exec(first)?.[1];
  if (url === undefined) return undefined;
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, given, padded] = field.exec(line) ?? [];
    if (given === undefined || padded === undefined) return undefined;
    const [name, value] = [given.toLowerCase(), padded.trim()];
    if (notPlain.has(name) || Object.hasOwn(headers, name) || name === '__proto__') return undefined;
    if (name === 'connection' && value.toLowerCase() !== 'keep-alive') return undefined;
    headers[name] = value;
  }
  const length = headers['content-length'];
  if (headers['host'] === undefined || length === undefined || !/^\d{1,9}$/.test(length)) return undefined;
  return { url, headers, bodyBytes: Number(length) };
}
