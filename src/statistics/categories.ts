/** Integer counts over a fixed list of categories, with the rest together: mergeable by addition. */
export interface CategoryCounts {
  /** One count for each category of the list, in its order. */
  readonly counts: readonly number[];
  /** Rows with a value outside the list. */
  readonly other: number;
  /** Rows without a value. */
  readonly nulls: number;
}

/** The list of categories to count by: the `limit` most frequent, ties by name in code unit order. */
export function topCategories(counts: Iterable<readonly [string, number]>, limit: number): string[] {
  return [...counts]
    .filter(([, count]) => count > 0)
    .toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : a > b ? 1 : 0))
    .slice(0, limit)
    .map(([name]) => name);
}

/** Counts of values over a list of categories without repetition. undefined and null count as nulls. */
export function countCategories(
  values: Iterable<string | null | undefined>,
  categories: readonly string[],
): CategoryCounts {
  const placeOf = new Map(categories.map((name, place) => [name, place]));
  const counts = Array.from({ length: categories.length }, () => 0);
  let other = 0;
  let nulls = 0;
  for (const value of values) {
    const place = value === undefined || value === null ? undefined : placeOf.get(value);
    if (place !== undefined) counts[place] = (counts[place] as number) + 1;
    else if (value === undefined || value === null) nulls += 1;
    else other += 1;
  }
  return { counts, other, nulls };
}

export function emptyCategoryCounts(categories: readonly string[]): CategoryCounts {
  return { counts: Array.from({ length: categories.length }, () => 0), other: 0, nulls: 0 };
}

/** Both counts together. Throws a RangeError when their lists differ in length. */
export function mergeCategoryCounts(a: CategoryCounts, b: CategoryCounts): CategoryCounts {
  if (a.counts.length !== b.counts.length) {
    throw new RangeError(`counts over ${a.counts.length} and ${b.counts.length} categories cannot be merged`);
  }
  return {
    counts: a.counts.map((count, place) => count + (b.counts[place] as number)),
    other: a.other + b.other,
    nulls: a.nulls + b.nulls,
  };
}

/** Rows with a value, listed or not. */
export function countCategorised(counts: CategoryCounts): number {
  return counts.counts.reduce((sum, count) => sum + count, counts.other);
}
