/**
 * Integer histograms over fixed edges, mergeable by addition.
 *
 * `edges` are strictly increasing and cut the line into edges.length + 1 cells, open at both ends; a value lies in the cell
 * numbered by the edges strictly below it, so cell i is (edges[i-1], edges[i]]. Edges come from a reference sample and stay;
 * counts over them from any hour, file or machine add up exactly.
 */
export interface CellCounts {
  /** One non-negative integer a cell. */
  readonly counts: readonly number[];
  /** Rows without a value: undefined, null and NaN. */
  readonly nulls: number;
}

/** Relative half width of the cell of a constant column: smaller moves are not seen as a change. */
const constantTolerance = 0.01;
/** Distance of an edge from a heavy value: wider than what a detour over 32-bit floats moves it by. */
const floatTolerance = 1e-6;

const midpoint = (u: number, v: number): number => u / 2 + v / 2;

/** First index in [from, to) whose value is >= target (`over` false) or > target (`over` true); else `to`. */
function firstIndex(sorted: ArrayLike<number>, target: number, over: boolean, from: number, to: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const half = (low + high) >>> 1;
    const value = sorted[half] as number;
    if (value < target || (over && value === target)) low = half + 1;
    else high = half;
  }
  return low;
}

/** Places in a sorted sample where a cut falls, each with whether a heavy value lies beside it. */
interface Cuts {
  readonly inside: ReadonlyMap<number, boolean>;
  readonly minHeavy: boolean;
  readonly maxHeavy: boolean;
}

function chooseCuts(sorted: ArrayLike<number>, start: number, end: number, bins: number): Cuts {
  const n = end - start;
  const heavy = Math.max(2, n / bins);
  const inside = new Map<number, boolean>();
  let minHeavy = false;
  let maxHeavy = false;
  for (let k = 0; k <= bins; k += 1) {
    const rank = Math.min(end - 1, start + Math.floor((k * n) / bins));
    const value = sorted[rank] as number;
    const first = firstIndex(sorted, value, false, start, end);
    const next = firstIndex(sorted, value, true, rank, end);
    if (next - first >= heavy) {
      if (first > start) inside.set(first, true);
      else minHeavy = true;
      if (next < end) inside.set(next, true);
      else maxHeavy = true;
    } else if (k > 0 && k < bins) {
      const nearest = first > start && (rank - first <= next - rank || next === end) ? first : next;
      if (nearest < end && !inside.has(nearest)) inside.set(nearest, false);
    }
  }
  return { inside, minHeavy, maxHeavy };
}

/** How far from a heavy value the edges beside it lie, never beyond a quarter of the gap to its neighbour. */
function reachOf(value: number, gap: number): number {
  return Math.min(gap / 4, floatTolerance * Math.max(Math.abs(value), Math.min(gap, Number.MAX_VALUE)));
}

/**
 * Edges that cut a sorted sample into about `bins` cells of equal mass. The sample ascends and has no NaN; infinite values are
 * left out. A grid of quantiles at equal steps may stand in for the sample.
 *
 * - An edge lies midway between two neighbouring values of the sample, never on a value: passing through 32-bit floats moves
 *   no row into another cell.
 * - A heavy value (at least one cell's mass, at least twice) gets a cell of its own, with an edge on either side also at the
 *   ends of the range, so that a value never seen before is not taken for it. So there can be up to twice as many cells.
 * - A constant sample gives one cell 1 % either way of the value (for 0: the value alone).
 *
 * Returns no edges for an empty sample. Throws a RangeError unless bins is a positive integer.
 */
export function equalMassEdges(sorted: ArrayLike<number>, bins: number): number[] {
  if (!(Number.isInteger(bins) && bins > 0)) throw new RangeError(`bins must be a positive integer; it is ${bins}`);
  const start = firstIndex(sorted, Number.NEGATIVE_INFINITY, true, 0, sorted.length);
  const end = firstIndex(sorted, Number.POSITIVE_INFINITY, false, start, sorted.length);
  const n = end - start;
  if (n === 0) return [];
  const at = (index: number): number => sorted[index] as number;
  const min = at(start);
  const max = at(end - 1);
  if (min === max) {
    const reach = min === 0 ? Number.MIN_VALUE : Math.abs(min) * constantTolerance;
    return [min - reach, min + reach];
  }

  const { inside, minHeavy, maxHeavy } = chooseCuts(sorted, start, end, bins);
  const edges: number[] = [];
  if (minHeavy) edges.push(min - reachOf(min, max - min));
  for (const cut of [...inside.keys()].toSorted((a, b) => a - b)) {
    const below = at(cut - 1);
    const above = at(cut);
    const gap = above - below;
    if (inside.get(cut)) edges.push(below + reachOf(below, gap), above - reachOf(above, gap));
    else edges.push(midpoint(below, above));
  }
  if (maxHeavy) edges.push(max + reachOf(max, max - min));
  return edges.filter((edge, index) => Number.isFinite(edge) && (index === 0 || edge > (edges[index - 1] as number)));
}

/** The cell of a value that is a number: how many edges lie strictly below it. */
export function cellOf(value: number, edges: ArrayLike<number>): number {
  return firstIndex(edges, value, false, 0, edges.length);
}

/** Counts of values over edges. undefined, null and NaN count as nulls. */
export function countIntoCells(
  values: Iterable<number | null | undefined>,
  edges: ArrayLike<number>,
): { readonly counts: number[]; readonly nulls: number } {
  const counts = Array.from({ length: edges.length + 1 }, () => 0);
  let nulls = 0;
  for (const value of values) {
    if (value === undefined || value === null || Number.isNaN(value)) nulls += 1;
    else {
      const cell = cellOf(value, edges);
      counts[cell] = (counts[cell] as number) + 1;
    }
  }
  return { counts, nulls };
}

export function emptyCellCounts(edges: ArrayLike<number>): CellCounts {
  return { counts: Array.from({ length: edges.length + 1 }, () => 0), nulls: 0 };
}

/** Both counts together. Throws a RangeError when they are not over the same number of cells. */
export function mergeCellCounts(a: CellCounts, b: CellCounts): CellCounts {
  if (a.counts.length !== b.counts.length) {
    throw new RangeError(
      `histograms of ${a.counts.length} and ${b.counts.length} cells cannot be merged: their edges differ`,
    );
  }
  return { counts: a.counts.map((count, cell) => count + (b.counts[cell] as number)), nulls: a.nulls + b.nulls };
}

/** Rows with a value. */
export function countValues(cells: CellCounts): number {
  let total = 0;
  for (const count of cells.counts) total += count;
  return total;
}

/**
 * The q-quantile (0 <= q <= 1) read from a histogram, straight within a cell, so at most one cell's width off. The open ends
 * reach to `range` where it is known, else they answer their edge. Undefined without values, or without edges and range.
 */
export function quantileFromCells(
  cells: CellCounts,
  edges: ArrayLike<number>,
  q: number,
  range?: { readonly min: number; readonly max: number },
): number | undefined {
  if (!(q >= 0 && q <= 1)) throw new RangeError(`a quantile lies in [0, 1]; it is ${q}`);
  const total = countValues(cells);
  if (total === 0) return undefined;
  const target = q * total;
  let before = 0;
  for (let cell = 0; cell < cells.counts.length; cell += 1) {
    const count = cells.counts[cell] as number;
    if (count > 0 && before + count >= target) {
      const lower = cell > 0 ? edges[cell - 1] : (range?.min ?? edges[0]);
      const upper = cell < edges.length ? edges[cell] : (range?.max ?? edges[edges.length - 1]);
      if (lower === undefined || upper === undefined) return undefined;
      const from = range === undefined ? lower : Math.max(lower, Math.min(range.min, upper));
      const to = range === undefined ? upper : Math.min(upper, Math.max(range.max, lower));
      return from + (to - from) * ((target - before) / count);
    }
    before += count;
  }
  return undefined;
}

/**
 * Groups of neighbouring cells with about equal mass in `counts`, at most `groups` of them: the group of each cell,
 * ascending. Statistics that need few, well filled cells are taken over them.
 */
export function groupCells(counts: readonly number[], groups: number): number[] {
  let total = 0;
  for (const count of counts) total += count;
  let before = 0;
  return counts.map((count, cell) => {
    const centre = total === 0 ? cell / counts.length : (before + count / 2) / total;
    before += count;
    return Math.min(groups - 1, Math.floor(centre * groups));
  });
}

/** Counts added up by group, as `groupCells` numbers them. */
export function sumGroups(counts: readonly number[], groupOfCell: readonly number[], groups: number): number[] {
  const sums = Array.from({ length: groups }, () => 0);
  counts.forEach((count, cell) => {
    const group = groupOfCell[cell] as number;
    sums[group] = (sums[group] as number) + count;
  });
  return sums;
}
