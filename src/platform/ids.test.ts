import { expect, test } from 'vitest';
import { createManualClock } from './clock.ts';
import { createSequentialIds, systemIds } from './ids.ts';

test('ids are version 7 UUIDs that carry the time', () => {
  const before = Date.now();
  const id = systemIds.next();
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const time = Number.parseInt(id.replace('-', '').slice(0, 12), 16);
  expect(time).toBeGreaterThanOrEqual(before);
  expect(time).toBeLessThanOrEqual(Date.now() + 10);
});

test('ids made in a burst are unique and sort in the order of their making', () => {
  const ids = Array.from({ length: 50_000 }, () => systemIds.next());
  expect(ids).toEqual([...new Set(ids)].toSorted());
});

test('sequential ids have the forms of real ones and are the same in every run', () => {
  const [one, other] = [createSequentialIds(), createSequentialIds()];
  const ids = [one.next(), one.hex32(), one.next()];
  expect(ids).toEqual([other.next(), other.hex32(), other.next()]);
  expect(ids).toEqual([
    '00000000-0000-7000-8000-000000000001',
    '00000000000000000000000000000002',
    '00000000-0000-7000-8000-000000000003',
  ]);
  expect(systemIds.hex32()).toMatch(/^[0-9a-f]{32}$/);
});

test('a manual clock moves only when told', () => {
  const clock = createManualClock(1000);
  expect(clock.nowMs()).toBe(1000);
  clock.advance(5);
  expect(clock.nowMs()).toBe(1005);
});
