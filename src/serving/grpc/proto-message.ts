import { ProtoReader, wire } from './proto-reader.ts';
import { ProtoWriter } from './proto-writer.ts';

/**
 * Messages of protobuf described as data, with their TypeScript types: one description reads, writes, and is told to
 * those who ask by reflection (`file-descriptor.ts`). For the calls of administration; `ModelInfer`, which is asked
 * thousands of times a second, has a codec by hand (`infer-request-codec.ts`, `infer-response-codec.ts`).
 */
export interface Message<V = unknown> {
  /** With its package: `inference.ModelReadyRequest`. */
  readonly name: string;
  readonly fields: readonly NamedField[];
  /** Never there: carries the type. */
  readonly value?: V;
}

export type Scalar = 'bool' | 'int32' | 'int64' | 'uint32' | 'uint64' | 'float' | 'double' | 'string' | 'bytes';

export interface EnumType {
  readonly name: string;
  readonly values: Readonly<Record<string, number>>;
}

interface Field<T = unknown> {
  readonly number: number;
  readonly type: Scalar | Message | EnumType;
  readonly label: 'one' | 'many' | 'map';
  /** One of these is there, the others are undefined. */
  readonly oneof?: string;
  /** Never there: carries the type. */
  readonly value?: T;
}
export interface NamedField extends Field {
  readonly name: string;
}

interface ScalarValues {
  bool: boolean;
  int32: number;
  int64: number;
  uint32: number;
  uint64: number;
  float: number;
  double: number;
  string: string;
  bytes: Uint8Array;
}
type TypeValue<T> = T extends Scalar
  ? ScalarValues[T]
  : T extends EnumType
    ? number
    : T extends Message<infer V>
      ? V
      : never;

/** A field of one value: absent is false, 0, '' or, of a message, undefined. */
export function one<const T extends Scalar | EnumType | Message>(
  number: number,
  type: T,
): Field<T extends Scalar | EnumType ? TypeValue<T> : TypeValue<T> | undefined> {
  return { number, type, label: 'one' };
}

export function many<const T extends Scalar | EnumType | Message>(
  number: number,
  type: T,
): Field<readonly TypeValue<T>[]> {
  return { number, type, label: 'many' };
}

/** By a text. */
export function mapOf<const T extends Scalar | Message>(
  number: number,
  type: T,
): Field<Readonly<Record<string, TypeValue<T>>>> {
  return { number, type, label: 'map' };
}

export function choice<const T extends Scalar | Message>(
  oneof: string,
  number: number,
  type: T,
): Field<TypeValue<T> | undefined> {
  return { number, type, label: 'one', oneof };
}

type ValuesOf<F> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };
export type MessageValue<M> = M extends Message<infer V> ? V : never;

/** A message as it may be given to be written: what is left out is at its default. */
export type Loose<V> = V extends string | number | boolean | Uint8Array | undefined
  ? V
  : V extends readonly (infer U)[]
    ? readonly Loose<U>[]
    : { readonly [K in keyof V]?: Loose<V[K]> | undefined };

export function message<const F extends Readonly<Record<string, Field>>>(
  name: string,
  fields: F,
): Message<ValuesOf<F>> {
  return { name, fields: Object.entries(fields).map(([key, field]) => ({ ...field, name: key })) };
}

export const isMessage = (type: Field['type']): type is Message => typeof type === 'object' && 'fields' in type;

const wireTypes: Readonly<Record<Scalar, number>> = {
  bool: wire.varint,
  int32: wire.varint,
  int64: wire.varint,
  uint32: wire.varint,
  uint64: wire.varint,
  float: wire.fixed32,
  double: wire.fixed64,
  string: wire.bytes,
  bytes: wire.bytes,
};
const wireTypeOf = (type: Field['type']): number =>
  typeof type === 'string' ? wireTypes[type] : isMessage(type) ? wire.bytes : wire.varint;

/** Messages inside messages go no deeper than those described do; a reader of ours never calls itself endlessly. */
export function decodeMessage<V>(type: Message<V>, bytes: Buffer): V {
  return readMessage(type, new ProtoReader(bytes)) as V;
}

type Fields = Record<string, unknown>;

function readMessage({ fields }: Message, reader: ProtoReader): Fields {
  const value: Fields = {};
  for (const field of fields)
    value[field.name] = field.label === 'many' ? [] : field.label === 'map' ? {} : defaultOf(field);
  while (reader.more) {
    const tag = reader.tag();
    const field = fields.find(({ number }) => number === Math.floor(tag / 8));
    if (field === undefined) reader.skip(tag);
    else readField(field, tag & 7, value, reader);
  }
  return value;
}

function readField(field: NamedField, wireType: number, value: Fields, reader: ProtoReader): void {
  const { name, type, label } = field;
  const expected = label === 'map' ? wire.bytes : wireTypeOf(type);
  if (label === 'many' && wireType === wire.bytes && expected !== wire.bytes) {
    const outer = reader.enter();
    while (reader.more) (value[name] as unknown[]).push(readValue(type, reader));
    reader.leave(outer);
  } else if (wireType !== expected)
    reader.skip(field.number * 8 + wireType); // as every reader of protobuf does
  else if (label === 'map') readEntry(type, value[name] as Fields, reader);
  else if (label === 'many') (value[name] as unknown[]).push(readValue(type, reader));
  else value[name] = readValue(type, reader);
}

function readEntry(type: Field['type'], map: Fields, reader: ProtoReader): void {
  const entry = message('', { key: one(1, 'string'), value: one(2, type) });
  const outer = reader.enter();
  const { key, value } = readMessage(entry, reader);
  reader.leave(outer);
  // a plain assignment would lose the key `__proto__`
  Object.defineProperty(map, key as string, { value, enumerable: true, configurable: true, writable: true });
}

function readValue(type: Field['type'], reader: ProtoReader): unknown {
  if (isMessage(type)) {
    const outer = reader.enter();
    const value = readMessage(type, reader);
    reader.leave(outer);
    return value;
  }
  switch (type) {
    case 'bool':
      return reader.uint() !== 0;
    case 'string':
      return reader.text();
    case 'bytes': {
      const end = reader.chunkEnd();
      const { at } = reader;
      reader.at = end;
      return reader.bytes.subarray(at, end);
    }
    case 'float':
      return reader.float();
    case 'double':
      return reader.double();
    case 'uint32':
    case 'uint64':
      return reader.uint();
    case 'int64':
      return Number(reader.int64());
    default:
      return reader.int32();
  }
}

function defaultOf({ type, oneof }: NamedField): unknown {
  if (oneof !== undefined || isMessage(type)) return undefined;
  if (type === 'bool') return false;
  if (type === 'string') return '';
  return type === 'bytes' ? new Uint8Array() : 0;
}

/** Fields that are left out, undefined or at their default are not written. */
export function encodeMessage<V>(type: Message<V>, value: Loose<V>): Buffer {
  const writer = new ProtoWriter();
  for (const field of type.fields) {
    const given = (value as Fields)[field.name];
    if (given === undefined) continue;
    if (field.label === 'many') for (const item of given as readonly unknown[]) writeField(field, item, writer);
    else if (field.label === 'map') writeMap(field, given as Fields, writer);
    else if (field.oneof !== undefined || isMessage(field.type) || !isDefault(given)) writeField(field, given, writer);
  }
  return writer.finish();
}

const isDefault = (value: unknown): boolean =>
  value === false || value === 0 || value === '' || (value instanceof Uint8Array && value.length === 0);

function writeMap({ number, type }: NamedField, map: Fields, writer: ProtoWriter): void {
  const entry = message('', { key: one(1, 'string'), value: one(2, type) });
  for (const [key, value] of Object.entries(map)) writer.bytes(number, encodeMessage<unknown>(entry, { key, value }));
}

function writeField({ number, type }: NamedField, value: unknown, writer: ProtoWriter): void {
  if (isMessage(type)) return writer.bytes(number, encodeMessage(type, value as Fields));
  if (type === 'string') return writer.text(number, value as string);
  if (type === 'bytes') return writer.bytes(number, value as Uint8Array);
  writer.tag(number, wireTypeOf(type));
  if (type === 'double') writer.double(value as number);
  else if (type === 'float') writer.float(value as number);
  else if (type === 'bool') writer.uint(value === true ? 1 : 0);
  else if ((value as number) < 0) writer.uint64(BigInt(value as number));
  else writer.uint(value as number);
}
