import { randomFillSync } from 'node:crypto';

/** Where ids come from. They are made by the application, never by a database. */
export interface Ids {
  /** A UUIDv7 (RFC 9562), lower case: later ids of one process sort after earlier ones. */
  next(): string;
  /** 32 hexadecimal digits, the form that MLflow's clients expect. */
  hex32(): string;
}

const sequenceMax = 0xfff;
const byteDigits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const digits = '0123456789abcdef';

/**
 * UUIDv7 with the 12 bits after the time used as a counter inside one millisecond (RFC 9562 section 6.2, method 1), so
 * that ids made in a burst keep their order. When the counter is used up, or the clock steps back, time is borrowed
 * from the future one millisecond at a time.
 */
function createSystemIds(): Ids {
  let lastMs = 0;
  let sequence = 0;
  /** An id up to its sequence, as it is for `lastMs`. */
  let head = '';
  // One call for random bytes costs about as much as 500 ids: take them in blocks.
  const pool = Buffer.alloc(8 * 128);
  let used = pool.length;

  /** So many random bytes, as hexadecimal digits. */
  function random(bytes: 8 | 16): string {
    if (used + bytes > pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    used += bytes;
    return pool.toString('hex', used - bytes, used);
  }

  function setTime(ms: number): void {
    lastMs = ms;
    sequence = 0;
    const time = ms.toString(16).padStart(12, '0');
    head = `${time.slice(0, 8)}-${time.slice(8)}-7`;
  }

  return {
    next() {
      const now = Date.now();
      if (now > lastMs) setTime(now);
      else if (sequence === sequenceMax) setTime(lastMs + 1);
      else sequence += 1;
      const tail = random(8);
      const variant = digits.charAt(0x8 | ((pool[used - 8] as number) >> 6));
      return `${head}${digits.charAt(sequence >> 8)}${byteDigits[sequence & 0xff]}-${variant}${tail.slice(1, 4)}-${tail.slice(4)}`;
    },
    hex32: () => random(16),
  };
}

export const systemIds: Ids = createSystemIds();

/** Ids counted from 1, the same in every run: for tests. They keep the forms of the real ones. */
export function createSequentialIds(): Ids {
  let count = 0;
  return {
    next() {
      count += 1;
      return `00000000-0000-7000-8000-${count.toString(16).padStart(12, '0')}`;
    },
    hex32() {
      count += 1;
      return count.toString(16).padStart(32, '0');
    },
  };
}
