import {
  type BytesElement,
  type Datatype,
  datatypes,
  elementWidths,
  type NumberData,
  rowsOf,
  type Tensor,
  viewOf,
} from '#contracts/tensor';

/**
 * Tensors on their way between threads, flat, since there each object and each name costs as much as a small tensor: numbers in
 * one buffer, which is transferred; then of each tensor the place of its datatype in `datatypes`, its rank, its dimensions and,
 * of BYTES, its texts. Their names are known to both sides.
 */
export type PackedTensors = readonly [buffer: ArrayBuffer, ...parts: (number | readonly BytesElement[])[]];

const placeOf = Object.fromEntries(datatypes.map((datatype, place) => [datatype, place])) as Readonly<
  Record<Datatype, number>
>;
/** Where the next tensor's numbers may start: at a multiple of 8. */
const aligned = (bytes: number): number => (bytes + 7) & ~7;

/**
 * The tensors of one request, or those of several as one, in which the rows of each request follow those of the one before:
 * copied once, to where the model reads them.
 */
export function packTensors(requests: readonly (readonly Tensor[])[]): PackedTensors {
  const [first = []] = requests;
  const parts: (number | readonly BytesElement[])[] = [];
  const counts: number[] = [];
  let sizeBytes = 0;
  for (const [index, { datatype, shape }] of first.entries()) {
    let rows = 0;
    let count = 0;
    for (const tensors of requests) {
      const tensor = tensors[index] as Tensor;
      rows += rowsOf(tensor);
      count += tensor.data.length;
    }
    parts.push(placeOf[datatype], shape.length);
    for (let place = 0; place < shape.length; place += 1) parts.push(place === 0 ? rows : (shape[place] as number));
    if (datatype === 'BYTES')
      parts.push(requests.flatMap((tensors) => tensors[index]?.data as readonly BytesElement[]));
    counts.push(count);
    sizeBytes += aligned(count * elementWidths[datatype]);
  }
  const buffer = new ArrayBuffer(sizeBytes);
  let start = 0;
  for (const [index, { datatype }] of first.entries()) {
    if (datatype === 'BYTES') continue;
    const target = viewOf(datatype, buffer, start, counts[index] as number);
    let at = 0;
    for (const tensors of requests) {
      const { data } = tensors[index] as Tensor;
      (target as Float64Array).set(data as Float64Array, at); // one datatype throughout: the arrays are of one kind
      at += data.length;
    }
    start = aligned(start + target.byteLength);
  }
  return [buffer, ...parts];
}

/** The tensors, by these names; their numbers are views of the buffer. */
export function unpackTensors([buffer, ...parts]: PackedTensors, names: readonly string[]): readonly Tensor[] {
  let next = 0;
  let start = 0;
  return names.map((name): Tensor => {
    const datatype = datatypes[parts[next] as number] as Datatype;
    const rank = parts[next + 1] as number;
    const shape = parts.slice(next + 2, next + 2 + rank) as number[];
    next += 2 + rank;
    if (datatype === 'BYTES') return { name, datatype, shape, data: parts[next++] as readonly BytesElement[] };
    let count = 1;
    for (const dimension of shape) count *= dimension;
    const data: NumberData = viewOf(datatype, buffer, start, count);
    start = aligned(start + data.byteLength);
    return { name, datatype, shape, data };
  });
}
