import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatJsonLine, readJsonLines, readLines } from './json-lines.ts';

async function* inPieces(bytes: Buffer, sizeBytes: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes);
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

test('values survive however the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.jsonValue()), fc.integer({ min: 1, max: 20 }), async (values, sizeBytes) => {
      const bytes = Buffer.from(values.map(formatJsonLine).join(''));
      expect(await collect(readJsonLines(inPieces(bytes, sizeBytes)))).toEqual(JSON.parse(JSON.stringify(values)));
    }),
  );
});

test('a last line needs no end, either end of line will do, blank lines are skipped', async () => {
  const bytes = Buffer.from('1\r\n\n2');
  expect(await collect(readLines(inPieces(bytes, 2)))).toEqual(['1', '', '2']);
  expect(await collect(readJsonLines(inPieces(bytes, 2)))).toEqual([1, 2]);
});

const read = (text: string) => collect(readJsonLines(inPieces(Buffer.from(text), 3), { maxLineBytes: 10 }));

test('a line that is too long or no JSON is named by its number', async () => {
  await expect(read('1\n{"a"\n')).rejects.toMatchObject({
    code: 'LINE_MALFORMED',
    message: expect.stringContaining('line 2'),
  });
  await expect(read(`1\n"${'x'.repeat(20)}"\n`)).rejects.toMatchObject({ code: 'LINE_TOO_LONG' });
  await expect(read(`1\n"${'x'.repeat(20)}`)).rejects.toMatchObject({ code: 'LINE_TOO_LONG' });
});
