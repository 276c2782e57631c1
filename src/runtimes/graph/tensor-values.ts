import {
  type BytesElement,
  type Datatype,
  emptyData,
  isHalf,
  type NumberData,
  type Tensor,
  type TensorData,
  toNumberFrom,
} from '#contracts/tensor';
import { runtimeErrors } from '../runtime-errors.ts';

/** The values of a tensor as numbers; 64-bit integers beyond 2^53 lose their last digits. */
export function numbersOf({ datatype, data }: Tensor): Float64Array | Float32Array {
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  if (isHalf(datatype)) return Float64Array.from(data as Uint16Array, toNumberFrom(datatype));
  return Float64Array.from({ length: data.length }, (_, index) => Number(data[index]));
}

/** The values of a tensor as texts: what map and one_hot compare by. Bytes that are no text are like none. */
export function valuesOf(tensor: Tensor): readonly string[] {
  const { datatype, data } = tensor;
  if (datatype === 'BYTES') return (data as readonly BytesElement[]).map(toText);
  if (datatype === 'BOOL') return Array.from(data as Uint8Array, (value) => String(value !== 0));
  if (isHalf(datatype)) return Array.from(numbersOf(tensor), String);
  return Array.from({ length: data.length }, (_, index) => String(data[index]));
}

/** No text has a half of a surrogate pair alone, so these are equal to none. */
const toText = (element: BytesElement): string =>
  typeof element === 'string' ? element : `\udc80${Buffer.from(element).toString('latin1')}`;

type IntegerType = Exclude<Datatype, 'BOOL' | 'BYTES' | 'FP16' | 'BF16' | 'FP32' | 'FP64'>;
const ranges: Readonly<Record<IntegerType, readonly [bigint, bigint]>> = {
  INT8: [-128n, 127n],
  INT16: [-32_768n, 32_767n],
  INT32: [-(2n ** 31n), 2n ** 31n - 1n],
  INT64: [-(2n ** 63n), 2n ** 63n - 1n],
  UINT8: [0n, 255n],
  UINT16: [0n, 65_535n],
  UINT32: [0n, 2n ** 32n - 1n],
  UINT64: [0n, 2n ** 64n - 1n],
};

/** A tensor of constants. */
export function toData(datatype: Datatype, values: readonly (string | number | boolean)[]): TensorData {
  if (datatype === 'BYTES') return values.map(String);
  const data = emptyData(datatype, values.length);
  for (const [index, value] of values.entries())
    put(data, index, datatype, typeof value === 'boolean' ? Number(value) : value);
  return data;
}

/** The same values as another datatype. Nothing is cut or wrapped: what does not fit is refused with its place. */
export function castValues(tensor: Tensor, to: Datatype): TensorData {
  const { datatype, data } = tensor;
  if (datatype === to) return data;
  if (to === 'BYTES') return valuesOf(tensor);
  const cast = emptyData(to, data.length);
  const given: ArrayLike<BytesElement | number | bigint> = isHalf(datatype) ? numbersOf(tensor) : data;
  for (let index = 0; index < data.length; index += 1) put(cast, index, to, given[index] ?? 0);
  return cast;
}

function put(data: NumberData, index: number, to: Datatype, value: BytesElement | number | bigint): void {
  if (value instanceof Uint8Array)
    throw runtimeErrors.MODEL_RUN_FAILED(`value ${index}: bytes that are no text are no ${to}`);
  const refuse = () =>
    runtimeErrors.MODEL_RUN_FAILED(
      `value ${index}: ${typeof value === 'string' ? JSON.stringify(value) : String(value)} is no ${to}`,
    );
  if (to === 'FP32' || to === 'FP64') {
    const isMissing = value === '' || value === 'NaN';
    const number = isMissing ? Number.NaN : Number(value);
    if (typeof value === 'string' && !isMissing && (value.trim() === '' || Number.isNaN(number))) throw refuse();
    data[index] = number;
  } else if (to === 'BOOL') {
    const truth = truths.get(String(value));
    if (truth === undefined) throw refuse();
    data[index] = truth;
  } else {
    const whole = toWhole(value);
    const [least, most] = ranges[to as IntegerType];
    if (whole === undefined || whole < least || whole > most) throw refuse();
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[index] = whole;
    else data[index] = Number(whole);
  }
}

const truths: ReadonlyMap<string, number> = new Map([
  ['0', 0],
  ['1', 1],
  ['false', 0],
  ['true', 1],
]);

function toWhole(value: string | number | bigint): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'string') return /^[+-]?\d{1,20}$/.test(value) ? BigInt(value) : undefined;
  return Number.isInteger(value) ? BigInt(value) : undefined;
}
