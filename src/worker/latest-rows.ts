/**
 * The latest row of a view before each instant asked for, found in one pass over the view in any order and without sorting
 * it: memory follows from the number of instants alone.
 *
 * A _slot_ is one instant asked for, of one entity; the slots of an entity lie together, by time. A row of the view belongs
 * to the first slot that may use it; there the greatest (time, created) is kept. A later slot that no row belongs to uses
 * what the slot before it does, for whatever that may use, it may use too: `settle` hands rows on once all were offered.
 *
 * Times are whole and within 2^53, so that doubles tell them apart. `created` may have been rounded, or be infinite, as long
 * as the order holds: rows that look equal are reported by `ties`, to be told apart elsewhere.
 */
export interface LatestRows {
  /** `count` rows of the view: entity, time, created, and the number that `settle` answers. */
  readonly offer: (
    count: number,
    entities: Int32Array,
    times: Float64Array,
    created: Float64Array | undefined,
    rows: Float64Array,
  ) => void;
  /** Rows that tie for the best of a slot, at least two a slot; the caller decides by `choose`. @returns undefined when there were too many to keep */
  ties(): readonly { readonly slot: number; readonly row: number }[] | undefined;
  choose(slot: number, row: number): void;
  /** The row for each instant that has one not older than `maxAge`; `asked` is the number that came with the instant. */
  settle(maxAge: number): { readonly asked: Int32Array; readonly rows: Float64Array };
}

/** The instants asked for, by entity and time: slot n is the instant `times[n]` of the entity e with starts[e] <= n < starts[e + 1]. */
export interface AskedInstants {
  readonly starts: Int32Array;
  readonly times: Float64Array;
  readonly asked: Int32Array;
}

/**
 * What one instant may cost: 36 for time, number asked, best time, created and row, 12 for what `settle` answers, 14 for
 * buffers, the rest for ties.
 */
export const bytesPerSlot = 100;

const noRow = -1;
const noSlot = -1;

export function createLatestRows(instants: AskedInstants): LatestRows {
  const { starts, times: slotTimes, asked } = instants;
  const slots = slotTimes.length;
  const maxTies = Math.max(1024, slots >>> 1);
  const bestTimes = new Float64Array(slots).fill(Number.NEGATIVE_INFINITY);
  const bestCreated = new Float64Array(slots).fill(Number.NEGATIVE_INFINITY);
  const bestRows = new Float64Array(slots).fill(noRow);
  // Of each row that equalled the best when it came: where, and with which time and created, to know whether it still does.
  let tied: { slot: number; row: number; time: number; created: number }[] = [];
  let tooMany = false;
  const slotAfter = createSearch(instants);

  function place(
    count: number,
    entities: Int32Array,
    times: Float64Array,
    created: Float64Array | undefined,
    rows: Float64Array,
  ): void {
    for (let index = 0; index < count; index += 1) {
      const time = times[index] as number;
      const slot = slotAfter(entities[index] as number, time);
      if (slot === noSlot) continue;
      const best = bestTimes[slot] as number;
      if (time < best) continue;
      const written = created === undefined ? 0 : (created[index] as number);
      if (time > best || written > (bestCreated[slot] as number)) {
        bestTimes[slot] = time;
        bestCreated[slot] = written;
        bestRows[slot] = rows[index] as number;
      } else if (written === bestCreated[slot]) tie(slot, rows[index] as number, time, written);
    }
  }

  function tie(slot: number, row: number, time: number, created: number): void {
    if (tooMany) return;
    if (tied.length >= maxTies) {
      tied = tied.filter(isStillBest);
      tooMany = tied.length >= maxTies / 2; // else looking them all through would come again soon
      if (tooMany) {
        tied = [];
        return;
      }
    }
    tied.push({ slot, row, time, created });
  }

  const isStillBest = ({ slot, time, created }: (typeof tied)[number]): boolean =>
    bestTimes[slot] === time && bestCreated[slot] === created;

  const buffered = slots > neighbours ? createNearbyBuffers(instants, place) : undefined;

  return {
    offer: buffered?.offer ?? place,
    ties() {
      buffered?.flush();
      if (tooMany) return undefined;
      tied = tied.filter(isStillBest);
      const firsts = new Set(tied.map(({ slot }) => slot));
      return [...[...firsts].map((slot) => ({ slot, row: bestRows[slot] as number })), ...tied];
    },
    choose(slot, row) {
      bestRows[slot] = row;
    },
    settle(maxAge) {
      const [found, rows] = [new Int32Array(slots), new Float64Array(slots)];
      let count = 0;
      for (let entity = 0; entity + 1 < starts.length; entity += 1) {
        let from = noRow;
        const end = starts[entity + 1] as number;
        for (let slot = starts[entity] as number; slot < end; slot += 1) {
          if (bestRows[slot] !== noRow) from = slot;
          if (from === noRow || (bestTimes[from] as number) < (slotTimes[slot] as number) - maxAge) continue;
          found[count] = asked[slot] as number;
          rows[count] = bestRows[from] as number;
          count += 1;
        }
      }
      return { asked: found.subarray(0, count), rows: rows.subarray(0, count) };
    },
  };
}

/** So many slots are looked at beside the guess; instants that are not spread evenly are searched by halves. */
const maxSteps = 8;

/**
 * The first slot of an entity at or after a time, `noSlot` when all are before. Where instants are spread evenly a slot is
 * guessed from how far the time lies between the entity's first and last, which takes two thirds of the time of halving.
 */
function createSearch({ starts, times }: AskedInstants): (entity: number, time: number) => number {
  const slotsPerTime = new Float64Array(starts.length);
  for (let entity = 0; entity + 1 < starts.length; entity += 1) {
    const [first, last] = [starts[entity] as number, (starts[entity + 1] as number) - 1];
    const span = (times[last] as number) - (times[first] as number);
    slotsPerTime[entity] = span > 0 ? (last - first) / span : 0;
  }

  function byHalves(from: number, to: number, time: number): number {
    let [slot, high] = [from, to];
    while (slot < high) {
      const middle = (slot + high) >>> 1;
      if ((times[middle] as number) < time) slot = middle + 1;
      else high = middle;
    }
    return slot;
  }

  return (entity, time) => {
    const first = starts[entity] as number;
    const last = (starts[entity + 1] as number) - 1;
    if (last < first || time > (times[last] as number)) return noSlot;
    const after = time - (times[first] as number);
    if (after <= 0) return first;
    // From here on times[first] < time <= times[last]: neither walk leaves the entity.
    let slot = first + Math.floor(after * (slotsPerTime[entity] as number));
    if (slot > last) slot = last; // rounding
    if ((times[slot] as number) < time) {
      const limit = slot + maxSteps;
      do slot += 1;
      while (slot < limit && (times[slot] as number) < time);
      return (times[slot] as number) < time ? byHalves(slot + 1, last, time) : slot;
    }
    const limit = slot - maxSteps;
    while (slot > limit && (times[slot - 1] as number) >= time) slot -= 1;
    return slot > limit ? slot : byHalves(first + 1, slot, time);
  };
}

/** Slots whose arrays fit into a core's own cache together. */
const neighbours = 16_384;
const rowsPerBuffer = 8_192;
const maxBuffers = 128;

/**
 * Rows come in any order, so that each would wait for memory a few times. Gathered by the part of the slots that they fall
 * into, and placed a part at a time, rows find a million slots in two thirds of the time.
 */
function createNearbyBuffers({ starts, times: { length: slots } }: AskedInstants, place: LatestRows['offer']) {
  const shift = Math.max(Math.log2(neighbours), Math.ceil(Math.log2(slots / maxBuffers)));
  const buffers = (slots >>> shift) + 1;
  const size = buffers * rowsPerBuffer;
  const entities = new Int32Array(size);
  const [times, created, rows] = [new Float64Array(size), new Float64Array(size), new Float64Array(size)];
  const filled = new Int32Array(buffers);
  let withCreated = false;

  function flushOne(buffer: number): void {
    const [from, count] = [buffer * rowsPerBuffer, filled[buffer] as number];
    const cut = (array: Float64Array) => array.subarray(from, from + count);
    place(count, entities.subarray(from, from + count), cut(times), withCreated ? cut(created) : undefined, cut(rows));
    filled[buffer] = 0;
  }

  return {
    offer: (
      count: number,
      newEntities: Int32Array,
      newTimes: Float64Array,
      newCreated: Float64Array | undefined,
      newRows: Float64Array,
    ): void => {
      withCreated = newCreated !== undefined;
      for (let index = 0; index < count; index += 1) {
        const entity = newEntities[index] as number;
        const buffer = (starts[entity] as number) >>> shift;
        const used = filled[buffer] as number;
        const at = buffer * rowsPerBuffer + used;
        entities[at] = entity;
        times[at] = newTimes[index] as number;
        if (newCreated !== undefined) created[at] = newCreated[index] as number;
        rows[at] = newRows[index] as number;
        filled[buffer] = used + 1;
        if (used + 1 === rowsPerBuffer) flushOne(buffer);
      }
    },
    flush: (): void => {
      for (let buffer = 0; buffer < buffers; buffer += 1) flushOne(buffer);
    },
  };
}
