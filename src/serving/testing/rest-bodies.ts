// Bodies of `infer` for the models of `RestPlane`.
export const row = Array.from({ length: 30 }, (_, column) => column);
export const x = (shape: unknown, data: unknown, more = {}) => ({
  inputs: [{ name: 'x', shape, datatype: 'FP32', data, ...more }],
});
export const picked = (value: unknown, more = {}) => ({
  inputs: [{ name: 'index', shape: [1], datatype: 'INT64', data: [value] }],
  ...more,
});
export const turns = (count: number) => ({ inputs: [{ name: 'turns', shape: [1], datatype: 'INT64', data: [count] }] });
export const aWhile = turns(2_000);
export const column = (name: string, datatype: string, data: readonly unknown[], shape = [1, 2]) => ({
  name,
  datatype,
  shape,
  data,
});
export const allTypes = Object.entries({ BOOL: [true, false], BYTES: ['a', 'b'] }).map(([name, data]) =>
  column(name, name, data),
);
export const numbers = ['INT8', 'INT16', 'INT32', 'INT64', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'FP32', 'FP64'].map(
  (name) => column(name, name, [1, 2]),
);
export const types = (...changed: readonly object[]) => ({
  inputs: [...allTypes, ...numbers].map(
    (input) => changed.find((one) => (one as { readonly name: string }).name === input.name) ?? input,
  ),
});
export const halves = { name: 'half', datatype: 'FP16', shape: [1, 2], parameters: { binary_data_size: 4 } };
export const many = x(
  [500, 30],
  Array.from({ length: 15_000 }, (_, index) => index % 17),
);

/** The bytes of numbers as they lie in memory. */
export const bytes = (data: Float32Array | BigInt64Array | Uint16Array): Buffer =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength);
