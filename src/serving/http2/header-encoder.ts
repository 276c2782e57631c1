/**
 * A header block of these fields: HPACK (RFC 7541) of literals that no table keeps, so that a block is the same for every
 * connection and may be made once. Names are lower case; all is ASCII.
 */
export function encodeHeaders(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  let size = 0;
  for (const [name, value] of fields) size += 1 + textSize(name) + textSize(value);
  const block = Buffer.allocUnsafe(size);
  let at = 0;
  for (const [name, value] of fields) {
    block[at++] = 0;
    at = writeText(block, at, name);
    at = writeText(block, at, value);
  }
  return block;
}

/** Of the length before a text: seven bits, and seven in each byte more. */
const lengthSize = (length: number): number =>
  length < 127 ? 1 : length < 127 + 128 ? 2 : length < 127 + 16_384 ? 3 : 4;
const textSize = (text: string): number => lengthSize(text.length) + text.length;

function writeText(block: Buffer, start: number, text: string): number {
  let at = start;
  if (text.length < 127) block[at++] = text.length;
  else {
    block[at++] = 127;
    let rest = text.length - 127;
    for (; rest > 127; rest >>= 7) block[at++] = (rest & 127) | 128;
    block[at++] = rest;
  }
  return at + block.write(text, at, 'latin1');
}
