/** Distances between two distributions given as counts over the same cells or categories. */

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

function checkPaired(reference: readonly number[], current: readonly number[]): void {
  if (reference.length !== current.length) {
    throw new RangeError(`${reference.length} reference counts and ${current.length} current ones cannot be compared`);
  }
}

export interface StabilityIndex {
  readonly value: number;
  /** Cells that hold a row of either set. */
  readonly cells: number;
  /** What the value comes to on average when nothing changed: (cells - 1) (1 / n + 1 / m). A value near it means nothing. */
  readonly noise: number;
}

/**
 * Population stability index: sum of (q - p) ln(q / p) over cells, natural logarithm. Rule for empty cells: a cell empty in
 * both sets is left out; to every other cell of either set half a row is added and the shares are taken anew (Krichevsky,
 * Trofimov 1981), so the index is finite and a stray row in a small set weighs little. Undefined when a set is empty.
 * Noise after Yurdakul 2018 ("Statistical properties of the population stability index").
 */
export function populationStabilityIndex(
  reference: readonly number[],
  current: readonly number[],
): StabilityIndex | undefined {
  checkPaired(reference, current);
  const n = total(reference);
  const m = total(current);
  if (n === 0 || m === 0) return undefined;
  const cells = reference.filter((count, cell) => count > 0 || (current[cell] as number) > 0).length;
  let value = 0;
  reference.forEach((count, cell) => {
    const other = current[cell] as number;
    if (count === 0 && other === 0) return;
    const p = (count + 0.5) / (n + cells / 2);
    const q = (other + 0.5) / (m + cells / 2);
    value += (q - p) * Math.log(q / p);
  });
  return { value, cells, noise: (cells - 1) * (1 / n + 1 / m) };
}

/**
 * Jensen-Shannon distance: the square root of the divergence, to base 2, so in [0, 1] (0 equal, 1 nothing in common). Empty
 * cells need no rule. Undefined when a set is empty. (Lin 1991; Endres, Schindelin 2003.)
 */
export function jensenShannonDistance(reference: readonly number[], current: readonly number[]): number | undefined {
  checkPaired(reference, current);
  const n = total(reference);
  const m = total(current);
  if (n === 0 || m === 0) return undefined;
  let divergence = 0;
  reference.forEach((count, cell) => {
    const p = count / n;
    const q = (current[cell] as number) / m;
    const middle = (p + q) / 2;
    if (p > 0) divergence += (p / 2) * Math.log2(p / middle);
    if (q > 0) divergence += (q / 2) * Math.log2(q / middle);
  });
  return Math.sqrt(Math.min(1, Math.max(0, divergence)));
}
