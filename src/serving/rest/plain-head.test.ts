import { createServer, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { readPlainHead } from './plain-head.ts';

const usual = [
  'POST /v2/models/a/infer?x=1 HTTP/1.1',
  'Host: localhost:7879',
  'Content-Type: application/json',
  'Content-Length: 12',
];
const read = (...lines: string[]) => readPlainHead(lines.join('\r\n'));

test('the head of a usual request is read, with names in lower case and values trimmed', () => {
  expect(read(...usual, 'X-Tidemill-Key:  a b\t', 'connection: Keep-Alive', 'empty:')).toEqual({
    url: '/v2/models/a/infer?x=1',
    headers: {
      host: 'localhost:7879',
      'content-type': 'application/json',
      'content-length': '12',
      'x-tidemill-key': 'a b',
      connection: 'Keep-Alive',
      empty: '',
    },
    bodyBytes: 12,
  });
});

const [first = '', host = '', type = '', length = ''] = usual;
const left: Readonly<Record<string, readonly string[]>> = {
  'another method': ['GET / HTTP/1.1', host, length],
  'HTTP/1.0': ['POST / HTTP/1.0', host, length],
  'a whole URL': ['POST http://a/ HTTP/1.1', host, length],
  'a space within the path': ['POST /a b HTTP/1.1', host, length],
  'bytes past ASCII in the path': ['POST /\u00e4 HTTP/1.1', host, length],
  'two spaces before the path': ['POST  / HTTP/1.1', host, length],
  'an empty line first': ['', ...usual],
  'no host': [first, type, length],
  'two hosts': [...usual, host],
  'no length': [first, host, type],
  'two lengths': [...usual, length],
  'a length with a sign': [first, host, 'content-length: +1'],
  'a length in hexadecimal': [first, host, 'content-length: 0x1'],
  'lengths in a list': [first, host, 'content-length: 1, 1'],
  'a length past any body': [first, host, 'content-length: 9999999999'],
  'a body in chunks': [...usual, 'Transfer-Encoding: chunked'],
  'a body in chunks, said oddly': [...usual, 'transfer-encoding : chunked'],
  'a client that waits to go on': [...usual, 'Expect: 100-continue'],
  'another protocol to go on in': [...usual, 'Upgrade: h2c'],
  'a connection that closes': [...usual, 'Connection: close'],
  'a space before the colon': [...usual, 'a : b'],
  'a line that goes on': [...usual, ' folded'],
  'a line feed within a line': [...usual, 'a: b\ntransfer-encoding: chunked'],
  'a carriage return within a line': [...usual, 'a: b\rc'],
  'a NUL': [...usual, 'a: b\0'],
  'bytes past ASCII in a value': [...usual, 'a: \u00e4'],
  'no colon': [...usual, 'a'],
  'no name': [...usual, ': b'],
  'a name twice': [...usual, 'a: b', 'A: c'],
  'a name that objects have': [...usual, '__proto__: b'],
};
test.each(Object.entries(left))('%s is left to node:http', (_, lines) => {
  expect(read(...lines)).toBeUndefined();
});

test('blanks take no more time than other characters', () => {
  const startedMs = performance.now();
  for (const value of [' ', '\t', 'a '].map((text) => `b:${text.repeat(1_500)}\0`))
    expect(read(...usual, value)).toBeUndefined();
  expect(read(...usual, `b: c${' '.repeat(4_000)}`)?.headers['b']).toBe('c');
  expect(performance.now() - startedMs).toBeLessThan(300); // each way to divide them between three parts is minutes
});

test('whatever is read here, node:http reads as the same', async () => {
  const seen: { url: string | undefined; headers: IncomingHttpHeaders; body: string }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString('latin1')));
    request.on('end', () => {
      seen.push({ url: request.url, headers: request.headers, body });
      response.end();
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const answerTo = (bytes: string) =>
    new Promise<string>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => void socket.end(bytes, 'latin1'));
      let text = '';
      socket.on('data', (part: Buffer) => (text += part.toString()));
      socket.on('error', () => resolve(text));
      socket.on('close', () => resolve(text));
    });
  const odd = fc.constantFrom(
    '\r',
    '\n',
    '\r\n',
    '\t',
    ' ',
    ':',
    ',',
    ';',
    '\0',
    '\x7f',
    '\xe4',
    '0',
    'Content-Length: 3',
    '"',
  );
  const change = fc.record({ at: fc.nat(140), cut: fc.nat(3), put: odd });
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 3 }), async (changes) => {
      let text = [...usual, 'A-b: c d'].join('\r\n');
      for (const { at, cut, put } of changes) text = text.slice(0, at) + put + text.slice(at + cut);
      const head = readPlainHead(text);
      if (head === undefined) return;
      accepted += 1;
      const body = 'x'.repeat(Math.min(head.bodyBytes, 200));
      seen.length = 0;
      const answer = await answerTo(`${text}\r\n\r\n${body}`);
      expect(answer).toMatch(head.bodyBytes === body.length ? /^HTTP\/1\.1 200 / : /^/);
      if (head.bodyBytes !== body.length) return;
      expect(seen).toEqual([{ url: head.url, headers: head.headers, body }]);
    }),
    { numRuns: 600 },
  );
  expect(accepted).toBeGreaterThan(40);
});
