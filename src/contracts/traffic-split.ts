import type { PredictionEnvelope } from './prediction-record.ts';

export interface Share<Target> {
  readonly target: Target;
  readonly basisPoints: number;
}

export interface Choice<Target> {
  readonly target: Target;
  readonly reason: PredictionEnvelope['reason'];
  /** The probability with which this target is chosen. */
  readonly propensity: number;
}

const whole = 10_000;

/**
 * Chooses among shares that sum to 10,000; a share of 0 is never chosen. With a sticky value the choice is a function of
 * it and the salt: the line [0, 10,000) is laid out in the declared order, so a canary that stays last in the list keeps
 * the values it had when its share grows.
 */
export function chooseShare<Target>(
  shares: readonly Share<Target>[],
  sticky: { readonly salt: string; readonly value: string } | undefined,
  random: () => number,
): Choice<Target> | undefined {
  const only = shares.find(({ basisPoints }) => basisPoints === whole);
  if (only !== undefined) return { target: only.target, reason: 'only', propensity: 1 };
  const point = sticky === undefined ? random() * whole : (stickyHash(sticky.salt, sticky.value) / 2 ** 32) * whole;
  let upTo = 0;
  for (const { target, basisPoints } of shares) {
    upTo += basisPoints;
    if (point < upTo)
      return { target, reason: sticky === undefined ? 'weighted' : 'sticky', propensity: basisPoints / whole };
  }
  return undefined;
}

/** MurmurHash3 (x86, 32 bit) of `<salt>\0<value>` in UTF-8, so that any replica in any language agrees. */
export function stickyHash(salt: string, value: string): number {
  const bytes = Buffer.from(`${salt}\0${value}`);
  let hash = 0;
  const blocksEnd = bytes.length - (bytes.length % 4);
  for (let at = 0; at < blocksEnd; at += 4) {
    hash ^= scramble(bytes.readInt32LE(at));
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= blocksEnd; at -= 1) tail = (tail << 8) | (bytes[at] ?? 0);
  if (blocksEnd < bytes.length) hash ^= scramble(tail);
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scramble(block: number): number {
  const mixed = Math.imul(block, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}
