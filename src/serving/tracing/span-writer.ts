import { wire } from '../grpc/proto-reader.ts';
import { varintSize, writeVarint } from '../grpc/proto-writer.ts';

const two32 = 2 ** 32;
/** Up to here a loop over the characters is quicker than a call that leaves JavaScript. */
const shortText = 40;

/**
 * Protobuf into one buffer that grows, for messages in messages: each is begun, filled and ended, and its length is put
 * before it then. Kept from batch to batch, so that sending spans makes little that must be collected.
 */
export class SpanWriter {
  private buffer = Buffer.allocUnsafeSlow(64 * 1024);
  private at = 0;

  /** What was written; it is overwritten by the next batch. */
  finish(): Buffer {
    const written = this.buffer.subarray(0, this.at);
    this.at = 0;
    return written;
  }

  /** Gives the place by which it is ended. */
  begin(field: number): number {
    this.reserve(8);
    this.buffer[this.at] = (field << 3) | wire.bytes;
    this.at += 2; // a length of one byte is the usual one
    return this.at;
  }

  end(from: number): void {
    const length = this.at - from;
    const size = varintSize(length);
    if (size > 1) {
      this.reserve(size - 1);
      this.buffer.copyWithin(from + size - 1, from, this.at);
      this.at += size - 1;
    }
    writeVarint(this.buffer, from - 1, length);
  }

  text(field: number, value: string): void {
    this.reserve(value.length * 3 + 8);
    this.buffer[this.at] = (field << 3) | wire.bytes;
    if (!this.shortAscii(value)) {
      const length = Buffer.byteLength(value);
      this.at = writeVarint(this.buffer, this.at + 1, length);
      this.at += this.buffer.write(value, this.at);
    }
  }

  /** An id of so many bytes, given in hexadecimal. */
  id(field: number, hex: string): void {
    this.reserve(24);
    this.buffer[this.at] = (field << 3) | wire.bytes;
    this.buffer[this.at + 1] = hex.length / 2;
    this.at += 2 + this.buffer.write(hex, this.at + 2, 'hex');
  }

  /** A whole number that is not negative. */
  uint(field: number, value: number): void {
    this.reserve(12);
    this.buffer[this.at] = (field << 3) | wire.varint;
    this.at = writeVarint(this.buffer, this.at + 1, value);
  }

  double(field: number, value: number): void {
    this.reserve(12);
    this.buffer[this.at] = (field << 3) | wire.fixed64;
    this.at = this.buffer.writeDoubleLE(value, this.at + 1);
  }

  /** An instant of so many microseconds as the nanoseconds that a fixed64 holds: no double does. */
  nanoseconds(field: number, microseconds: number): void {
    this.reserve(12);
    const low = (microseconds % two32) * 1_000;
    this.buffer[this.at] = (field << 3) | wire.fixed64;
    this.buffer.writeUInt32LE(low % two32, this.at + 1);
    this.at = this.buffer.writeUInt32LE(
      Math.floor(microseconds / two32) * 1_000 + Math.floor(low / two32),
      this.at + 5,
    );
  }

  private shortAscii(value: string): boolean {
    const { length } = value;
    if (length > shortText) return false;
    const from = this.at + 2;
    for (let index = 0; index < length; index += 1) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      this.buffer[from + index] = code;
    }
    this.buffer[this.at + 1] = length;
    this.at = from + length;
    return true;
  }

  private reserve(count: number): void {
    if (this.at + count <= this.buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.at + count));
    this.buffer.copy(grown, 0, 0, this.at);
    this.buffer = grown;
  }
}
