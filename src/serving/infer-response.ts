import type { Datatype, Tensor } from '#contracts/tensor';

/** The answer of `infer` as JSON text: data flat and row-major, NaN and the infinities as null, INT64 in full. */
export function formatInferResponse(
  model: string,
  version: string,
  id: string | undefined,
  outputs: readonly Tensor[],
): string {
  let text = `{"model_name":${JSON.stringify(model)},"model_version":${JSON.stringify(version)}`;
  if (id !== undefined) text += `,"id":${JSON.stringify(id)}`;
  text += ',"outputs":[';
  for (const [index, { name, datatype, shape, data }] of outputs.entries()) {
    if (index > 0) text += ',';
    text += `{"name":${JSON.stringify(name)},"datatype":"${jsonDatatype(datatype)}","shape":[${shape.join(',')}],"data":[${formatData(datatype, data)}]}`;
  }
  return `${text}]}`;
}

// JSON has no form for FP16: its values are answered as FP32, which holds each of them.
function jsonDatatype(datatype: Datatype): Datatype {
  return datatype === 'FP16' ? 'FP32' : datatype;
}

function formatData(datatype: Datatype, data: Tensor['data']): string {
  switch (datatype) {
    case 'BYTES':
      return (data as readonly string[]).map((value) => JSON.stringify(value)).join(',');
    case 'BOOL':
      return Array.from(data as Uint8Array, (value) => (value === 0 ? 'false' : 'true')).join(',');
    case 'FP16':
      return formatFloats(Float32Array.from(data as Uint16Array, halfToNumber));
    case 'FP32':
    case 'FP64':
      return formatFloats(data as Float64Array);
    default:
      return (data as Int32Array).join(',');
  }
}

function formatFloats(data: Float32Array | Float64Array): string {
  let text = '';
  for (const [index, value] of data.entries()) {
    if (index > 0) text += ',';
    text += Number.isFinite(value) ? value : 'null';
  }
  return text;
}

function halfToNumber(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
