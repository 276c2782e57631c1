import { randomFillSync } from 'node:crypto';

/** Where ids come from. They are made by the application, never by a database. */
export interface Ids {
  /** A UUIDv7 (RFC 9562), lower case: later ids of one process sort after earlier ones. */
  next(): string;
  /** 32 hexadecimal digits, the form that MLflow's clients expect. */
  hex32(): string;
}

const sequenceMax = 0xfff;

/**
 * UUIDv7 with the 12 bits after the time used as a counter inside one millisecond (RFC 9562 section 6.2, method 1), so
 * that ids made in a burst keep their order. When the counter is used up, or the clock steps back, time is borrowed
 * from the future one millisecond at a time.
 */
function createSystemIds(): Ids {
  let lastMs = 0;
  let sequence = 0;
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

  return {
    next() {
      const now = Date.now();
      if (now > lastMs) {
        lastMs = now;
        sequence = 0;
      } else if (sequence === sequenceMax) {
        lastMs += 1;
        sequence = 0;
      } else {
        sequence += 1;
      }
      const time = lastMs.toString(16).padStart(12, '0');
      const tail = random(8);
      const variant = (0x8 | (Number.parseInt(tail.charAt(0), 16) & 0x3)).toString(16);
      return `${time.slice(0, 8)}-${time.slice(8)}-7${sequence.toString(16).padStart(3, '0')}-${variant}${tail.slice(1, 4)}-${tail.slice(4)}`;
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
