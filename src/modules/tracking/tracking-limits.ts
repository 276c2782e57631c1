import { trackingErrors } from './tracking-errors.ts';
import type { NewMetric, Tag } from './tracking-types.ts';

/** MLflow's limits, as its clients know them. */
const maxKeyLength = 250;
const maxParamLength = 6000;
const maxRunTagLength = 8000;
const maxExperimentTagLength = 20_000;
const maxExperimentNameLength = 500;

const invalid = trackingErrors.TRACKING_VALUE_INVALID;

/** How keys are held to their rule: `sound` where MLflow does, `any` where it takes whatever fits. */
type KeyRule = (key: string, what: string) => void;

function requireKeyLength(key: string, what: string): void {
  if (key.length > maxKeyLength)
    throw invalid(`'${what}' exceeds the maximum length of ${maxKeyLength} characters (it has ${key.length})`);
}

/** MLflow does not look at the keys of tags that a run starts with, nor at those of logged models: programs rely on it. */
export const anyKey: KeyRule = (key, what) => {
  requireText(key, what);
  requireKeyLength(key, what);
};

/** Letters of any script, digits and `/ _ - . space :`; and no path tricks, since keys become file names in exports. */
const soundKey: KeyRule = (key, what) => {
  if (soundKeys.has(key)) return;
  if (key === '' || !/^[\p{L}\p{M}\p{N}_/. :-]*$/u.test(key))
    throw invalid(
      `Invalid value "${key}" for parameter '${what}' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).`,
    );
  requireKeyLength(key, what);
  const parts = key.split('/');
  if (parts.includes('') || parts.includes('.') || parts.includes('..'))
    throw invalid(
      `Invalid value "${key}" for parameter '${what}' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such.`,
    );
  if (soundKeys.size >= soundKeysKept) soundKeys.clear();
  soundKeys.add(key);
};

/** Keys found sound lately: a training loop logs the same ones all the time, and the pattern is most of a check's cost. */
const soundKeys = new Set<string>();
const soundKeysKept = 10_000;

function requireText(text: string, what: string): void {
  if (text.includes('\0')) throw invalid(`the value of '${what}' holds a NUL character, which cannot be stored`);
}

/** `key` of the thing itself, `params[3].key` of one among many. */
const inside = (what: string, name: string) => (what === '' ? name : `${what}.${name}`);

/** Metrics that can be stored: a sound key, integers within reach. */
export function requireMetric(metric: NewMetric, what: string): void {
  soundKey(metric.key, inside(what, 'name'));
  if (!Number.isSafeInteger(metric.timestampMs) || metric.timestampMs < 0)
    throw invalid(
      `Invalid value ${metric.timestampMs} for parameter '${inside(what, 'timestamp')}' supplied: metric '${metric.key}' (value=${metric.value}). Timestamp must be a nonnegative long (64-bit integer)`,
    );
  if (!Number.isSafeInteger(metric.step))
    throw invalid(
      `Invalid value ${metric.step} for parameter '${inside(what, 'step')}' supplied: a step must be an integer within ±(2^53 - 1).`,
    );
}

/** A long param is cut, as MLflow does by default. */
export function toParam({ key, value }: Tag, what: string, requireKey = soundKey): Tag {
  requireKey(key, inside(what, 'key'));
  requireText(value, key);
  return { key, value: value.slice(0, maxParamLength) };
}

/** A long run tag is cut, as MLflow does by default. */
export function toRunTag({ key, value }: Tag, what: string, requireKey = soundKey): Tag {
  requireKey(key, inside(what, 'key'));
  requireText(value, key);
  return { key, value: value.slice(0, maxRunTagLength) };
}

/** A long experiment tag is refused. */
export function requireExperimentTag({ key, value }: Tag): void {
  soundKey(key, 'key');
  requireText(value, key);
  if (value.length > maxExperimentTagLength)
    throw invalid(
      `'value' exceeds the maximum length of ${maxExperimentTagLength} characters (it has ${value.length})`,
    );
}

export function requireExperimentName(name: string): void {
  if (name.length > maxExperimentNameLength)
    throw invalid(`'name' exceeds the maximum length of ${maxExperimentNameLength} characters (it has ${name.length})`);
  if (name.trim() === '' || name.includes('\0'))
    throw invalid(`Invalid experiment name: '${name}'. A name is not blank and holds no NUL character.`);
}
