import { expect, test } from 'vitest';
import { collectedDigest } from './run-items.ts';

test('what items made is told apart by its place too: a step that sees 0 and 2 does not see 0 and 1', () => {
  const [one, other] = ['a', 'b'].map((letter) => ({
    kind: 'json' as const,
    sha256: letter.repeat(64),
    sizeBytes: 2,
  }));
  const at = (...entries: readonly string[]) =>
    collectedDigest(
      entries.flatMap((entry, index) => {
        const made = [one, other][index];
        return made === undefined ? [] : [{ entry, made }];
      }),
    );
  expect(at('0', '2')).not.toBe(at('0', '1'));
  expect(at('0', '1')).toBe(at('0', '1'));
});
