import { describe, expect, test } from 'vitest';
import { createLatestRows } from './latest-rows.ts';

/** The same numbers at each run. */
function createNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

interface Row {
  readonly entity: number;
  readonly time: number;
  readonly created: number;
}

/** As slots: by entity and time, `asked` numbers them as they came. */
function toSlots(instants: readonly { readonly entity: number; readonly time: number }[], entities: number) {
  const order = instants.map((_, index) => index);
  order.sort(
    (a, b) =>
      (instants[a]?.entity ?? 0) - (instants[b]?.entity ?? 0) || (instants[a]?.time ?? 0) - (instants[b]?.time ?? 0),
  );
  const starts = new Int32Array(entities + 1);
  for (const { entity } of instants) starts.fill((starts[entity + 1] ?? 0) + 1, entity + 1, entity + 2);
  for (let entity = 0; entity < entities; entity += 1)
    starts[entity + 1] = (starts[entity + 1] ?? 0) + (starts[entity] ?? 0);
  return {
    starts,
    times: Float64Array.from(order, (place) => instants[place]?.time ?? 0),
    asked: Int32Array.from(order),
  };
}

function offerAll(latest: ReturnType<typeof createLatestRows>, rows: readonly Row[], chunk: number): void {
  for (let from = 0; from < rows.length; from += chunk) {
    const part = rows.slice(from, from + chunk);
    latest.offer(
      part.length,
      Int32Array.from(part, ({ entity }) => entity),
      Float64Array.from(part, ({ time }) => time),
      Float64Array.from(part, ({ created }) => created),
      Float64Array.from(part, (_, index) => from + index),
    );
  }
}

function bruteForce(rows: readonly Row[], maxAge: number) {
  const byEntity = new Map<number, number[]>();
  for (const [index, { entity }] of rows.entries()) {
    const known = byEntity.get(entity);
    if (known === undefined) byEntity.set(entity, [index]);
    else known.push(index);
  }
  return ({ entity, time }: { readonly entity: number; readonly time: number }): number => {
    let best = -1;
    for (const index of byEntity.get(entity) ?? []) {
      const row = rows[index] as Row;
      const other = rows[best];
      if (row.time > time || row.time < time - maxAge) continue;
      if (other === undefined || row.time > other.time || (row.time === other.time && row.created > other.created))
        best = index;
    }
    return best;
  };
}

const at = (time: number, created = Number.NEGATIVE_INFINITY) => ({ entity: 0, time, created });

describe('latest rows', () => {
  // Below and above the number of slots from which rows are gathered before they are placed; one hot entity among many.
  test.each([
    { slots: 300, entities: 7, rows: 2_000 },
    { slots: 40_000, entities: 1_500, rows: 60_000 },
  ])('of $rows rows for $slots instants are those of brute force', ({ slots, entities, rows: count }) => {
    const next = createNumbers(7);
    const anEntity = (): number => (next(40) === 0 ? 3 : next(entities));
    const instants = Array.from({ length: slots }, () => ({ entity: anEntity(), time: next(50_000) }));
    // Created is unique, so that there is one answer.
    const rows = Array.from({ length: count }, (_, index) => ({
      entity: anEntity(),
      time: next(50_000),
      created: (index * 7919) % 100_003,
    }));
    const latest = createLatestRows(toSlots(instants, entities));
    offerAll(latest, rows, 2048);
    expect(latest.ties()).toEqual([]);
    const { asked, rows: found } = latest.settle(20_000);
    const answer = new Map(Array.from(asked, (instant, place) => [instant, found[place]]));
    const expected = bruteForce(rows, 20_000);
    expect(instants.map((_, index) => answer.get(index) ?? -1)).toEqual(instants.map(expected));
  });

  test('tell of the rows that tie for the best, not of those that tied for less', () => {
    const latest = createLatestRows(
      toSlots(
        [
          { entity: 0, time: 10 },
          { entity: 0, time: 20 },
        ],
        1,
      ),
    );
    offerAll(latest, [at(5), at(5), at(8), at(8), at(8, 1), at(8, 1), at(21)], 3);
    expect(latest.ties()).toMatchObject([
      { slot: 0, row: 4 },
      { slot: 0, row: 5 },
    ]);
    latest.choose(0, 5);
    const { asked, rows } = latest.settle(Number.POSITIVE_INFINITY);
    expect([[...asked], [...rows]]).toEqual([
      [0, 1],
      [5, 5],
    ]);
  });

  test('do not give up because of ties for what was the best only for a while', () => {
    const latest = createLatestRows(toSlots([{ entity: 0, time: 10_000 }], 1));
    const pairs = Array.from({ length: 5_000 }, (_, time) => [at(time), at(time)]).flat();
    offerAll(latest, pairs, 100);
    expect(latest.ties()).toMatchObject([{ row: 9_998 }, { row: 9_999 }]);
  });

  test('give up on ties without end', () => {
    const latest = createLatestRows(toSlots([{ entity: 0, time: 10 }], 1));
    offerAll(
      latest,
      Array.from({ length: 5_000 }, () => ({ entity: 0, time: 5, created: 0 })),
      100,
    );
    expect(latest.ties()).toBeUndefined();
  });
});
