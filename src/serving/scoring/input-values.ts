import type { BytesElement, Datatype, NumberData } from '#contracts/tensor';
import { readElement } from '#contracts/tensor-bytes';
import type { ParsedTensor } from '../infer-request.ts';
import type { JsonCursor } from '../rest/json-cursor.ts';
import { servingErrors } from '../serving-errors.ts';
import type { PlannedInput } from './row-plan.ts';

type Numbers = NumberData;
type Kind = 'float' | 'integer' | 'long' | 'boolean' | 'text';

const kinds: Readonly<Record<Datatype, Kind>> = {
  BOOL: 'boolean',
  INT8: 'integer',
  INT16: 'integer',
  INT32: 'integer',
  INT64: 'long',
  UINT8: 'integer',
  UINT16: 'integer',
  UINT32: 'integer',
  UINT64: 'long',
  FP16: 'float',
  BF16: 'float',
  FP32: 'float',
  FP64: 'float',
  BYTES: 'text',
};
const expected: Readonly<Record<Kind, string>> = {
  float: 'numbers',
  integer: 'whole numbers',
  long: 'whole numbers',
  boolean: 'true or false',
  text: 'texts',
};
/** No array that has to grow is shorter. */
const fewValues = 16;
const noNumbers = new Uint8Array(0);
const noTexts: BytesElement[] = [];
/** Booleans of a table are numbers where the model takes numbers, as in NumPy. */
const numberOf = (flag: boolean): number => (flag ? 1 : 0);

/**
 * The values of one input while a table is read: a typed array that grows, so that a cell costs its digits and no object.
 * What a value may become: an integer a float (rounded to it), a whole number any integer that holds it, true and false
 * the numbers 1 and 0; nothing is cut, wrapped or read out of a text.
 */
export class InputValues {
  readonly planned: PlannedInput;
  readonly kind: Kind;
  /** Whether a text may be written as `{"b64": …}`. */
  readonly readsBase64: boolean;
  hasNull = false;
  /** Dimensions of a row, free ones as the first row has them. */
  rowShape: readonly number[];
  /** Values of whole rows so far: where the next row begins. */
  length = 0;
  private readonly datatype: Datatype;
  private numbers: Numbers;
  private readonly texts: BytesElement[];

  constructor(planned: PlannedInput, readsBase64 = false) {
    this.planned = planned;
    this.readsBase64 = readsBase64;
    this.datatype = planned.declared.datatype;
    this.kind = kinds[this.datatype];
    this.rowShape = planned.rowShape;
    // Room for one row: most requests have one, and need no other array then.
    this.texts = this.kind === 'text' ? [] : noTexts;
    this.numbers = this.kind === 'text' ? noNumbers : allocate(this.datatype, Math.max(planned.width, 1));
  }

  /** Reads the value that comes next to the place `index`. */
  readCell(cursor: JsonCursor, index: number): void {
    const byte = cursor.peek();
    if (byte === 0x6e && cursor.word('null')) return this.setNull(index);
    if (this.kind === 'text') {
      if (byte !== 0x22 && !(byte === 0x7b && this.readsBase64)) throw this.refuse(cursor.describe(), index);
      this.texts[index] = byte === 0x22 ? cursor.string() : this.readBase64(cursor, index);
      return;
    }
    if (byte === 0x74 && cursor.word('true')) return this.setNumber(index, numberOf(true));
    if (byte === 0x66 && cursor.word('false')) return this.setNumber(index, numberOf(false));
    if (byte !== 0x2d && (byte < 0x30 || byte > 0x39)) throw this.refuse(cursor.describe(), index);
    if (this.kind === 'long') return this.setLong(index, cursor.tryInteger());
    this.setNumber(index, cursor.number());
  }

  /** Of a row whose signature leaves it free. */
  setDimension(depth: number, length: number): void {
    this.rowShape = this.rowShape.with(depth, length);
  }

  setNumber(index: number, value: number): void {
    if (this.kind === 'long') return this.setLong(index, Number.isSafeInteger(value) ? BigInt(value) : undefined);
    if (index >= this.numbers.length) this.grow(index);
    this.numbers[index] = value;
    const kept = this.numbers[index];
    if (this.kind === 'float' ? Number.isFinite(kept) : kept === value && (this.kind === 'integer' || value <= 1))
      return;
    throw this.refuse('a number that is none of these, or past what it can hold', index);
  }

  setLong(index: number, value: bigint | undefined): void {
    if (index >= this.numbers.length) this.grow(index);
    const longs = this.numbers as BigInt64Array;
    if (value !== undefined) longs[index] = value;
    if (value === undefined || longs[index] !== value)
      throw this.refuse('a number that is none of these, or past what it can hold', index);
  }

  setText(index: number, value: string): void {
    this.texts[index] = value;
  }

  /** NaN, or the empty text; whether the model allows it is found when all is read. */
  setNull(index: number): void {
    if (this.kind !== 'float' && this.kind !== 'text') throw this.refuse('null', index);
    this.hasNull = true;
    if (this.kind === 'text') {
      this.texts[index] = '';
      return;
    }
    if (index >= this.numbers.length) this.grow(index);
    this.numbers[index] = Number.NaN;
  }

  /** The tensor of so many rows, all of them set. */
  toTensor(rows: number): ParsedTensor {
    const { declared, width } = this.planned;
    const shape = [rows];
    let count = rows;
    for (const dimension of this.rowShape) {
      shape.push(Math.max(dimension, 0));
      count *= Math.max(dimension, 0);
    }
    const { numbers, datatype, hasNull } = this;
    return {
      name: declared.name,
      datatype,
      shape: declared.shape.length === 0 && rows === 1 && width === 1 ? [] : shape,
      data: this.kind === 'text' ? this.texts : numbers.length === count ? numbers : numbers.subarray(0, count),
      hasNull,
    };
  }

  refuse(found: string, index: number): Error {
    const { declared, width, columns } = this.planned;
    const perRow = width > 0 ? width : this.rowShape.reduce((product, d) => product * Math.max(d, 1), 1);
    const name = columns[index % perRow]?.name ?? declared.name;
    return servingErrors.REQUEST_MALFORMED(
      `"${name}" takes ${expected[this.kind]} (${this.datatype}); row ${Math.floor(index / perRow) + 1} has ${found}`,
    );
  }

  private readBase64(cursor: JsonCursor, index: number): BytesElement {
    const { b64 } = cursor.value() as { readonly b64?: unknown };
    if (typeof b64 !== 'string') throw this.refuse('an object without "b64"', index);
    const bytes = Buffer.from(b64, 'base64');
    return readElement(bytes, 0, bytes.length);
  }

  private grow(index: number): void {
    const larger = allocate(this.datatype, Math.max(this.numbers.length * 2, index + 1, fewValues));
    (larger as Float64Array).set(this.numbers as Float64Array); // one datatype: the arrays are of one kind
    this.numbers = larger;
  }
}

/** Small arrays lie on the heap of JavaScript this way, which a table of many columns and few rows lives by. */
function allocate(datatype: Datatype, count: number): Numbers {
  switch (datatype) {
    case 'INT8':
      return new Int8Array(count);
    case 'INT16':
      return new Int16Array(count);
    case 'INT32':
      return new Int32Array(count);
    case 'INT64':
      return new BigInt64Array(count);
    case 'UINT16':
      return new Uint16Array(count);
    case 'UINT32':
      return new Uint32Array(count);
    case 'UINT64':
      return new BigUint64Array(count);
    case 'FP32':
      return new Float32Array(count);
    case 'FP64':
      return new Float64Array(count);
    default:
      return new Uint8Array(count);
  }
}
