import { parseDuration } from '#contracts/duration';
import { type MonitoredMetric, type MonitorSpec, monitoredMetrics } from '#contracts/monitoring';
import { dayMs, hourMs } from '#contracts/worker-predictions';
import { type DriftRule, defaultDriftRule } from '#statistics/drift';

/** A monitor's spec with every default filled in. */
export interface MonitorSettings {
  readonly lateMs: number;
  readonly truthDelayMs: number;
  readonly windowMs: number;
  readonly targets: readonly Target[];
  readonly minLabelled: number;
  readonly confidence: number;
  /** Undefined: drift is not looked at. */
  readonly drift: (DriftRule & { readonly windowMs: number }) | undefined;
}

export interface Target {
  readonly metric: MonitoredMetric;
  readonly comparison: '>=' | '<=';
  readonly threshold: number;
  /** As it was written. */
  readonly text: string;
}

const defaultWindowMs = 28 * dayMs;
const defaultDriftWindowMs = 7 * dayMs;
const defaultMinLabelled = 500;
const defaultConfidence = 0.9;

const durationOf = (text: string | undefined, fallbackMs: number): number =>
  text === undefined ? fallbackMs : (parseDuration(text) ?? fallbackMs);

export function toSettings(spec: MonitorSpec): MonitorSettings {
  const { drift = 'auto', performance } = spec;
  const given = typeof drift === 'object' ? drift : {};
  return {
    lateMs: durationOf(spec.lateness, hourMs),
    truthDelayMs: durationOf(spec.truth?.delay, 0),
    windowMs: durationOf(performance?.window, defaultWindowMs),
    targets: monitoredMetrics.flatMap((metric): Target[] => {
      const text = performance?.[metric];
      const [, comparison, threshold] = /^(>=|<=)\s*(.+)$/.exec(text ?? '') ?? [];
      if (text === undefined || threshold === undefined) return [];
      return [{ metric, comparison: comparison === '<=' ? '<=' : '>=', threshold: Number(threshold), text }];
    }),
    minLabelled: performance?.min_labelled ?? defaultMinLabelled,
    confidence: performance?.confidence ?? defaultConfidence,
    drift:
      drift === 'off'
        ? undefined
        : {
            windowMs: durationOf(given.window, defaultDriftWindowMs),
            alpha: given.alpha ?? defaultDriftRule.alpha,
            minEffect: given.min_effect ?? defaultDriftRule.minEffect,
            minRows: given.min_rows ?? defaultDriftRule.minRows,
          },
  };
}

/** Columns of the truth's key, in order. */
export const keyOf = (key: string | readonly string[]): readonly string[] => (typeof key === 'string' ? [key] : key);
