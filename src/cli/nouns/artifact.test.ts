import { expect, test } from 'vitest';
import type { CollectedView } from '#contracts/artifacts';
import { artifact } from './artifact.ts';

const view = artifact.further?.find(({ name }) => name === 'collect')?.view as (answer: CollectedView) => string;
const nothing = { adopted: 0, expired: 0, condemned: 0, removed: 0, removedBytes: 0 };

test('a collection is told in a few sentences: what went, what waits and until when', () => {
  const none = { artifacts: 0, bytes: 0 };
  expect(view({ ...nothing, waiting: none })).toBe('Nothing to remove, and nothing waits.');
  expect(view({ ...nothing, removed: 2, removedBytes: 3_000_000, waiting: none })).toBe(
    'Removed 2 artifacts (3.0 MB); nothing waits.',
  );
  const nextAt = '2026-01-02T03:04:05.000Z';
  expect(
    view({ ...nothing, waiting: { artifacts: 1, bytes: 512, nextAt } })
      .split('\n')
      .slice(0, 2),
  ).toEqual([
    'Nothing could go yet.',
    `1 artifact (512 B) that nothing needs waits, in all projects; the first can go at ${nextAt}.`,
  ]);
  expect(view({ ...nothing, removed: 1, removedBytes: 1, waiting: { artifacts: 2, bytes: 2_000, nextAt } })).toContain(
    'Removed 1 artifact (1 B).\n2 artifacts (2.0 KB) that nothing needs wait',
  );
});
