import { huffmanLengths } from './hpack-tables.ts';
import { errorCodes, Http2Error } from './http2-error.ts';

const endSymbol = 256;
const failed = -1;

interface Node {
  /** By the next bit; undefined past the last bit of a code. */
  readonly next: [Node | undefined, Node | undefined];
  readonly symbol: number | undefined;
  /** May a text end here: within a byte of ones, which is padding. */
  readonly maybeLast: boolean;
  index: number;
}

/** The tree of the code, from the lengths alone. */
function makeTree(): { readonly root: Node; readonly inner: readonly Node[] } {
  const root: Node = { next: [undefined, undefined], symbol: undefined, maybeLast: true, index: 0 };
  const inner = [root];
  const symbols = huffmanLengths.map((length, symbol) => ({ length, symbol }));
  symbols.sort((one, other) => one.length - other.length || one.symbol - other.symbol);
  let code = 0;
  let before = 0;
  for (const { length, symbol } of symbols) {
    code = before === 0 ? 0 : (code + 1) * 2 ** (length - before);
    before = length;
    let node = root;
    for (let bit = length - 1; bit >= 0; bit -= 1) {
      const side = (code >>> bit) & 1;
      const maybeLast = node.maybeLast && side === 1 && length - bit < 8;
      const made: Node =
        bit === 0
          ? { next: [undefined, undefined], symbol, maybeLast, index: 0 }
          : { next: [undefined, undefined], symbol: undefined, maybeLast, index: inner.length };
      const known = node.next[side as 0 | 1];
      if (known === undefined) {
        node.next[side as 0 | 1] = made;
        if (bit > 0) inner.push(made);
      }
      node = known ?? made;
    }
  }
  return { root, inner };
}

/**
 * The tree as a machine that reads four bits at once: a code has five at least, so that each step ends one symbol at most.
 * By state * 16 + bits: the next state (or failed), and the symbol + 1 that it ends (or 0).
 */
function makeMachine() {
  const { root, inner } = makeTree();
  const states = new Int16Array(inner.length * 16);
  const symbols = new Uint16Array(inner.length * 16);
  for (const from of inner)
    for (let bits = 0; bits < 16; bits += 1) {
      let node: Node | undefined = from;
      for (let bit = 3; bit >= 0 && node !== undefined; bit -= 1) {
        node = node.next[((bits >> bit) & 1) as 0 | 1];
        if (node?.symbol === undefined) continue;
        if (node.symbol === endSymbol) node = undefined;
        else {
          symbols[from.index * 16 + bits] = node.symbol + 1;
          node = root;
        }
      }
      states[from.index * 16 + bits] = node?.index ?? failed;
    }
  return { states, symbols, maybeLast: inner.map((node) => node.maybeLast) };
}

const { states, symbols, maybeLast } = makeMachine();
let scratch = Buffer.allocUnsafe(1024);

/** A text in the Huffman code of HPACK (RFC 7541, 5.2), its bytes as characters. COMPRESSION_ERROR where it is none. */
export function readHuffman(bytes: Buffer, start: number, end: number): string {
  if (scratch.length < (end - start) * 2) scratch = Buffer.allocUnsafe((end - start) * 2); // a code has five bits at least
  let length = 0;
  let state = 0;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] as number;
    for (let bits = byte >> 4, half = 0; half < 2; half += 1, bits = byte & 15) {
      const step = state * 16 + bits;
      state = states[step] as number;
      if (state === failed) throw new Http2Error(errorCodes.COMPRESSION_ERROR, 'a text is not in the Huffman code');
      const symbol = symbols[step] as number;
      if (symbol !== 0) scratch[length++] = symbol - 1;
    }
  }
  if (maybeLast[state] !== true) throw new Http2Error(errorCodes.COMPRESSION_ERROR, 'a Huffman code is cut off');
  return scratch.toString('latin1', 0, length);
}
