import { isUtf8 } from 'node:buffer';
import { servingErrors } from '../serving-errors.ts';

const powersOfTen = Float64Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);
const maxDepth = 64;
/** Of a number that `floats` reads: ten roundings of a double at most, which `relativeSlack` covers. */
const maxPlainDigits = 24;
const relativeSlack = 2 ** -48;
const marks: readonly number[] = [0x2c, 0x3a, 0x5d, 0x7d];

/** Short texts that were met, by their length and some of their bytes: bodies say the same names again and again. */
const metTexts: (string | undefined)[] = Array.from({ length: 256 });
const maxMetLength = 16;

/** ASCII as a text, which a loop compares sooner than a call makes. */
function plainText(bytes: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length === 0 || length > maxMetLength) return bytes.toString('latin1', start, end);
  const place = (((bytes[start] as number) << 3) ^ ((bytes[end - 1] as number) << 1) ^ length) & 0xff;
  const met = metTexts[place];
  if (met !== undefined && met.length === length) {
    let same = 0;
    while (same < length && met.charCodeAt(same) === bytes[start + same]) same += 1;
    if (same === length) return met;
  }
  return (metTexts[place] = bytes.toString('latin1', start, end));
}

/**
 * Reads JSON straight from bytes, strictly (RFC 8259). Exists because JSON.parse loses integers beyond 2^53 and makes an
 * array of boxed numbers that would be copied once more; reading into typed arrays is exact and quicker.
 */
export class JsonCursor {
  at = 0;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Bytes not taken yet. */
  get remaining(): number {
    return this.bytes.length - this.at;
  }

  fail(expected: string): never {
    throw servingErrors.REQUEST_MALFORMED(
      `the body is not valid: expected ${expected} at byte ${this.at}, found ${this.describe()}`,
    );
  }

  /** What kind of thing comes next, in words: what it is stays with the caller. */
  describe(): string {
    const byte = this.peek();
    if (byte === -1) return 'the end';
    if (byte === 0x22) return 'a text';
    if (byte === 0x5b) return 'a list';
    if (byte === 0x7b) return 'an object';
    if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) return 'a number';
    for (const word of ['true', 'false', 'null'])
      if (this.bytes.toString('latin1', this.at, this.at + word.length) === word) return word;
    return marks.includes(byte) ? `"${String.fromCharCode(byte)}"` : 'no JSON value';
  }

  /** The next byte that is no blank, not taken; -1 at the end. */
  peek(): number {
    for (;;) {
      const byte = this.bytes[this.at];
      if (byte === undefined) return -1;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
      this.at += 1;
    }
  }

  /** Takes the byte when it comes next. */
  take(byte: number): boolean {
    if (this.peek() !== byte) return false;
    this.at += 1;
    return true;
  }

  expect(byte: number): void {
    if (!this.take(byte)) this.fail(`"${String.fromCharCode(byte)}"`);
  }

  end(): void {
    if (this.peek() !== -1) this.fail('the end of the body');
  }

  /** Takes `true`, `false` or `null` when it comes next. */
  word(word: string): boolean {
    this.peek();
    for (let index = 0; index < word.length; index += 1)
      if (this.bytes[this.at + index] !== word.charCodeAt(index)) return false;
    this.at += word.length;
    return true;
  }

  string(): string {
    this.expect(0x22);
    const start = this.at;
    let ascii = true;
    let escaped = false;
    for (;;) {
      const byte = this.bytes[this.at];
      if (byte === undefined || byte < 0x20) this.fail('the end of a string');
      if (byte === 0x22) break;
      if (byte === 0x5c) {
        escaped = true;
        this.at += 1; // the byte that is escaped cannot end the string
      } else if (byte > 0x7f) ascii = false;
      this.at += 1;
    }
    const end = this.at;
    this.at += 1;
    if (ascii && !escaped) return plainText(this.bytes, start, end);
    if (!ascii && !isUtf8(this.bytes.subarray(start, end))) {
      this.at = start;
      this.fail('UTF-8');
    }
    return escaped ? (this.parseSlice(start - 1, end + 1) as string) : this.bytes.toString('utf8', start, end);
  }

  /** A number and, for those that a double may not hold exactly, its text. */
  number(): number {
    this.peek();
    const { bytes } = this;
    const start = this.at;
    let at = start;
    const negative = bytes[at] === 0x2d;
    if (negative) at += 1;
    let mantissa = 0;
    const firstDigit = at;
    for (let byte = bytes[at] as number; byte >= 0x30 && byte <= 0x39; byte = bytes[at] as number) {
      mantissa = mantissa * 10 + (byte - 0x30);
      at += 1;
    }
    let digits = at - firstDigit;
    if (digits === 0 || (digits > 1 && bytes[firstDigit] === 0x30)) this.fail('a number');
    let scale = 0;
    if (bytes[at] === 0x2e) {
      at += 1;
      const fraction = at;
      for (let byte = bytes[at] as number; byte >= 0x30 && byte <= 0x39; byte = bytes[at] as number) {
        mantissa = mantissa * 10 + (byte - 0x30);
        at += 1;
      }
      scale = at - fraction;
      if (scale === 0) this.fail('a number');
      digits += scale;
    }
    const exponent = bytes[at] === 0x65 || bytes[at] === 0x45;
    if (exponent) {
      at += 1;
      if (bytes[at] === 0x2b || bytes[at] === 0x2d) at += 1;
      const first = at;
      while ((bytes[at] as number) >= 0x30 && (bytes[at] as number) <= 0x39) at += 1;
      if (at === first) this.fail('a number');
    }
    this.at = at;
    // Exact by Clinger's fast path: both the digits and the power of ten are doubles without error.
    if (!exponent && digits <= 15 && scale <= 22) {
      const value = scale === 0 ? mantissa : mantissa / (powersOfTen[scale] as number);
      return negative ? -value : value;
    }
    return Number(bytes.toString('latin1', start, at));
  }

  /**
   * Reads plain numbers (no exponent) with commas between them into `target`, from `from` on and before `end`; says how
   * many. Stops behind the last of them, or where it stood when the first value is none: `number` reads the others and says
   * what is wrong. One loop without calls, since most of a request's bytes are these.
   */
  floats(target: Float32Array | Float64Array, from: number, end: number): number {
    const { bytes } = this;
    const single = target instanceof Float32Array;
    let at = this.at;
    let index = from;
    while (index < end) {
      let byte = bytes[at] as number;
      while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++at] as number;
      const start = at;
      if (byte === 0x2d) byte = bytes[++at] as number;
      const first = at;
      let mantissa = 0;
      while (byte >= 0x30 && byte <= 0x39) {
        mantissa = mantissa * 10 + (byte - 0x30);
        byte = bytes[++at] as number;
      }
      let digits = at - first;
      if (digits === 0 || (digits > 1 && bytes[first] === 0x30)) break;
      let scale = 0;
      if (byte === 0x2e) {
        byte = bytes[++at] as number;
        const fraction = at;
        while (byte >= 0x30 && byte <= 0x39) {
          mantissa = mantissa * 10 + (byte - 0x30);
          byte = bytes[++at] as number;
        }
        scale = at - fraction;
        digits += scale;
        if (scale === 0) break;
      }
      if ((byte !== 0x2c && byte !== 0x5d) || digits > maxPlainDigits || scale > 22) break;
      let value = scale === 0 ? mantissa : mantissa / (powersOfTen[scale] as number);
      // Up to 15 digits the quotient is exact (Clinger). With more it is off by less than `slack`, which for a value of
      // single precision decides nothing unless the middle between two of them lies that near.
      const slack = value * relativeSlack;
      if (digits > 15 && !(single && Math.fround(value - slack) === Math.fround(value + slack)))
        value = Number(bytes.toString('latin1', first, at));
      target[index] = start === first ? value : -value;
      index += 1;
      this.at = at;
      if (byte === 0x5d) break;
      at += 1;
    }
    return index - from;
  }

  /** An integer of any length, exactly. */
  integer(): bigint {
    const start = this.at;
    const value = this.tryInteger();
    if (value !== undefined) return value;
    this.at = start;
    return this.fail('an integer');
  }

  /** A number, exactly, when it is an integer of at most 40 digits; undefined for another. */
  tryInteger(): bigint | undefined {
    this.peek();
    const start = this.at;
    const value = this.number();
    if (Number.isSafeInteger(value)) return BigInt(value);
    const text = this.bytes.toString('latin1', start, this.at);
    return /^-?\d{1,40}$/.test(text) ? BigInt(text) : undefined;
  }

  /** Any value, by JSON.parse: for the small parts of a body. */
  value(): unknown {
    this.peek();
    const start = this.at;
    if (this.bytes[start] === 0x5b) {
      const list = this.smallNaturals();
      if (list !== undefined) return list;
      this.at = start;
    }
    this.skip();
    return this.parseSlice(start, this.at);
  }

  /** A list of a few natural numbers, as a shape is; undefined, and anywhere, for another value. */
  private smallNaturals(): number[] | undefined {
    const list: number[] = [];
    this.at += 1;
    do {
      this.peek();
      let value = 0;
      const first = this.at;
      for (let byte = this.bytes[first] as number; byte >= 0x30 && byte <= 0x39; byte = this.bytes[this.at] as number) {
        value = value * 10 + (byte - 0x30);
        this.at += 1;
      }
      const digits = this.at - first;
      if (digits === 0 || digits > 9 || (digits > 1 && this.bytes[first] === 0x30) || list.length === 16)
        return undefined;
      list.push(value);
    } while (this.take(0x2c));
    return this.take(0x5d) ? list : undefined;
  }

  /** Steps over a value. Brackets and strings are checked; JSON.parse or a reader sees to the rest. */
  skip(): void {
    let depth = 0;
    do {
      const byte = this.peek();
      if (byte === -1) this.fail('a value');
      else if (byte === 0x22) this.string();
      else {
        this.at += 1;
        if (byte === 0x7b || byte === 0x5b) depth += 1;
        else if (byte === 0x7d || byte === 0x5d) depth -= 1;
        else if (byte !== 0x2c && byte !== 0x3a) this.skipScalar();
        if (depth < 0 || depth > maxDepth) this.fail('a value');
      }
    } while (depth > 0);
  }

  private skipScalar(): void {
    for (;;) {
      const byte = this.bytes[this.at];
      if (byte === undefined || byte <= 0x20 || byte === 0x2c || byte === 0x3a || byte === 0x5d || byte === 0x7d)
        return;
      this.at += 1;
    }
  }

  private parseSlice(start: number, end: number): unknown {
    try {
      return JSON.parse(this.bytes.toString('utf8', start, end));
    } catch {
      this.at = start;
      return this.fail('a JSON value');
    }
  }
}
