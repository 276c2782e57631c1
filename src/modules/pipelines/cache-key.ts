import { createHash } from 'node:crypto';
import { canonicalJson } from '#contracts/json';

/**
 * What the result of a step depends on, part by part, each already a digest or a short text: the command with its
 * placeholders, the code's files, the inputs' content (never name, version or time), the parameters that it sees, the
 * outputs that it declares, its environment. Machine, time, resources, retries and timeout are not part of it.
 */
export type KeyParts = Readonly<Record<string, string>>;

const keyFormat = 1;

export function cacheKey(parts: KeyParts): string {
  return digest({ format: keyFormat, ...parts });
}

/** SHA-256 over canonical JSON: object keys sorted. */
export function digest(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

export interface Difference {
  readonly part: string;
  readonly before: string | undefined;
  readonly now: string | undefined;
}

/** The parts in which two keys differ, in the order of their names. */
export function differences(before: KeyParts, now: KeyParts): readonly Difference[] {
  return [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .toSorted()
    .filter((part) => before[part] !== now[part])
    .map((part) => ({ part, before: before[part], now: now[part] }));
}
