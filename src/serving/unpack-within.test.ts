import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { createRequestMemory } from './request-memory.ts';
import { unpackWithin } from './unpack-within.ts';

function aMemory(budgetBytes: number) {
  const memory = createRequestMemory(budgetBytes);
  onTestFinished(() => memory.close());
  return memory;
}
const malformed = () => new Error('malformed');
const text = Buffer.from('what was said '.repeat(5_000));

test('each coding is unpacked, and its bytes are taken', async () => {
  const memory = aMemory(1_000_000);
  for (const [coding, packed] of [
    ['gzip', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['raw', deflateRawSync(text)],
  ] as const) {
    expect((await unpackWithin(coding, packed, text.length, memory, malformed)).equals(text)).toBe(true);
    expect(memory.usedBytes).toBe(text.length);
    memory.give(text.length);
  }
  expect(await unpackWithin('gzip', gzipSync(''), 0, memory, malformed)).toEqual(Buffer.alloc(0));
});

test('what is too long, finds no room on its way, or is none, gives back what it has taken', async () => {
  const memory = aMemory(200_000);
  memory.take(100_000);
  const unpack = (packed: Buffer, maxBytes: number) => unpackWithin('gzip', packed, maxBytes, memory, malformed);
  await expect(unpack(gzipSync(text), text.length - 1)).rejects.toThrow('longer than');
  const most = { bytes: 0 };
  const take = memory.take.bind(memory);
  memory.take = (bytes) => {
    take(bytes);
    most.bytes = Math.max(most.bytes, memory.usedBytes);
  };
  await expect(unpack(gzipSync(Buffer.alloc(50_000_000)), 64_000_000)).rejects.toThrow('try again shortly');
  expect(most.bytes).toBeLessThanOrEqual(200_000);
  await expect(unpack(gzipSync(text).subarray(0, -20), 1_000_000)).rejects.toThrow('malformed');
  await expect(unpack(Buffer.from('no'), 1_000_000)).rejects.toThrow('malformed');
  expect(memory.usedBytes).toBe(100_000);
});
