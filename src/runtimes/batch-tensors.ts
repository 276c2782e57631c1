import { type BytesElement, emptyData, rowsOf, type Tensor, type TensorData } from '#contracts/tensor';

/** The rows of several requests as one: each input after the other, in the order of the requests. */
export function concatenate(requests: readonly (readonly Tensor[])[]): readonly Tensor[] {
  const [first] = requests;
  return (first ?? []).map((head, index) => {
    const parts = requests.map((inputs) => inputs[index] ?? head);
    const rows = parts.reduce((sum, part) => sum + rowsOf(part), 0);
    return { ...head, shape: [rows, ...head.shape.slice(1)], data: joinData(head, parts) };
  });
}

function joinData({ datatype }: Tensor, parts: readonly Tensor[]): TensorData {
  if (datatype === 'BYTES') return parts.flatMap(({ data }) => data as readonly BytesElement[]);
  const joined = emptyData(
    datatype,
    parts.reduce((sum, { data }) => sum + data.length, 0),
  );
  let at = 0;
  for (const { data } of parts) {
    (joined as Float64Array).set(data as Float64Array, at); // one datatype throughout: the arrays are of one kind
    at += data.length;
  }
  return joined;
}

/** Rows `start` to `end` of a tensor; numbers are a view of the same memory. */
export function sliceRows(tensor: Tensor, start: number, end: number): Tensor {
  const { name, datatype, shape, data } = tensor;
  const total = rowsOf(tensor);
  const width = total === 0 ? 0 : data.length / total;
  return {
    name,
    datatype,
    shape: [end - start, ...shape.slice(1)],
    data: ArrayBuffer.isView(data)
      ? (data as Float64Array).subarray(start * width, end * width)
      : data.slice(start * width, end * width),
  };
}
