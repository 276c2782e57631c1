import type { RecordedTensor } from '#contracts/prediction-record';
import { elementsPerRow, type Tensor } from '#contracts/tensor';
import type { WorkerTaskInput } from '#contracts/worker';
import { hourMs, missingCell, otherCell } from '#contracts/worker-predictions';
import { cellOf } from '#statistics/histogram';
import { elementAt } from './log-columns.ts';

type Revision = WorkerTaskInput<'log-intake'>['revisions'][number];
type Sparse = Map<number, number>;

interface HourSums {
  readonly revision: string;
  readonly role: 'primary' | 'shadow';
  readonly hourMs: number;
  rows: number;
  errors: number;
  readonly exampleId: string;
  readonly columns: readonly Sparse[];
  readonly score: Sparse;
}

/** One row of a record. */
interface CountedRecord {
  readonly predictionId: string;
  readonly revision: string;
  readonly role: 'primary' | 'shadow';
  readonly eventMs: number;
  readonly failed: boolean;
  readonly inputs: ReadonlyMap<string, RecordedTensor>;
  readonly row: number;
  readonly score: number | undefined;
  /** What is kept out of it. */
  readonly redacted: readonly string[] | undefined;
}

/** A number of a row: of a tensor that has one a row, or the one at a place of it. */
interface Place {
  readonly name: string;
  readonly at: number;
}

/** `probabilities[1]` is the second number of a row of "probabilities", `score` the only one. */
function placeOf(text: string): Place {
  const [, name = text, at = '0'] = /^(.*?)(?:\[(\d+)\])?$/.exec(text) ?? [];
  return { name, at: Number(at) };
}

function scoreAt(outputs: readonly Tensor[], place: Place, row: number): number | undefined {
  const tensor = outputs.find(({ name }) => name === place.name);
  if (tensor === undefined) return undefined;
  const size = elementsPerRow(tensor);
  const value = place.at < size ? elementAt(tensor, row * size + place.at) : undefined;
  return typeof value === 'number' ? value : undefined;
}

/** An input by its name; `x[3]` is the fourth column of a matrix. */
function inputAt(
  inputs: ReadonlyMap<string, Tensor>,
  name: string,
  place: Place,
  row: number,
): number | string | undefined {
  const whole = inputs.get(name);
  if (whole !== undefined) return elementAt(whole, row * elementsPerRow(whole));
  const matrix = inputs.get(place.name);
  return matrix === undefined ? undefined : elementAt(matrix, row * elementsPerRow(matrix) + place.at);
}

/** Whether the record has no value there because it may not: that is no value that is missing. */
function isKeptOut({ inputs, redacted }: CountedRecord, name: string, place: Place): boolean {
  if (redacted === undefined) return false;
  const whole = inputs.get(name);
  if (whole !== undefined) return whole.withheld?.includes(0) === true;
  const matrix = inputs.get(place.name);
  return matrix === undefined || redacted.includes(name) || matrix.withheld?.includes(place.at) === true;
}

const bump = (cells: Sparse, cell: number): void => void cells.set(cell, (cells.get(cell) ?? 0) + 1);

const toSparse = (cells: Sparse): number[] => [...cells].toSorted(([a], [b]) => a - b).flat();

/** Adds up the sidecar of one file. */
export function createHourCounter(revisions: readonly Revision[]) {
  const known = new Map(
    revisions.map((revision) => [
      revision.revision,
      {
        revision,
        score: revision.score === undefined ? undefined : placeOf(revision.score),
        places: revision.columns.map(({ name }) => placeOf(name)),
        categories: revision.columns.map((column) =>
          column.kind === 'categorical' ? new Map(column.categories.map((name, cell) => [name, cell])) : undefined,
        ),
      },
    ]),
  );
  const hours = new Map<string, HourSums>();

  function sumsOf(revision: string, role: 'primary' | 'shadow', atMs: number, exampleId: string): HourSums {
    const hour = Math.floor(atMs / hourMs) * hourMs;
    const key = `${hour} ${role} ${revision}`;
    const found = hours.get(key);
    if (found !== undefined) return found;
    const columns = (known.get(revision)?.revision.columns ?? []).map((): Sparse => new Map());
    const made: HourSums = { revision, role, hourMs: hour, rows: 0, errors: 0, exampleId, columns, score: new Map() };
    hours.set(key, made);
    return made;
  }

  return {
    scoreOf(revision: string, outputs: readonly Tensor[], row: number): number | undefined {
      const place = known.get(revision)?.score;
      return place === undefined ? undefined : scoreAt(outputs, place, row);
    },

    count(record: CountedRecord): void {
      const sums = sumsOf(record.revision, record.role, record.eventMs, record.predictionId);
      if (record.failed) {
        sums.errors += 1;
        return;
      }
      sums.rows += 1;
      const rule = known.get(record.revision);
      if (rule === undefined) return;
      for (const [place, column] of rule.revision.columns.entries()) {
        const cells = sums.columns[place];
        const at = rule.places[place] as Place;
        if (cells === undefined || isKeptOut(record, column.name, at)) continue;
        const value = inputAt(record.inputs, column.name, at, record.row);
        if (value === undefined) bump(cells, missingCell);
        else if (column.kind === 'numeric') {
          const number = Number(value);
          bump(cells, Number.isNaN(number) ? missingCell : cellOf(number, column.edges));
        } else bump(cells, rule.categories[place]?.get(String(value)) ?? otherCell);
      }
      bump(sums.score, record.score === undefined ? missingCell : cellOf(record.score, rule.revision.scoreEdges));
    },

    finish: () =>
      [...hours.values()].map((sums) => ({
        ...sums,
        columns: sums.columns.map(toSparse),
        score: toSparse(sums.score),
      })),
  };
}
