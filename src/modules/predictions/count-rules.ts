import { missingCell, otherCell, type PredictionRole } from '#contracts/worker-predictions';
import { emptyScoreCounts, type ScoreCounts } from '#statistics/score-counts';

/** Pure rules of the sidecars: sparse cells as they are stored, dense ones as statistics take them. */
export interface CellCounts {
  readonly counts: readonly number[];
  readonly nulls: number;
}

export interface RevisionCounts {
  readonly revision: string;
  readonly role: PredictionRole;
  /** Answered rows. */
  readonly rows: number;
  readonly errors: number;
  /** Rows whose truth is known, and those whose truth is known to be never known. */
  readonly labelled: number;
  readonly neverKnown: number;
  /** In the order of the revision's training columns; `other` is 0 for numbers. */
  readonly columns: readonly (CellCounts & { readonly other: number })[];
  readonly score: CellCounts;
  readonly labels: ScoreCounts;
}

/** Sums of sparse cells, mutable while they are added up. */
export interface CellSums {
  readonly counts: number[];
  other: number;
  nulls: number;
}

export const emptyCells = (length: number): CellSums => ({
  counts: Array.from({ length }, () => 0),
  other: 0,
  nulls: 0,
});

export function addSparse(sums: CellSums, sparse: readonly number[]): void {
  for (let at = 0; at + 1 < sparse.length; at += 2) {
    const cell = sparse[at] as number;
    const count = sparse[at + 1] as number;
    if (cell === missingCell) sums.nulls += count;
    else if (cell === otherCell) sums.other += count;
    else sums.counts[cell] = (sums.counts[cell] ?? 0) + count;
  }
}

/** The sums as sparse cells again, cells ascending. */
export function toSparse({ counts, other, nulls }: CellSums): number[] {
  const sparse: number[] = [];
  if (other > 0) sparse.push(otherCell, other);
  if (nulls > 0) sparse.push(missingCell, nulls);
  counts.forEach((count, cell) => {
    if (count > 0) sparse.push(cell, count);
  });
  return sparse;
}

export interface StoredLabels {
  readonly positives: readonly number[];
  readonly negatives: readonly number[];
  /** lossMicros, lossSquareMicros, brierMicros, brierSquareMicros, unscored */
  readonly sums: readonly [number, number, number, number, number];
}

export interface LabelSums {
  readonly positives: CellSums;
  readonly negatives: CellSums;
  readonly sums: [number, number, number, number, number];
}

export function emptyLabels(): LabelSums {
  const bins = emptyScoreCounts().positives.length;
  return { positives: emptyCells(bins), negatives: emptyCells(bins), sums: [0, 0, 0, 0, 0] };
}

export function addLabels(sums: LabelSums, stored: StoredLabels): void {
  addSparse(sums.positives, stored.positives);
  addSparse(sums.negatives, stored.negatives);
  stored.sums.forEach((value, place) => {
    sums.sums[place] = (sums.sums[place] ?? 0) + value;
  });
}

export function toScoreCounts({ positives, negatives, sums }: LabelSums): ScoreCounts {
  const [lossMicros, lossSquareMicros, brierMicros, brierSquareMicros, unscored] = sums;
  return {
    positives: positives.counts,
    negatives: negatives.counts,
    lossMicros,
    lossSquareMicros,
    brierMicros,
    brierSquareMicros,
    unscored,
  };
}
