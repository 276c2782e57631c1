/** A seeded source of random numbers: the same seed gives the same numbers on every machine. */
export interface Random {
  /** An integer in [0, 2^32). */
  readonly nextUint32: () => number;
  /** A number in [0, 1) with 53 random bits. */
  readonly nextFloat: () => number;
  /** An integer in [0, bound), without modulo bias; bound is an integer in [1, 2^32]. */
  readonly nextInteger: (bound: number) => number;
}

const rotateLeft = (x: number, k: number): number => (x << k) | (x >>> (32 - k));

/** xoshiro128** 1.1 from its four 32-bit words of state (Blackman, Vigna 2018, https://prng.di.unimi.it). Not all may be 0. */
export function createRandomFromState(state: readonly [number, number, number, number]): Random {
  let [s0, s1, s2, s3] = state;

  const nextUint32 = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    const t = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = rotateLeft(s3, 11);
    return result;
  };

  return {
    nextUint32,
    nextFloat: () => ((nextUint32() >>> 5) * 67_108_864 + (nextUint32() >>> 6)) / 9_007_199_254_740_992,
    nextInteger(bound) {
      if (!(Number.isInteger(bound) && bound >= 1 && bound <= 4_294_967_296)) {
        throw new RangeError(`bound must be an integer from 1 to 2^32; it is ${bound}`);
      }
      // Values at or above the greatest multiple of bound are drawn again. Division, because % of such large values is slow.
      const limit = bound * Math.floor(4_294_967_296 / bound);
      let value = nextUint32();
      while (value >= limit) value = nextUint32();
      return value - bound * Math.floor(value / bound);
    },
  };
}

/** A generator from any safe integer, its state filled by splitmix32 (the 32-bit finaliser of MurmurHash3 over a Weyl sequence). */
export function createRandom(seed: number): Random {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`a seed must be a safe integer; it is ${seed}`);
  // The high half enters too, so that seeds 2^32 apart differ.
  let weyl = (seed ^ Math.imul(Math.floor(seed / 4_294_967_296), 0x85ebca6b)) | 0;
  const splitmix = (): number => {
    weyl = (weyl + 0x9e3779b9) | 0;
    let z = weyl;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return z ^ (z >>> 16);
  };
  return createRandomFromState([splitmix(), splitmix(), splitmix(), splitmix()]);
}
