import fc from 'fast-check';
import { expect, test } from 'vitest';
import { judgeDecay, type PerformanceTarget, type PerformanceWindow } from './decay.ts';

const day = 86_400_000;
const target: PerformanceTarget = {
  metric: 'auc',
  comparison: '>=',
  threshold: 0.7,
  minLabelled: 500,
  confidence: 0.9,
};

/** A window that ends on the given day. */
function aWindow(
  endDay: number,
  value: number | undefined,
  { days = 28, half = 0.03, labelled = 1000 }: { days?: number; half?: number; labelled?: number } = {},
): PerformanceWindow {
  return {
    startMs: (endDay - days) * day,
    endMs: endDay * day,
    labelled,
    metric:
      value === undefined
        ? undefined
        : { value, n: labelled, interval: { lower: value - half, upper: value + half, confidence: 0.9 } },
  };
}

test('a window whose value keeps the target is ok, also just at it', () => {
  expect(judgeDecay([aWindow(100, 0.75)], target).state).toBe('ok');
  expect(judgeDecay([aWindow(100, 0.7)], target).state).toBe('ok');
});

test('an interval that lies below the threshold as a whole is an alert', () => {
  const verdict = judgeDecay([aWindow(100, 0.65)], target);
  expect(verdict).toMatchObject({ state: 'alert', evidence: 'interval' });
  expect(verdict.reason).toBe(
    '1970-03-14T00:00Z to 1970-04-11T00:00Z: auc 0.65 [0.62, 0.68] (90 %) on 1000 labelled predictions: its whole interval misses >= 0.7',
  );
});

test('a value below whose interval reaches the threshold only warns', () => {
  expect(judgeDecay([aWindow(100, 0.68)], target)).toMatchObject({ state: 'warning' });
});

test('two adjacent windows below are an alert', () => {
  const verdict = judgeDecay([aWindow(100, 0.68), aWindow(72, 0.69)], target);
  expect(verdict).toMatchObject({ state: 'alert', evidence: 'adjacent-windows' });
  expect(verdict.windows.map(({ endMs }) => endMs / day)).toEqual([100, 72]);
});

test('trailing windows that share rows are no second witness', () => {
  const windows = Array.from({ length: 28 }, (_, back) => aWindow(100 - back, 0.68));
  expect(judgeDecay(windows, target).state).toBe('warning');
  expect(judgeDecay([...windows, aWindow(72, 0.68)], target).state).toBe('alert');
});

test('a window further back than the gap allows is not adjacent', () => {
  const windows = [aWindow(100, 0.68), aWindow(70, 0.68)];
  expect(judgeDecay(windows, target).state).toBe('warning');
  expect(judgeDecay(windows, { ...target, maxGapMs: 2 * day }).state).toBe('alert');
});

test('the window before must miss the target too, on enough labels', () => {
  expect(judgeDecay([aWindow(100, 0.68), aWindow(72, 0.72)], target).state).toBe('warning');
  expect(judgeDecay([aWindow(100, 0.68), aWindow(72, 0.5, { labelled: 499 })], target).state).toBe('warning');
  expect(judgeDecay([aWindow(100, 0.68), aWindow(72, undefined)], target).state).toBe('warning');
});

test('an old failure does not outlive a newest window that is well', () => {
  expect(judgeDecay([aWindow(72, 0.5), aWindow(100, 0.74)], target).state).toBe('ok');
});

test('too few labels are their own state, however bad the value', () => {
  const verdict = judgeDecay([aWindow(100, 0.4, { labelled: 499 })], target);
  expect(verdict.state).toBe('not-enough-data');
  expect(verdict.reason).toContain('499 labelled predictions, at least 500');
  expect(judgeDecay([aWindow(100, undefined)], target).reason).toContain('all of one class');
  expect(judgeDecay([], target)).toEqual({ state: 'not-enough-data', windows: [], reason: 'no window is closed yet' });
});

const bare = (endDay: number): PerformanceWindow => ({ ...aWindow(endDay, 0.5), metric: { value: 0.5, n: 1000 } });

test('a metric without an interval can warn, and alert only by two windows', () => {
  expect(judgeDecay([bare(100)], target).state).toBe('warning');
  expect(judgeDecay([bare(100), bare(72)], target).state).toBe('alert');
});

test('an upper limit is judged by the lower bound', () => {
  const limit: PerformanceTarget = { ...target, metric: 'log_loss', comparison: '<=', threshold: 0.6 };
  expect(judgeDecay([aWindow(100, 0.55)], limit).state).toBe('ok');
  expect(judgeDecay([aWindow(100, 0.62)], limit).state).toBe('warning');
  expect(judgeDecay([aWindow(100, 0.64)], limit).state).toBe('alert');
});

test('intervals at another confidence and windows that end before they start are refused', () => {
  expect(() => judgeDecay([aWindow(100, 0.6)], { ...target, confidence: 0.95 })).toThrow('cannot be judged at 0.95');
  expect(() => judgeDecay([aWindow(100, 0.6, { days: 0 })], target)).toThrow('must end after it starts');
});

test('the verdict does not look at the order of windows, and a worse value never gives a better one', () => {
  const windows = fc.uniqueArray(fc.tuple(fc.nat(20), fc.double({ min: 0.5, max: 0.9, noNaN: true })), {
    selector: ([week]) => week,
    maxLength: 8,
  });
  const rank = { ok: 0, warning: 1, alert: 2, 'not-enough-data': -1 };
  fc.assert(
    fc.property(windows, (given) => {
      const built = given.map(([week, value]) => aWindow(7 * (week + 1), value, { days: 7 }));
      const verdict = judgeDecay(built, target);
      expect(judgeDecay(built.toReversed(), target)).toEqual(verdict);
      const worse = judgeDecay(
        given.map(([week, value]) => aWindow(7 * (week + 1), value - 0.05, { days: 7 })),
        target,
      );
      expect(rank[worse.state]).toBeGreaterThanOrEqual(rank[verdict.state]);
    }),
  );
});
