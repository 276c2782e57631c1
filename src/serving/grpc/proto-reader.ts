import { servingErrors } from '../serving-errors.ts';

/** Wire types of protobuf: https://protobuf.dev/programming-guides/encoding/ */
export const wire = { varint: 0, fixed64: 1, bytes: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const;

const two32 = 2 ** 32;

/**
 * Walks over the fields of a protobuf message in a buffer that came from outside: whatever the bytes, it ends, takes no
 * memory for what they promise, and throws REQUEST_MALFORMED alone. A message inside is read by `enter` and `leave` on
 * the same reader, so that nothing is made for it.
 */
export class ProtoReader {
  readonly bytes: Buffer;
  at: number;
  end: number;

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get more(): boolean {
    return this.at < this.end;
  }

  /** Field number and wire type, as `number << 3 | type`. */
  tag(): number {
    const tag = this.uint();
    if (tag < 8 || tag >= two32) this.fail('a field number');
    return tag;
  }

  /** A varint as a number: exact up to 2^53, near to it above; a negative int64 is a number past 2^63. */
  uint(): number {
    const { bytes, end } = this;
    let at = this.at;
    const first = at < end ? (bytes[at] as number) : 0x80;
    if (first < 0x80) {
      this.at = at + 1;
      return first;
    }
    let value = 0;
    let scale = 1;
    for (let length = 0; length < 10 && at < end; length += 1) {
      const byte = bytes[at] as number; // `at` lies before the end
      at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        this.at = at;
        return value;
      }
      scale *= 128;
    }
    return this.fail('a whole number');
  }

  /** A varint in all its 64 bits. */
  uint64(): bigint {
    const from = this.at;
    const near = this.uint();
    if (near <= Number.MAX_SAFE_INTEGER) return BigInt(near);
    let value = 0n;
    for (let at = this.at - 1; at >= from; at -= 1) value = (value << 7n) | BigInt((this.bytes[at] as number) & 0x7f);
    return BigInt.asUintN(64, value);
  }

  int64(): bigint {
    return BigInt.asIntN(64, this.uint64());
  }

  /** An int32: negative ones take ten bytes on the wire, as if they were 64 bits wide. */
  int32(): number {
    return Number(BigInt.asIntN(32, this.uint64()));
  }

  float(): number {
    const at = this.pass(4, 'four bytes');
    return this.bytes.readFloatLE(at);
  }

  double(): number {
    const at = this.pass(8, 'eight bytes');
    return this.bytes.readDoubleLE(at);
  }

  text(): string {
    const length = this.length();
    const at = this.at;
    this.at += length;
    return this.bytes.toString('utf8', at, at + length);
  }

  /** The end of what `length` says lies ahead; it is not read. */
  chunkEnd(): number {
    const length = this.length();
    return this.at + length;
  }

  /** Goes into the message that begins here; gives what `leave` needs. */
  enter(): number {
    const outer = this.end;
    this.end = this.chunkEnd();
    return outer;
  }

  leave(outer: number): void {
    this.end = outer;
  }

  /** Passes by the value of a field that is not known here, groups too. */
  skip(tag: number): void {
    let depth = 0;
    let type = tag & 7;
    for (;;) {
      if (type === wire.varint) this.uint();
      else if (type === wire.fixed64) this.pass(8, 'eight bytes');
      else if (type === wire.fixed32) this.pass(4, 'four bytes');
      else if (type === wire.bytes) this.at = this.chunkEnd();
      else if (type === wire.startGroup) depth += 1;
      else if (type === wire.endGroup && depth > 0) depth -= 1;
      else this.fail('a field');
      if (depth === 0) return;
      type = this.tag() & 7;
    }
  }

  fail(expected: string): never {
    throw servingErrors.REQUEST_MALFORMED(`the message is no protobuf: expected ${expected} at byte ${this.at}`);
  }

  private length(): number {
    const length = this.uint();
    if (length > this.end - this.at) this.fail(`${length} more bytes`);
    return length;
  }

  private pass(count: number, what: string): number {
    const { at } = this;
    if (count > this.end - at) this.fail(what);
    this.at = at + count;
    return at;
  }
}
