import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRequestMemory } from '../request-memory.ts';
import { MessageReader } from './message-reader.ts';

const framed = (message: Uint8Array, flag = 0): Buffer => {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
};

function aReader(maxBytes = 1_000, budgetBytes = 10_000) {
  const memory = createRequestMemory(budgetBytes);
  const allowed: number[] = [];
  const taken: { readonly bytes: Buffer; readonly isPacked: boolean }[] = [];
  const faults: string[] = [];
  const reader = new MessageReader({ allow: (bytes) => void allowed.push(bytes) }, memory, maxBytes, {
    message: (bytes, isPacked) => void taken.push({ bytes: Buffer.from(bytes), isPacked }),
    failed: (error) => void faults.push(error.message),
  });
  return { reader, memory, allowed, taken, faults };
}

test('messages are whole however their bytes come, and room is taken for each', () => {
  const message = fc.record({ bytes: fc.uint8Array({ maxLength: 300 }), flag: fc.constantFrom(0, 1) });
  const run = fc.property(
    fc.array(message, { maxLength: 8 }),
    fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
    (messages, sizes) => {
      const { reader, memory, taken, faults } = aReader();
      const all = Buffer.concat(messages.map(({ bytes, flag }) => framed(bytes, flag)));
      for (let at = 0, turn = 0; at < all.length; turn += 1) {
        const size = sizes[turn % sizes.length] ?? 1;
        reader.read(all.subarray(at, at + size));
        at += size;
      }
      expect(taken.map(({ bytes, isPacked }) => [bytes.toString('hex'), isPacked])).toEqual(
        messages.map(({ bytes, flag }) => [Buffer.from(bytes).toString('hex'), flag === 1]),
      );
      expect([faults, reader.isWithin]).toEqual([[], false]);
      expect(memory.usedBytes).toBe(messages.reduce((sum, { bytes }) => sum + bytes.length, 0));
      memory.close();
    },
  );
  fc.assert(run);
});

test('the window opens for what is missing of a message, and no further', () => {
  const { reader, allowed } = aReader();
  reader.read(framed(Buffer.alloc(1_000)).subarray(0, 105));
  expect(allowed).toEqual([900]);
});

test('a head takes no room, and a message four times as much as has come of it at most', () => {
  const { reader, memory } = aReader(100_000, 100_000);
  const whole = framed(Buffer.alloc(50_000, 7));
  reader.read(whole.subarray(0, 5));
  expect(memory.usedBytes).toBe(0);
  for (let at = 5; at < whole.length; at += 999) {
    reader.read(whole.subarray(at, at + 999));
    expect(memory.usedBytes).toBeLessThanOrEqual(4 * Math.min(at + 999 - 5, 50_000));
  }
  expect(memory.usedBytes).toBe(50_000);
});

test('a message that is alone has room however long it is, and one that finds none on its way gives back what it had', () => {
  const alone = aReader(10_000, 100);
  for (const byte of framed(Buffer.alloc(9_000))) alone.reader.read(Buffer.of(byte));
  expect([alone.taken.length, alone.faults]).toEqual([1, []]);
  const { reader, memory, faults } = aReader(10_000, 10_000);
  reader.read(framed(Buffer.alloc(9_000)).subarray(0, 1_005));
  memory.hold(8_000);
  reader.read(Buffer.alloc(5_000));
  expect(faults).toEqual([expect.stringContaining('try again shortly')]);
  expect(memory.usedBytes).toBe(8_000);
});

test('while it is paused it keeps what comes as it is, and goes on from there', () => {
  const seen: number[] = [];
  const memory = createRequestMemory();
  const reader = new MessageReader({ allow: () => undefined }, memory, 1_000, {
    message(bytes) {
      seen.push(bytes[0] ?? -1);
      memory.give(bytes.length);
      reader.pause();
      if (seen.length % 3 === 0) reader.resume(); // who is told may want the next one at once
    },
    failed: () => undefined,
  });
  const sent = Array.from({ length: 5_000 }, (_, turn) => (turn % 4 === 0 ? -1 : turn % 256));
  const all = Buffer.concat(sent.map((value) => framed(value < 0 ? Buffer.alloc(0) : Buffer.of(value))));
  for (let at = 0; at < all.length; at += 777) reader.read(all.subarray(at, at + 777));
  expect([seen.length, reader.isBehind]).toEqual([1, true]);
  expect(memory.usedBytes).toBeLessThan(65_536);
  while (reader.isBehind) reader.resume();
  expect(seen).toEqual(sent);
  expect(memory.usedBytes).toBe(0);
});

/** Why, with so much held by others. */
function refused(head: Buffer, held = 0): string[] {
  const { reader, memory, taken, faults } = aReader();
  if (held > 0) memory.take(held);
  reader.read(head);
  reader.read(Buffer.alloc(100));
  expect([taken, memory.usedBytes]).toEqual([[], held]);
  return faults;
}

test('a message that is too long, finds no room, or begins as none does, is refused by its head', () => {
  const head = framed(Buffer.alloc(1_000)).subarray(0, 5);
  expect(refused(Buffer.of(0, 0, 0, 3, 233))).toEqual(['the body is longer than 1000 bytes']);
  expect(refused(head, 9_500)).toEqual([expect.stringContaining('try again shortly')]);
  expect(refused(Buffer.of(2, 0, 0, 0, 1))).toEqual(['the call is not gRPC: it begins with 2, which says nothing']);
});

test('what a message has taken is given back when its call ends before it', () => {
  const { reader, memory } = aReader();
  reader.read(framed(Buffer.alloc(1_000)).subarray(0, 505));
  expect([memory.usedBytes, reader.isWithin]).toEqual([1_000, true]);
  reader.close();
  reader.close();
  expect(memory.usedBytes).toBe(0);
});

test('a call that is cut to make room for its own message holds nothing', () => {
  for (const size of [10, 100]) {
    const { reader, memory, taken } = aReader();
    const take = memory.take.bind(memory);
    memory.take = (bytes) => {
      reader.close();
      take(bytes);
    };
    reader.read(framed(Buffer.alloc(100)).subarray(0, 5 + size));
    expect([memory.usedBytes, taken.length]).toEqual([0, 0]);
  }
});

test('a short message does not keep all that came with it', () => {
  const seen: number[] = [];
  const around = Buffer.alloc(65_536);
  around.set(framed(Buffer.of(7)), 100);
  const reader = new MessageReader({ allow: () => undefined }, createRequestMemory(), 10, {
    message: (bytes) => void seen.push(bytes.buffer.byteLength, ...bytes),
    failed: () => undefined,
  });
  reader.read(around.subarray(100, 106));
  expect(seen).toEqual([expect.any(Number), 7]);
  expect(seen[0]).toBeLessThan(65_536);
});
