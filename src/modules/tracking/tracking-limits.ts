import { trackingErrors } from './tracking-errors.ts';
import type { NewMetric, Tag } from './tracking-types.ts';

/** MLflow's limits, as its clients know them. */
const maxKeyLength = 250;
const maxParamLength = 6000;
const maxRunTagLength = 8000;
const maxExperimentTagLength = 20_000;
const maxExperimentNameLength = 500;

const invalid = trackingErrors.TRACKING_VALUE_INVALID;

/** Letters of any script, digits and `/ _ - . space :`; and no path tricks, since keys become file names in exports. */
function requireKey(key: string, what: string): void {
  if (soundKeys.has(key)) return;
  if (key === '' || !/^[\p{L}\p{M}\p{N}_/. :-]*$/u.test(key))
    throw invalid(
      `Invalid value "${key}" for parameter '${what}' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).`,
    );
  if (key.length > maxKeyLength)
    throw invalid(`'${what}' exceeds the maximum length of ${maxKeyLength} characters (it has ${key.length})`);
  const parts = key.split('/');
  if (parts.includes('') || parts.includes('.') || parts.includes('..'))
    throw invalid(
      `Invalid value "${key}" for parameter '${what}' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such.`,
    );
  if (soundKeys.size >= soundKeysKept) soundKeys.clear();
  soundKeys.add(key);
}

/** Keys found sound lately: a training loop logs the same ones all the time, and the pattern is most of a check's cost. */
const soundKeys = new Set<string>();
const soundKeysKept = 10_000;

function requireText(text: string, what: string): void {
  if (text.includes('\0')) throw invalid(`the value of '${what}' holds a NUL character, which cannot be stored`);
}

/** Metrics that can be stored: a sound key, integers within reach. */
export function requireMetric(metric: NewMetric, what: string): void {
  requireKey(metric.key, `${what}.key`);
  if (!Number.isSafeInteger(metric.timestampMs) || metric.timestampMs < 0)
    throw invalid(
      `Invalid value ${metric.timestampMs} for parameter '${what}.timestamp' supplied: Timestamp must be a non-negative long (64-bit integer).`,
    );
  if (!Number.isSafeInteger(metric.step))
    throw invalid(
      `Invalid value ${metric.step} for parameter '${what}.step' supplied: a step must be an integer within ±(2^53 - 1).`,
    );
}

/** A long param is cut, as MLflow does by default. */
export function toParam({ key, value }: Tag, what: string): Tag {
  requireKey(key, `${what}.key`);
  requireText(value, key);
  return { key, value: value.slice(0, maxParamLength) };
}

/** A long run tag is cut, as MLflow does by default. */
export function toRunTag({ key, value }: Tag, what: string): Tag {
  requireKey(key, `${what}.key`);
  requireText(value, key);
  return { key, value: value.slice(0, maxRunTagLength) };
}

/** A long experiment tag is refused. */
export function requireExperimentTag({ key, value }: Tag): void {
  requireKey(key, 'key');
  requireText(value, key);
  if (value.length > maxExperimentTagLength)
    throw invalid(
      `'value' exceeds the maximum length of ${maxExperimentTagLength} characters (it has ${value.length})`,
    );
}

export function requireExperimentName(name: string): void {
  if (name.trim() === '' || name.length > maxExperimentNameLength || name.includes('\0'))
    throw invalid(
      `Invalid experiment name: '${name.slice(0, 100)}'. A name is not blank and has at most ${maxExperimentNameLength} characters.`,
    );
}
