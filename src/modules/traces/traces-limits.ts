import { toStorable } from './span-content.ts';
import { tracesErrors } from './traces-errors.ts';

/** MLflow's limits, as its clients know them. */
const maxKeyLength = 250;
const maxValueLength = 8000;
const maxNameLength = 4096;
const maxSessionLength = 250;
export const maxLinks = 100;

const invalid = tracesErrors.TRACE_VALUE_INVALID;

export function requireTraceId(id: string): string {
  if (!/^[\w-]{1,100}$/.test(id))
    throw invalid(
      `Invalid value "${id.slice(0, 100)}" for parameter 'trace_id' supplied: a trace id is 'tr-' and 32 hexadecimal digits.`,
    );
  return id;
}

function requireKey(key: string, what: string): void {
  if (key === '' || key.length > maxKeyLength || !/^[\p{L}\p{M}\p{N}_/. :-]*$/u.test(key))
    throw invalid(
      `Invalid value "${key.slice(0, 100)}" for parameter '${what}' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/), and have at most ${maxKeyLength} characters.`,
    );
}

/** A long value is cut, as MLflow does by default. */
export function toPair(key: string, value: string, what: string): { readonly key: string; readonly value: string } {
  requireKey(key, what);
  return { key, value: toStorable(value).slice(0, maxValueLength) };
}

/** What comes along with spans and cannot be a tag is left out, as in MLflow. */
export const isPairKey = (key: string): boolean =>
  key !== '' && key.length <= maxKeyLength && /^[\p{L}\p{M}\p{N}_/. :-]*$/u.test(key);

export const toTraceName = (name: string): string => toStorable(name).slice(0, maxNameLength);

export function requireSessionId(session: string): string {
  if (session.length > maxSessionLength)
    throw invalid(
      `'Session ID' exceeds the maximum length of ${maxSessionLength} characters (it has ${session.length})`,
    );
  return toStorable(session);
}
