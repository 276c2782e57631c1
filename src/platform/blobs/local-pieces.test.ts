import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import type { Piece } from './blob-store.ts';
import { createLocalBlobStore } from './local-blob-store.ts';
import { createLocalPieces } from './local-pieces.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const group = 'upload-1';

function setUp() {
  const folder = mkdtempSync(join(tmpdir(), 'tidemill-pieces-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return {
    /** As a new process finds it. */
    open: () => createLocalBlobStore(folder),
    blobPath: (digest: string) => join(folder, digest.slice(0, 2), digest.slice(2, 4), digest),
    inGroup: (name = '') => join(folder, 'pieces', group, name),
    names: () => readdirSync(join(folder, 'pieces', group)).toSorted(),
  };
}

async function* chunks(bytes: Uint8Array, sizeBytes = 1_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes);
}

/** A sender that stops half-way until it is let go on, or breaks. */
function slowly(bytes: Uint8Array) {
  const half = bytes.length >> 1;
  let goOn: (() => void) | undefined;
  let breakOff: ((error: Error) => void) | undefined;
  const gate = new Promise<void>((resolve, reject) => ([goOn, breakOff] = [resolve, reject]));
  gate.catch(() => undefined); // it may break before it is waited for
  let begin: (() => void) | undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  async function* source() {
    yield bytes.subarray(0, half);
    begin?.();
    await gate;
    yield bytes.subarray(half);
  }
  return {
    source: source(),
    begun,
    goOn: () => goOn?.(),
    breakOff: () => breakOff?.(new Error('the sender went away')),
  };
}

const announced = (bytes: Uint8Array, pieceCount: number) => ({ sizeBytes: bytes.length, pieceCount });

test('parts of one size are written once: the file that they arrive in becomes the blob', async () => {
  const { open, blobPath, inGroup } = setUp();
  const { pieces } = open();
  const parts = [randomBytes(5_000), randomBytes(5_000), randomBytes(17)];
  const put: Piece[] = [];
  for (const index of [2, 1, 0])
    put[index] = await pieces.put(group, index + 1, chunks(parts[index]!), announced(parts[index]!, 3));
  const { ino } = statSync(inGroup('whole-5000'));
  const info = await pieces.join(group, put);
  expect(info).toEqual({ sha256: sha256(Buffer.concat(parts)), sizeBytes: 10_017 });
  const blob = statSync(blobPath(info.sha256));
  expect([blob.ino, blob.mode & 0o777, blob.size]).toEqual([ino, 0o444, 10_017]);
  await pieces.remove(group);
  expect(readFileSync(blobPath(info.sha256)).equals(Buffer.concat(parts))).toBe(true);
});

test('another process goes on with a group, and joins what was joined before it died', async () => {
  const { open } = setUp();
  const parts = [randomBytes(3_000), randomBytes(3_000), randomBytes(3_000)];
  const first = await open().pieces.put(group, 1, chunks(parts[0]!), announced(parts[0]!, 3));
  const second = open();
  const third = await second.pieces.put(group, 3, chunks(parts[2]!), announced(parts[2]!, 3));
  const joined = [first, await open().pieces.put(group, 2, chunks(parts[1]!), announced(parts[1]!, 3)), third];
  const info = await open().pieces.join(group, joined);
  expect(info.sha256).toBe(sha256(Buffer.concat(parts)));
  expect(await open().pieces.join(group, joined)).toEqual(info);
});

test('another process knows which version of a part lies in its place', async () => {
  const { open } = setUp();
  const { pieces } = open();
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
    const parts = [randomBytes(300), randomBytes(300)];
    const put = (number: number, bytes: Uint8Array) => pieces.put(name, number, chunks(bytes), announced(bytes, 2));
    await put(1, randomBytes(300));
    const joined = [await put(1, parts[0]!), await put(2, parts[1]!)];
    const info = await pieces.join(name, joined);
    expect([info.sha256, await open().pieces.join(name, joined)]).toEqual([sha256(Buffer.concat(parts)), info]);
  }
});

test('what a power cut took of a part is found by a new process, and the part can be put again', async () => {
  const { open, inGroup, names } = setUp();
  const parts = [randomBytes(3_000), randomBytes(3_000)];
  const put: Piece[] = [];
  for (const [index, bytes] of parts.entries())
    put.push(await open().pieces.put(group, index + 1, chunks(bytes), announced(bytes, 2)));
  const whole = readFileSync(inGroup('whole-3000'));
  writeFileSync(inGroup('whole-3000'), whole.fill(0, 2_900, 3_000));
  const { pieces } = open();
  await expect(pieces.join(group, put)).rejects.toMatchObject({ code: 'BLOB_PIECE_LOST', message: /^part 1 / });
  const again = await pieces.put(group, 1, chunks(parts[0]!), announced(parts[0]!, 2));
  expect(names()).toEqual([`1-${again.etag}@3000`, `2-${put[1]!.etag}@3000`, 'whole-3000']);
  // who still asks for what was lost takes nothing from what came instead
  await expect(pieces.join(group, put)).rejects.toMatchObject({ code: 'BLOB_PIECE_LOST' });
  expect((await pieces.join(group, [again, put[1]!])).sha256).toBe(sha256(Buffer.concat(parts)));
});

test('a file that the disk has refused is not asked about again: its parts are written anew', async () => {
  const { open, inGroup } = setUp();
  const blobs = open();
  let asked = 0;
  const pieces = createLocalPieces(inGroup('..'), {
    putStream: (source) => blobs.putStream(source),
    // what a sync says once, and not again
    async adopt() {
      asked += 1;
      if (asked === 1) throw Object.assign(new Error('i/o error'), { code: 'EIO' });
      return true;
    },
    explain: (error) => error,
  });
  const parts = [randomBytes(3_000), randomBytes(3_000)];
  const put: Piece[] = [];
  for (const [index, bytes] of parts.entries())
    put.push(await pieces.put(group, index + 1, chunks(bytes), announced(bytes, 2)));
  await expect(pieces.join(group, put)).rejects.toMatchObject({ code: 'EIO' });
  const { sha256: digest } = await pieces.join(group, put);
  expect(digest).toBe(sha256(Buffer.concat(parts)));
  expect(await open().stat(digest)).toEqual({ sizeBytes: 6_000 });
});

test('a part that is put again after the whole was joined changes no byte of the blob', async () => {
  const { open, blobPath } = setUp();
  const parts = [randomBytes(3_000), randomBytes(3_000)];
  const other = randomBytes(3_000);
  const put: Piece[] = [];
  const { pieces } = open();
  for (const [index, bytes] of parts.entries())
    put.push(await pieces.put(group, index + 1, chunks(bytes), announced(bytes, 2)));
  const before = await pieces.join(group, put);
  for (const store of [open(), { pieces }]) {
    const again = await store.pieces.put(group, 2, chunks(other), announced(other, 2));
    const after = await store.pieces.join(group, [put[0]!, again]);
    expect(after.sha256).toBe(sha256(Buffer.concat([parts[0]!, other])));
    for (const { sha256: digest } of [before, after]) expect(sha256(readFileSync(blobPath(digest)))).toBe(digest);
  }
});

test('a sender that hangs in the place of a part writes into no blob', async () => {
  const { open, blobPath } = setUp();
  const { pieces } = open();
  const parts = [randomBytes(3_000), randomBytes(3_000)];
  const hanging = slowly(randomBytes(3_000));
  const late = pieces.put(group, 1, hanging.source, announced(parts[0]!, 2));
  await hanging.begun;
  const put: Piece[] = [];
  for (const [index, bytes] of parts.entries())
    put.push(await pieces.put(group, index + 1, chunks(bytes), announced(bytes, 2)));
  const { sha256: digest } = await pieces.join(group, put);
  hanging.goOn();
  await late;
  expect(digest).toBe(sha256(Buffer.concat(parts)));
  expect(sha256(readFileSync(blobPath(digest)))).toBe(digest);
});

test('a part whose sender broke off can be put in its place again; nothing of the first try stays apart', async () => {
  const { open, names } = setUp();
  const { pieces } = open();
  const bytes = randomBytes(3_000);
  const broken = slowly(randomBytes(3_000));
  const failing = pieces.put(group, 1, broken.source, announced(bytes, 2));
  await broken.begun;
  broken.breakOff();
  await expect(failing).rejects.toThrow('the sender went away');
  const { etag } = await pieces.put(group, 1, chunks(bytes), announced(bytes, 2));
  expect(names()).toEqual([`1-${etag}@3000`, 'whole-3000']);
});

test('whatever parts come in whatever order, the last of each number are joined', async () => {
  const sizes = fc.constantFrom(0, 1, 700, 1_000);
  const aPut = fc.record({
    number: fc.integer({ min: 1, max: 5 }),
    sizeBytes: fc.oneof({ weight: 4, arbitrary: fc.constant(1_000) }, sizes),
    announced: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.boolean()),
    breaks: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.boolean()),
    restarts: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.boolean()),
    joins: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.array(aPut, { maxLength: 12 }), async (pieceCount, puts) => {
      const { open, blobPath } = setUp();
      let { pieces } = open();
      const last = new Map<number, { readonly piece: Piece; readonly bytes: Uint8Array }>();
      const joined = new Set<string>();
      const whole = Array.from({ length: pieceCount }, (_, index) => ({
        number: index + 1,
        sizeBytes: 1_000,
        announced: true,
        breaks: false,
        restarts: false,
        joins: index + 1 === pieceCount,
      }));
      for (const step of [...puts.filter(({ number }) => number <= pieceCount), ...whole]) {
        if (step.restarts) ({ pieces } = open());
        const bytes = randomBytes(step.sizeBytes);
        const expected = step.announced ? announced(bytes, pieceCount) : {};
        const sender = slowly(bytes);
        if (step.breaks) sender.breakOff();
        else sender.goOn();
        const put = await pieces
          .put(group, step.number, sender.source, expected)
          .catch((error: Error) => error.message);
        expect(typeof put === 'string' ? put : 'put').toBe(step.breaks ? 'the sender went away' : 'put');
        if (typeof put !== 'string') {
          const former = last.get(step.number);
          last.set(step.number, { piece: put, bytes });
          if (former !== undefined) await pieces.drop(group, former.piece);
        }
        if (!step.joins || last.size < pieceCount) continue;
        const parts = [...last].toSorted(([a], [b]) => a - b).map(([, part]) => part);
        const info = await pieces.join(
          group,
          parts.map(({ piece }) => piece),
        );
        expect(info.sha256).toBe(sha256(Buffer.concat(parts.map((part) => part.bytes))));
        joined.add(info.sha256);
      }
      for (const digest of joined) expect(sha256(readFileSync(blobPath(digest)))).toBe(digest);
    }),
    { numRuns: 60 },
  );
});
