import type { Estimate } from './intervals.ts';

/**
 * When a metric over time windows is evidence that a model has decayed. The newest closed window W is judged:
 *
 * 1. No window, or W has fewer labelled rows than `minLabelled` -> not-enough-data.
 * 2. W's value keeps the target -> ok.
 * 3. The whole interval of W misses the target (for ">=": its upper bound lies below) -> alert, by `interval`.
 * 4. W's value misses the target, and so does that of the window before it: closed, ending where W starts or at most
 *    `maxGapMs` earlier, never overlapping W, with enough labels -> alert, by `adjacent-windows`. Windows that share rows say
 *    the same thing twice, so trailing windows a day apart are no second witness; of those given, the one that ends last is
 *    taken.
 * 5. Otherwise W's value misses the target by less than its error -> warning.
 *
 * A bound exactly on the threshold keeps the target. The rule does not correct for how often it is asked.
 */
export interface PerformanceWindow {
  /** Half open [startMs, endMs) in event time, epoch milliseconds; closed: no more rows are awaited. */
  readonly startMs: number;
  readonly endMs: number;
  /** Predictions with a known truth. */
  readonly labelled: number;
  /** Undefined where the metric cannot be computed (one class only). Its interval's confidence must be the target's. */
  readonly metric: Estimate | undefined;
}

export interface PerformanceTarget {
  /** Its name in the reason, such as `auc`. */
  readonly metric: string;
  readonly comparison: '>=' | '<=';
  readonly threshold: number;
  /** Least labelled rows for a window to say anything. */
  readonly minLabelled: number;
  /** Two-sided confidence of the windows' intervals, as in 0.9. */
  readonly confidence: number;
  /** Greatest gap between adjacent windows. Default 0. */
  readonly maxGapMs?: number;
}

export interface DecayVerdict {
  readonly state: 'ok' | 'warning' | 'alert' | 'not-enough-data';
  /** What the alert rests on. */
  readonly evidence?: 'interval' | 'adjacent-windows';
  /** The windows that the verdict rests on, newest first. */
  readonly windows: readonly PerformanceWindow[];
  /** One sentence for people. */
  readonly reason: string;
}

const figure = (value: number): string => String(Number(value.toPrecision(4)));

const describe = ({ value, interval }: Estimate): string =>
  interval === undefined
    ? figure(value)
    : `${figure(value)} [${figure(interval.lower)}, ${figure(interval.upper)}] (${interval.confidence * 100} %)`;

const dates = ({ startMs, endMs }: PerformanceWindow): string =>
  `${new Date(startMs).toISOString().slice(0, 16)}Z to ${new Date(endMs).toISOString().slice(0, 16)}Z`;

/** Judges closed windows, in any order, against a target by the rule above. */
export function judgeDecay(windows: readonly PerformanceWindow[], target: PerformanceTarget): DecayVerdict {
  const { metric: name, comparison, threshold, minLabelled, confidence, maxGapMs = 0 } = target;
  const goal = `${comparison} ${threshold}`;
  for (const { startMs, endMs, metric } of windows) {
    if (!(endMs > startMs)) throw new RangeError(`a window must end after it starts; it has ${startMs} to ${endMs}`);
    if (metric?.interval !== undefined && Math.abs(metric.interval.confidence - confidence) > 1e-9) {
      throw new RangeError(
        `an interval at confidence ${metric.interval.confidence} cannot be judged at ${confidence}; compute it anew`,
      );
    }
  }
  const misses = (value: number): boolean => (comparison === '>=' ? value < threshold : value > threshold);
  const newest = windows.reduce<PerformanceWindow | undefined>(
    (best, window) => (best === undefined || window.endMs > best.endMs ? window : best),
    undefined,
  );
  if (newest === undefined) return { state: 'not-enough-data', windows: [], reason: 'no window is closed yet' };
  const { metric, labelled } = newest;
  if (labelled < minLabelled || metric === undefined) {
    const lack =
      labelled < minLabelled
        ? `${labelled} labelled predictions, at least ${minLabelled} are needed`
        : `${name} cannot be computed: the labels are all of one class`;
    return { state: 'not-enough-data', windows: [newest], reason: `${dates(newest)}: ${lack}` };
  }
  const said = `${dates(newest)}: ${name} ${describe(metric)} on ${labelled} labelled predictions`;
  if (!misses(metric.value)) return { state: 'ok', windows: [newest], reason: `${said} keeps ${goal}` };

  const nearest = comparison === '>=' ? metric.interval?.upper : metric.interval?.lower;
  if (nearest !== undefined && misses(nearest)) {
    const reason = `${said}: its whole interval misses ${goal}`;
    return { state: 'alert', evidence: 'interval', windows: [newest], reason };
  }
  const before = windows
    .filter((window) => window.endMs <= newest.startMs && newest.startMs - window.endMs <= maxGapMs)
    .reduce<PerformanceWindow | undefined>(
      (best, window) => (best === undefined || window.endMs > best.endMs ? window : best),
      undefined,
    );
  if (before?.metric !== undefined && before.labelled >= minLabelled && misses(before.metric.value)) {
    return {
      state: 'alert',
      evidence: 'adjacent-windows',
      windows: [newest, before],
      reason: `${said} misses ${goal}, and so does the window before it, ${dates(before)}: ${describe(before.metric)}`,
    };
  }
  const reason = `${said} misses ${goal}, but its interval reaches it: one more adjacent window decides`;
  return { state: 'warning', windows: [newest], reason };
}
