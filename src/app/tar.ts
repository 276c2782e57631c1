import { AppError } from '#platform/errors';

/**
 * The plain form of tar (ustar): 512-byte headers, content padded to 512, two empty blocks at the end. Any `tar` lists and
 * unpacks it. An archive without its end was cut off, and reading it says so.
 */
export interface TarEntry {
  readonly name: string;
  readonly sizeBytes: number;
  readonly content: AsyncIterable<Uint8Array>;
}

const block = 512;
/** What eleven octal digits hold; larger sizes are written in base 256, as GNU tar does. */
const largestOctal = 0o77777777777;

export async function* packTar(entries: AsyncIterable<TarEntry>): AsyncGenerator<Uint8Array> {
  for await (const { name, sizeBytes, content } of entries) {
    yield header(name, sizeBytes);
    let written = 0;
    for await (const chunk of content) {
      written += chunk.length;
      yield chunk;
    }
    if (written !== sizeBytes) throw new Error(`${name} has ${written} bytes, not ${sizeBytes}`);
    yield Buffer.alloc(padding(sizeBytes));
  }
  yield Buffer.alloc(2 * block);
}

/** Entries in order; the content of one is to be read, or is passed over, before the next is asked for. */
export async function* unpackTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const reader = createReader(source);
  for (;;) {
    const head = await reader.take(block);
    if (head.every((byte) => byte === 0)) return;
    const { name, sizeBytes } = parseHeader(head);
    let left = sizeBytes;
    async function* content(): AsyncGenerator<Uint8Array> {
      while (left > 0) {
        const chunk = await reader.some(left);
        left -= chunk.length;
        yield chunk;
      }
    }
    yield { name, sizeBytes, content: content() };
    while (left > 0) left -= (await reader.some(left)).length;
    await reader.take(padding(sizeBytes));
  }
}

const padding = (sizeBytes: number): number => (block - (sizeBytes % block)) % block;

function header(name: string, sizeBytes: number): Buffer {
  const head = Buffer.alloc(block);
  head.write(name, 0, 100, 'utf8');
  head.write('0000600\0', 100);
  head.write('0000000\0', 108);
  head.write('0000000\0', 116);
  if (sizeBytes <= largestOctal) head.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124);
  else {
    head.writeUInt8(0x80, 124);
    head.writeBigUInt64BE(BigInt(sizeBytes), 128);
  }
  head.write(`${Math.floor(Date.now() / 1000).toString(8)}\0`, 136);
  head.write('        0', 148); // the checksum counts as spaces; then the type: a file
  head.write('ustar\u000000', 257);
  head.write(`${checksum(head).toString(8).padStart(6, '0')}\0 `, 148);
  return head;
}

function parseHeader(head: Buffer): { readonly name: string; readonly sizeBytes: number } {
  const stored = Number.parseInt(head.toString('latin1', 148, 154), 8);
  const copy = Buffer.from(head);
  copy.fill(' ', 148, 156);
  if (stored !== checksum(copy)) throw damaged('a header does not add up');
  const end = head.indexOf(0);
  const sizeBytes =
    head.readUInt8(124) === 0x80
      ? Number(head.readBigUInt64BE(128))
      : Number.parseInt(head.toString('latin1', 124, 135), 8);
  return { name: head.toString('utf8', 0, Math.min(end, 100)), sizeBytes };
}

const checksum = (head: Buffer): number => head.reduce((total, byte) => total + byte, 0);

const damaged = (reason: string): AppError =>
  new AppError('BACKUP_DAMAGED', 'invalid', `this is no whole backup: ${reason}; take another one`);

function createReader(source: AsyncIterable<Uint8Array>) {
  const iterator = source[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  /** At least one byte, `most` at most. */
  async function some(most: number): Promise<Buffer> {
    while (rest.length === 0) {
      const next = await iterator.next();
      if (next.done === true) throw damaged('it ends too soon');
      rest = Buffer.from(next.value);
    }
    const chunk = rest.subarray(0, most);
    rest = rest.subarray(chunk.length);
    return chunk;
  }
  return {
    some,
    async take(count: number): Promise<Buffer> {
      const chunks: Buffer[] = [];
      for (let left = count; left > 0; ) {
        const chunk = await some(left);
        chunks.push(chunk);
        left -= chunk.length;
      }
      return Buffer.concat(chunks);
    },
  };
}
