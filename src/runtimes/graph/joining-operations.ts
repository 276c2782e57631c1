import { type Datatype, elementsPerRow, emptyData, type Tensor, type TensorData } from '#contracts/tensor';
import { runtimeErrors } from '../runtime-errors.ts';
import { castValues, numbersOf } from './tensor-values.ts';

type Unnamed = Omit<Tensor, 'name'>;

/** Value by value: the sum of weight × value, by the sum of the weights; in double precision until the end. */
export function mean(of: readonly Tensor[], weights: readonly number[] | undefined): Unnamed {
  const first = alike(of);
  const datatype = of.every((one) => one.datatype === 'FP32') ? 'FP32' : 'FP64';
  const total = weights === undefined ? of.length : weights.reduce((sum, weight) => sum + weight, 0);
  const columns = of.map(numbersOf);
  const count = first.data.length;
  const data = datatype === 'FP32' ? new Float32Array(count) : new Float64Array(count);
  for (let index = 0; index < count; index += 1) {
    let sum = 0;
    for (const [member, numbers] of columns.entries()) {
      const weight = weights?.[member] ?? 1;
      if (weight !== 0) sum += weight * (numbers[index] ?? 0); // what has no weight has no say, NaN included
    }
    data[index] = sum / total;
  }
  return { datatype, shape: first.shape, data };
}

/** Value by value: what has most votes, or the greatest weight; of equals what is named first. */
export function vote(of: readonly Tensor[], weights: readonly number[] | undefined): Unnamed {
  const first = alike(of);
  const { datatype, shape } = first;
  const count = first.data.length;
  const winners = Array.from({ length: count }, (_, index) => {
    const votes = new Map<string | number | bigint, number>();
    for (const [member, { data }] of of.entries()) {
      const value = data[index] ?? 0;
      if (value instanceof Uint8Array)
        throw runtimeErrors.MODEL_RUN_FAILED(`value ${index}: bytes that are no text have no vote`);
      votes.set(value, (votes.get(value) ?? 0) + (weights?.[member] ?? 1));
    }
    let [winner, most]: [string | number | bigint, number] = ['', Number.NEGATIVE_INFINITY];
    for (const [value, weight] of votes) if (weight > most) [winner, most] = [value, weight];
    return winner;
  });
  if (datatype === 'BYTES') return { datatype, shape, data: winners as string[] };
  const data = emptyData(datatype, count);
  for (const [index, winner] of winners.entries()) (data as Float64Array)[index] = winner as number; // of one kind
  return { datatype, shape, data };
}

/** Columns side by side. */
export function joinNumbers(of: readonly Tensor[], to: Datatype | undefined): Unnamed {
  const [first] = of;
  const datatype = to ?? first?.datatype ?? 'FP32';
  const rows = first?.shape[0] ?? 1;
  const unlike = of.find((one) => one.shape[0] !== rows);
  if (unlike !== undefined)
    throw runtimeErrors.MODEL_RUN_FAILED(`"${unlike.name}" has ${unlike.shape[0] ?? 'no'} rows, the others ${rows}`);
  const widths = of.map(elementsPerRow);
  const width = widths.reduce((sum, one) => sum + one, 0);
  const parts = of.map((tensor): TensorData => castValues(tensor, datatype));
  const texts: string[] = [];
  const data = datatype === 'BYTES' ? texts : emptyData(datatype, rows * width);
  let to0 = 0;
  for (const [member, part] of parts.entries()) {
    const own = widths[member] ?? 0;
    for (let row = 0; row < rows; row += 1)
      for (let column = 0; column < own; column += 1)
        (data as Float64Array)[row * width + to0 + column] = part[row * own + column] as number; // of one kind
    to0 += own;
  }
  return { datatype, shape: [rows, width], data };
}

/** What converters left unsaid shows now. */
function alike(of: readonly Tensor[]): Tensor {
  const [first] = of;
  if (first === undefined) throw runtimeErrors.MODEL_RUN_FAILED('it was given nothing');
  const unlike = of.find(({ shape }) => shape.join() !== first.shape.join());
  if (unlike !== undefined)
    throw runtimeErrors.MODEL_RUN_FAILED(
      `"${first.name}" has shape [${first.shape.join(', ')}], "${unlike.name}" has [${unlike.shape.join(', ')}]`,
    );
  return first;
}
