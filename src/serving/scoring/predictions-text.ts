import type { BytesElement, Tensor } from '#contracts/tensor';
import { type FormatBytes, formatData, formatElements } from '../rest/infer-response.ts';

/**
 * Outputs as one JSON value, row by row: of one output its values, nested by its shape; of several an object a row, or an
 * object of outputs where they are not of the same rows. `flat`: an output [-1, 1] gives each row a value and no list.
 */
export function formatPredictions(outputs: readonly Tensor[], flat: boolean, formatBytes: FormatBytes): string {
  const [first] = outputs;
  if (first !== undefined && outputs.length === 1) return formatNested(first, formatBytes);
  const rows = first?.shape[0];
  if (rows === undefined || outputs.some(({ shape }) => shape[0] !== rows)) return formatOutputs(outputs, formatBytes);
  const columns = outputs.map((output) => ({
    key: `${JSON.stringify(output.name)}:`,
    cells: formatCells(output, flat, formatBytes),
  }));
  let text = '[';
  for (let row = 0; row < rows; row += 1) {
    text += row === 0 ? '{' : ',{';
    for (const [index, { key, cells }] of columns.entries())
      text += `${index === 0 ? '' : ','}${key}${cells[row] ?? 'null'}`;
    text += '}';
  }
  return `${text}]`;
}

/** An object of outputs, each nested by its shape. */
export function formatOutputs(outputs: readonly Tensor[], formatBytes: FormatBytes): string {
  return `{${outputs.map((output) => `${JSON.stringify(output.name)}:${formatNested(output, formatBytes)}`).join(',')}}`;
}

export function formatNested({ datatype, shape, data }: Tensor, formatBytes: FormatBytes): string {
  if (shape.length === 0) return formatData(datatype, data, formatBytes);
  const format = (depth: number, from: number, to: number): string => {
    if (depth === shape.length - 1) {
      if (from === 0 && to === data.length) return `[${formatData(datatype, data, formatBytes)}]`;
      return `[${formatData(datatype, ArrayBuffer.isView(data) ? (data as Float64Array).subarray(from, to) : data.slice(from, to), formatBytes)}]`;
    }
    const length = shape[depth] ?? 0;
    const width = length === 0 ? 0 : (to - from) / length;
    let text = '[';
    for (let index = 0; index < length; index += 1) {
      if (index > 0) text += ',';
      text += format(depth + 1, from + index * width, from + (index + 1) * width);
    }
    return `${text}]`;
  };
  return format(0, 0, data.length);
}

/** The text of each row. */
function formatCells(output: Tensor, flat: boolean, formatBytes: FormatBytes): readonly string[] {
  const { datatype, shape, data } = output;
  if (shape.length === 1 || (flat && shape.length === 2 && shape[1] === 1))
    return datatype === 'BYTES'
      ? formatElements(data as readonly BytesElement[], formatBytes)
      : formatData(datatype, data).split(','); // no number has a comma
  const rows = shape[0] ?? 0;
  const width = rows === 0 ? 0 : data.length / rows;
  return Array.from({ length: rows }, (_, row) =>
    formatNested(
      {
        ...output,
        shape: shape.slice(1),
        data: ArrayBuffer.isView(data)
          ? (data as Float64Array).subarray(row * width, (row + 1) * width)
          : data.slice(row * width, (row + 1) * width),
      },
      formatBytes,
    ),
  );
}
