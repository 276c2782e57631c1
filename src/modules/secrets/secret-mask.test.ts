import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSecretMask } from './secret-mask.ts';

const value = 'pä$$ "w"\nsecond line of it';
const forms = [value, JSON.stringify(value).slice(1, -1), Buffer.from(value).toString('base64'), 'second line of it'];

/** Reads bytes as a log is read: pieces from an offset on, while more is written between them. */
function readInPieces(bytes: Buffer, offset: number, sizes: readonly number[]): string {
  const mask = createSecretMask();
  mask.add(value);
  mask.add('pä$$ other');
  const shown: Buffer[] = [];
  let written = offset;
  for (let at = offset, turn = 0; ; turn += 1) {
    const isLast = turn >= sizes.length;
    written = isLast ? bytes.length : Math.min(bytes.length, written + (sizes[turn] ?? 0));
    const start = Math.max(0, at - mask.blotter.reachBytes());
    const piece = mask.blotter.blot(bytes.subarray(start, written), at - start, isLast);
    shown.push(piece.shown);
    at = start + piece.end;
    if (isLast) return Buffer.concat(shown).toString('utf8');
  }
}

test('a value is masked wherever a log is cut, and from whatever offset it is asked for', () => {
  const text = fc.array(fc.oneof(fc.constantFrom(...forms), fc.constantFrom('pä', 'p', ' plain ', 'pä$$ "x', '\n')), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(
      text,
      fc.nat(300),
      fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 20 }),
      (parts, from, sizes) => {
        const bytes = Buffer.from(parts.join(''));
        const offset = Math.min(from, bytes.length);
        const shown = readInPieces(bytes, offset, sizes);
        for (const form of forms) expect(shown).not.toContain(form);
        // however it is cut, a reading from the beginning shows the same
        expect(readInPieces(bytes, 0, sizes)).toBe(readInPieces(bytes, 0, []));
      },
    ),
    { numRuns: 500 },
  );
  expect(readInPieces(Buffer.from(`a ${value} b ${value}`), 4, [3])).toBe('[masked] b [masked]');
});

test('what is no value is shown as it is, and only a beginning of one is waited for', () => {
  const mask = createSecretMask();
  const bytes = Buffer.from('begin of a value: pä$$');
  expect(mask.blotter.blot(bytes, 2, false)).toEqual({ shown: bytes.subarray(2), end: bytes.length });
  mask.add(value);
  expect(mask.blotter.blot(bytes, 0, false).shown.toString()).toBe('begin of a value: ');
  expect(mask.blotter.blot(bytes, 0, true).shown.toString()).toBe('begin of a value: pä$$');
});
