import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Piece } from './blob-store.ts';
import { createRunningHash } from './running-hash.ts';

/** Pieces of one text each, which lie in place as soon as a test says so. */
function setUp() {
  const placed = new Map<number, Piece>();
  const reads: string[] = [];
  const broken = new Set<string>();
  const hash = createRunningHash({
    next: (number) => placed.get(number),
    async read({ etag }, hear) {
      reads.push(etag);
      hear(Buffer.from(etag));
      await new Promise(setImmediate);
      if (broken.has(etag)) throw new Error(`${etag} cannot be read`);
    },
  });
  return {
    hash,
    reads,
    broken,
    place: (number: number, etag: string): Piece => {
      const piece = { number, etag, sizeBytes: etag.length };
      placed.set(number, piece);
      hash.advance();
      return piece;
    },
  };
}

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

test('pieces are heard in their order as soon as they lie in a row, and each once', async () => {
  const { hash, reads, place } = setUp();
  const second = place(2, 'b');
  await hash.keepPace(0);
  expect(reads).toEqual([]);
  const first = place(1, 'a');
  await hash.keepPace(0);
  expect(reads).toEqual(['a', 'b']);
  const third = place(3, 'c');
  expect(await hash.finish([first, second, third])).toBe(digest('abc'));
  expect(reads).toEqual(['a', 'b', 'c']);
  expect(await hash.finish([first, second, third])).toBe(digest('abc'));
});

test('a sender waits for all but so many', async () => {
  const { hash, reads, place } = setUp();
  for (const [index, etag] of ['a', 'b', 'c', 'd', 'e'].entries()) place(index + 1, etag);
  await hash.keepPace(2);
  expect(reads.length).toBeGreaterThanOrEqual(3);
  await hash.keepPace(0);
  expect(reads).toEqual(['a', 'b', 'c', 'd', 'e']);
});

test('another version of what was heard, and a piece that could not be read, begin it anew', async () => {
  const { hash, broken, place } = setUp();
  place(1, 'old');
  const second = place(2, 'b');
  await hash.keepPace(0);
  const first = place(1, 'new');
  expect(await hash.finish([first, second])).toBe(digest('newb'));
  const third = place(3, 'c');
  await hash.keepPace(0);
  broken.add('d');
  const fourth = place(4, 'd');
  await expect(hash.finish([first, second, third, fourth])).rejects.toThrow('d cannot be read');
  broken.delete('d');
  expect(await hash.finish([first, second, third, fourth])).toBe(digest('newbcd'));
});
