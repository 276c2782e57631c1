import { malformed, otlpErrors } from './otlp-errors.ts';

/*
 * Reads protobuf's wire format (https://protobuf.dev/programming-guides/encoding/): fields are a number and a wire type,
 * then a varint (0), eight bytes (1), a length and so many bytes (2), or four bytes (5). Nothing outside the buffer is
 * read, and no length is believed. Two bytes may be a message that takes hundreds in memory, so they are counted.
 */
const maxMessages = 1_000_000;
const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

export class ProtobufReader {
  private readonly buffer: Buffer;
  private at: number;
  private readonly end: number;
  private type = 0;
  /** Of the whole, shared by all readers of it. */
  private readonly read: { messages: number };

  constructor(buffer: Buffer, start = 0, end = buffer.length, read = { messages: 0 }) {
    this.buffer = buffer;
    this.read = read;
    this.at = start;
    this.end = end;
  }

  /** The number of the next field; undefined at the end of the message. */
  field(): number | undefined {
    if (this.at >= this.end) return undefined;
    const tag = this.varint();
    this.type = Number(tag & 7n);
    const number = Number(tag >> 3n);
    if (number < 1 || number > 536_870_911) throw malformed('a field has no number');
    return number;
  }

  private need(length: number): number {
    const start = this.at;
    if (length > this.end - start) throw malformed('it ends in the middle of a field');
    this.at = start + length;
    return start;
  }

  private varint(): bigint {
    const first = this.buffer[this.need(1)] ?? 0;
    if (first < 0x80) return BigInt(first);
    let value = BigInt(first & 0x7f);
    for (let shift = 7n; shift < 70n; shift += 7n) {
      const byte = this.buffer[this.need(1)] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw malformed('a number has more than 64 bits');
  }

  private expect(type: number): void {
    if (this.type !== type) throw malformed(`a field has the wire type ${this.type} in the place of ${type}`);
  }

  unsigned(): bigint {
    this.expect(wire.varint);
    return this.varint();
  }

  signed(): bigint {
    return BigInt.asIntN(64, this.unsigned());
  }

  /** An enum or a small count; what is beyond becomes 0, as an unknown value does. */
  small(): number {
    const value = this.unsigned();
    return value < 1000n ? Number(value) : 0;
  }

  fixed64(): bigint {
    this.expect(wire.fixed64);
    return this.buffer.readBigUInt64LE(this.need(8));
  }

  double(): number {
    this.expect(wire.fixed64);
    return this.buffer.readDoubleLE(this.need(8));
  }

  private length(): number {
    this.expect(wire.bytes);
    const length = this.varint();
    if (length > BigInt(this.end - this.at)) throw malformed('it ends in the middle of a field');
    return Number(length);
  }

  text(): string {
    const length = this.length();
    const start = this.need(length);
    return this.buffer.toString('utf8', start, start + length);
  }

  bytes(encoding: 'hex' | 'base64'): string {
    const length = this.length();
    const start = this.need(length);
    return this.buffer.toString(encoding, start, start + length);
  }

  message(): ProtobufReader {
    this.read.messages += 1;
    if (this.read.messages > maxMessages) throw otlpErrors.OTLP_TOO_LARGE(maxMessages, 'parts');
    const length = this.length();
    const start = this.need(length);
    return new ProtobufReader(this.buffer, start, start + length, this.read);
  }

  /** Passes over a field that is not known here. */
  skip(): void {
    if (this.type === wire.varint) this.varint();
    else if (this.type === wire.fixed64) this.need(8);
    else if (this.type === wire.bytes) this.need(this.length());
    else if (this.type === wire.fixed32) this.need(4);
    else throw malformed(`the wire type ${this.type} is not known`);
  }
}
