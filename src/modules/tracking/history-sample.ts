import type { HistoryPoint, HistorySource } from './metric-history-store.ts';

/*
 * Some points of a history for a chart, in order of (step, time, value), the first and the last always among them.
 *
 * A history of up to `mostAtOnce` points is read whole, and evenly many lie between two that are chosen. A longer one is
 * never read whole: the points lie by time, so those at evenly spaced instants are looked up, then those at evenly spaced
 * steps between these. That takes steps for granted that grow with time; where the points that were looked up show that
 * they do not, the history is read whole after all.
 */
const mostAtOnce = 5000;
/** Instants looked up at once while the place of a step is searched for. */
const spread = 64;

export interface StepRange {
  readonly first: number;
  readonly last: number;
}

export const compareBySteps = (a: HistoryPoint, b: HistoryPoint) =>
  a.step - b.step || a.timestamp_ms - b.timestamp_ms || a.value - b.value || a.special - b.special;

/** Evenly many points between two: the first of each of `count` groups, and the last of all. */
export function pickEvenly(points: readonly HistoryPoint[], count: number): readonly HistoryPoint[] {
  if (points.length <= count) return points;
  const last = points.slice(-1);
  if (count === 1) return last;
  const [size, larger] = [Math.floor(points.length / count), points.length % count];
  const picked = Array.from({ length: count - 1 }, (_, group) => points[group * size + Math.min(group, larger)]);
  return [...picked.flatMap((point) => point ?? []), ...last];
}

export async function sampleHistory(
  source: HistorySource,
  count: number,
  range: StepRange | undefined,
): Promise<readonly HistoryPoint[]> {
  const waiting = await source.waiting();
  const found = (await source.isLongerThan(mostAtOnce)) ? await sampleLong(source, count, range) : await source.all();
  const points = withoutDuplicates([...found, ...waiting]);
  const inside = range === undefined ? points : points.filter(({ step }) => step >= range.first && step <= range.last);
  return pickEvenly(inside.toSorted(compareBySteps), count);
}

function withoutDuplicates(points: readonly HistoryPoint[]): readonly HistoryPoint[] {
  return [
    ...new Map(
      points.map((point) => [`${point.timestamp_ms} ${point.step} ${point.value} ${point.special}`, point]),
    ).values(),
  ];
}

const compareByTime = (a: HistoryPoint, b: HistoryPoint) =>
  a.timestamp_ms - b.timestamp_ms || a.step - b.step || a.value - b.value || a.special - b.special;
const inOrder = (points: readonly HistoryPoint[]) =>
  points.every(({ step }, index) => step >= (points[index - 1]?.step ?? step));

/** `count` numbers from `first` to `last`, whole and evenly spaced. */
const evenly = (first: number, last: number, count: number) =>
  Array.from({ length: count }, (_, n) => Math.round(first + ((last - first) * n) / Math.max(1, count - 1)));

async function sampleLong(
  source: HistorySource,
  count: number,
  range: StepRange | undefined,
): Promise<readonly HistoryPoint[]> {
  const ends = await bounds(source, range);
  const [first, last] = ends;
  if (first === undefined || last === undefined) return source.all();
  const anchors = [...ends, ...(await source.seek(evenly(first.timestamp_ms, last.timestamp_ms, count + 1)))].toSorted(
    compareByTime,
  );
  if (!inOrder(anchors)) return source.all();
  const instants = evenly(first.step, last.step, count).map((step) => instantOf(anchors, step));
  const points = withoutDuplicates([...anchors, ...(await source.seek(instants))]).toSorted(compareByTime);
  if (!inOrder(points)) return source.all();
  const chosen = nearestTo(points, evenly(first.step, last.step, count));
  return [...ends, ...chosen, ...(first.step === last.step ? anchors : [])];
}

/** Where between two known points a step is to be expected. */
function instantOf(points: readonly HistoryPoint[], step: number): number {
  const index = points.findIndex((point) => point.step >= step);
  const [before, after] = [points[index - 1], points[index]];
  if (after === undefined || before === undefined || after.step === before.step)
    return (after ?? points.at(-1))?.timestamp_ms ?? 0;
  const share = (step - before.step) / (after.step - before.step);
  return Math.round(before.timestamp_ms + share * (after.timestamp_ms - before.timestamp_ms));
}

/** Of each step, which grow as the points do, the point nearest to it, of equal ones the first. */
function nearestTo(points: readonly HistoryPoint[], steps: readonly number[]): readonly HistoryPoint[] {
  let at = 0;
  return steps.flatMap((step) => {
    const distance = (index: number) => Math.abs((points[index]?.step ?? Number.POSITIVE_INFINITY) - step);
    let best = at;
    for (let index = at + 1; distance(index) <= distance(best); index += 1) {
      if (distance(index) < distance(best)) best = index;
    }
    at = best;
    return points[best] ?? [];
  });
}

/** The first and the last point whose steps are in the range; none when that cannot be told without reading all. */
async function bounds(source: HistorySource, range: StepRange | undefined): Promise<readonly HistoryPoint[]> {
  const ends = await source.ends();
  const [first, last] = ends;
  if (range === undefined || first === undefined || last === undefined) return ends;
  if (first.step > last.step) return [];
  const lower = first.step >= range.first ? first : (await around(source, first, last, range.first))?.at(1);
  const upper = last.step <= range.last ? last : (await around(source, first, last, range.last + 1))?.at(0);
  return lower === undefined || upper === undefined ? [] : [lower, upper];
}

/** Two neighbours by time, the first before a step and the second not; undefined when steps do not grow with time. */
async function around(
  source: HistorySource,
  first: HistoryPoint,
  last: HistoryPoint,
  step: number,
): Promise<readonly HistoryPoint[] | undefined> {
  let [before, after] = [first, last];
  while (after.timestamp_ms - before.timestamp_ms > 1) {
    const found = await source.seek(evenly(before.timestamp_ms + 1, after.timestamp_ms, spread));
    const points = [before, ...found, after].toSorted(compareByTime);
    if (!inOrder(points)) return undefined;
    const index = points.findIndex((point) => point.step >= step);
    const [lower, upper] = [points[index - 1], points[index]];
    if (lower === undefined || upper === undefined) return undefined;
    if (compareByTime(lower, before) === 0 && compareByTime(upper, after) === 0) return [before, after];
    [before, after] = [lower, upper];
  }
  return [before, after];
}
