/**
 * Benjamini-Hochberg adjusted p-values (Benjamini, Hochberg 1995), in the order given: comparing them with alpha bounds the
 * expected share of false findings among all findings by alpha, for independent or positively dependent tests.
 */
export function adjustBenjaminiHochberg(pValues: readonly number[]): number[] {
  const m = pValues.length;
  const order = pValues.map((_, index) => index).toSorted((a, b) => (pValues[b] as number) - (pValues[a] as number));
  const adjusted = Array.from({ length: m }, () => 0);
  let least = 1;
  order.forEach((index, position) => {
    const p = pValues[index] as number;
    if (!(p >= 0 && p <= 1)) throw new RangeError(`a p-value must lie in [0, 1]; number ${index} is ${p}`);
    least = Math.min(least, p * (m / (m - position)));
    adjusted[index] = least;
  });
  return adjusted;
}
