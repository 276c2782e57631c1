import { wire } from './proto-reader.ts';

/** Writes protobuf into a buffer that grows: for the calls that are asked now and then. `ModelInfer` has its own. */
export class ProtoWriter {
  private buffer = Buffer.allocUnsafe(256);
  private length = 0;

  tag(field: number, type: number): void {
    this.uint(field * 8 + type);
  }

  /** A whole number of at most 2^53. */
  uint(value: number): void {
    this.reserve(10);
    this.length = writeVarint(this.buffer, this.length, value);
  }

  /** All 64 bits, of negative numbers too. */
  uint64(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    this.reserve(10);
    while (rest > 0x7fn) {
      this.buffer[this.length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.buffer[this.length++] = Number(rest);
  }

  float(value: number): void {
    this.reserve(4);
    this.length = this.buffer.writeFloatLE(value, this.length);
  }

  double(value: number): void {
    this.reserve(8);
    this.length = this.buffer.writeDoubleLE(value, this.length);
  }

  text(field: number, value: string): void {
    this.bytes(field, Buffer.from(value));
  }

  /** A field of bytes, a text or a message. */
  bytes(field: number, value: Uint8Array): void {
    this.tag(field, wire.bytes);
    this.uint(value.length);
    this.reserve(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
  }

  finish(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  private reserve(count: number): void {
    if (this.length + count <= this.buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.length + count));
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }
}

export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size += 1;
  return size;
}

/** Writes a whole number of at most 2^53; returns where it ended. */
export function writeVarint(buffer: Buffer, at: number, value: number): number {
  let rest = value;
  let next = at;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) buffer[next++] = (rest % 128) | 0x80;
  buffer[next++] = rest;
  return next;
}
