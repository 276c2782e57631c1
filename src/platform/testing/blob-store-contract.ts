import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { BlobStore } from '#platform/blobs';

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
const absent = 'f'.repeat(64);

async function readAll(stream: Readable): Promise<Buffer> {
  return Buffer.concat((await stream.toArray()) as Buffer[]);
}

async function* chunks(bytes: Buffer, sizeBytes: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes);
}

async function* failingSource(): AsyncIterable<Uint8Array> {
  yield Buffer.from('a start');
  throw new Error('the sender went away');
}

async function listAll(store: BlobStore) {
  const found = [];
  for await (const blob of store.list()) found.push(blob);
  return found;
}

/** What every blob store must do; `open` gives a fresh, empty store for each test. */
export function blobStoreContract(label: string, open: () => Promise<BlobStore>): void {
  describe(`${label} as a blob store`, () => {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));

    test('gives back the bytes that it was given, under their digest', async () => {
      const store = await open();
      const info = await store.putStream(chunks(bytes, 7_777), { sha256: sha256(bytes) });
      expect(info).toEqual({ sha256: sha256(bytes), sizeBytes: bytes.length });
      expect((await readAll(await store.openRead(info.sha256))).equals(bytes)).toBe(true);
      expect((await store.readAll(info.sha256)).equals(bytes)).toBe(true);
      expect(await store.stat(info.sha256)).toEqual({ sizeBytes: bytes.length });
    });

    test('keeps an empty blob', async () => {
      const store = await open();
      const info = await store.putStream(Readable.from([]));
      expect(info).toEqual({ sha256: sha256(''), sizeBytes: 0 });
      expect(await readAll(await store.openRead(info.sha256))).toHaveLength(0);
    });

    test('holds equal bytes once, also when two writers bring them together', async () => {
      const store = await open();
      const infos = await Promise.all([1, 2, 3].map(() => store.putStream(Readable.from([bytes]))));
      expect(new Set(infos.map((info) => info.sha256)).size).toBe(1);
      expect((await listAll(store)).map((blob) => blob.sha256)).toEqual([sha256(bytes)]);
    });

    test('refuses bytes with another digest than announced and keeps nothing', async () => {
      const store = await open();
      const put = store.putStream(Readable.from([bytes]), { sha256: absent });
      await expect(put).rejects.toMatchObject({ code: 'BLOB_DIGEST_MISMATCH', kind: 'invalid' });
      expect(await listAll(store)).toEqual([]);
    });

    test('refuses more bytes than allowed and keeps nothing', async () => {
      const store = await open();
      const put = store.putStream(chunks(bytes, 1_000), { maxBytes: 99_999 });
      await expect(put).rejects.toMatchObject({ code: 'BLOB_TOO_LARGE', kind: 'too_large' });
      expect(await listAll(store)).toEqual([]);
      await store.putStream(chunks(bytes, 1_000), { maxBytes: 100_000 });
    });

    test('keeps nothing of a source that fails', async () => {
      const store = await open();
      await expect(store.putStream(failingSource())).rejects.toThrow('the sender went away');
      expect(await listAll(store)).toEqual([]);
    });

    test('reads ranges, end exclusive and clipped', async () => {
      const store = await open();
      const { sha256: digest } = await store.putStream(Readable.from([bytes]));
      const read = async (start: number, end?: number) =>
        await readAll(await store.openRead(digest, { start, ...(end !== undefined && { end }) }));
      expect((await read(10, 20)).equals(bytes.subarray(10, 20))).toBe(true);
      expect((await read(99_990)).equals(bytes.subarray(99_990))).toBe(true);
      expect((await read(99_990, 1e9)).equals(bytes.subarray(99_990))).toBe(true);
      expect(await read(5, 5)).toHaveLength(0);
      expect(await read(100_000)).toHaveLength(0);
      await expect(store.openRead(digest, { start: 100_001 })).rejects.toMatchObject({ code: 'BLOB_RANGE_INVALID' });
    });

    test('takes a file by copy or by move', async () => {
      const store = await open();
      const folder = await mkdtemp(join(tmpdir(), 'tidemill-blob-'));
      onTestFinished(() => rm(folder, { recursive: true }));
      const path = join(folder, 'file');
      await writeFile(path, bytes);
      expect(await store.putFile(path)).toEqual({ sha256: sha256(bytes), sizeBytes: bytes.length });
      await writeFile(path, 'other');
      expect(await store.putFile(path, { move: true })).toEqual({ sha256: sha256('other'), sizeBytes: 5 });
      await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
      expect((await readAll(await store.openRead(sha256('other')))).toString()).toBe('other');
    });

    test('gives a local path with the bytes', async () => {
      const store = await open();
      const { sha256: digest } = await store.putStream(Readable.from([bytes]));
      expect((await readFile(await store.localPath(digest))).equals(bytes)).toBe(true);
    });

    test('says so when a blob is not there, and removes what may not be there', async () => {
      const store = await open();
      expect(await store.stat(absent)).toBeUndefined();
      await expect(store.readAll(absent)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
      await expect(store.openRead(absent)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND', kind: 'not_found' });
      await expect(store.localPath(absent)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
      await store.remove(absent);
      const { sha256: digest } = await store.putStream(Readable.from([bytes]));
      await store.remove(digest);
      expect(await store.stat(digest)).toBeUndefined();
    });

    test('never takes a name that is no digest', async () => {
      const store = await open();
      for (const name of ['../../etc/passwd', '', 'F'.repeat(64), `${absent}/x`]) {
        await expect(store.openRead(name)).rejects.toMatchObject({ code: 'BLOB_NAME_INVALID' });
        await expect(store.remove(name)).rejects.toMatchObject({ code: 'BLOB_NAME_INVALID' });
      }
    });

    test('lists every blob in order with size and time', async () => {
      const store = await open();
      const startMs = Date.now() - 2_000;
      for (const text of ['a', 'bb', 'ccc']) await store.putStream(Readable.from([Buffer.from(text)]));
      const found = await listAll(store);
      expect(found.map((blob) => blob.sha256)).toEqual(['a', 'bb', 'ccc'].map(sha256).toSorted());
      expect(new Set(found.map((blob) => blob.sizeBytes))).toEqual(new Set([1, 2, 3]));
      for (const blob of found) expect(blob.modifiedMs).toBeGreaterThan(startMs);
    });

    test('joins pieces in their order, whatever order they came in; the newest of each counts', async () => {
      const { pieces, ...store } = await open();
      const source = (at: number, to: number) => chunks(bytes.subarray(at, to), 10_000);
      const second = await pieces.put('upload-1', 2, source(40_000, 100_000));
      await pieces.put('upload-1', 1, source(0, 10));
      const first = await pieces.put('upload-1', 1, source(0, 40_000));
      expect([first.sizeBytes, second.sizeBytes, first.etag === second.etag]).toEqual([40_000, 60_000, false]);
      const info = await pieces.join('upload-1', [first, second]);
      expect(info).toEqual({ sha256: sha256(bytes), sizeBytes: bytes.length });
      expect(await store.stat(info.sha256)).toEqual({ sizeBytes: bytes.length });
    });

    test('nothing joined is the blob of no bytes', async () => {
      const { pieces } = await open();
      expect(await pieces.join('upload-1', [])).toEqual({ sha256: sha256(Buffer.alloc(0)), sizeBytes: 0 });
    });

    test('joins pieces that were announced; one that brings more or less is not kept', async () => {
      const { pieces } = await open();
      const count = { pieceCount: 3 };
      const put = (number: number, start: number, end: number, sizeBytes = end - start) =>
        pieces.put('upload-1', number, chunks(bytes.subarray(start, end), 10_000), { ...count, sizeBytes });
      const third = await put(3, 80_000, 100_000);
      await expect(put(1, 0, 30_000, 40_000)).rejects.toMatchObject({ code: 'BLOB_PIECE_SHORT' });
      await expect(put(1, 0, 40_001, 40_000)).rejects.toMatchObject({ code: 'BLOB_TOO_LARGE' });
      const first = await put(1, 0, 40_000);
      const former = await put(2, 0, 40_000);
      const second = await put(2, 40_000, 80_000);
      await pieces.drop('upload-1', former);
      await pieces.drop('upload-1', former);
      const info = await pieces.join('upload-1', [first, second, third]);
      expect(info).toEqual({ sha256: sha256(bytes), sizeBytes: bytes.length });
      expect(await pieces.join('upload-1', [first, second, third])).toEqual(info);
    });

    test('pieces are no blobs; they go group by group, and one that is gone is not joined', async () => {
      const store = await open();
      const piece = await store.pieces.put('a', 1, chunks(bytes, 10_000));
      await store.pieces.put('b', 1, chunks(bytes, 10_000));
      const groups = async () => {
        const found: string[] = [];
        for await (const group of store.pieces.groups()) found.push(group);
        return found.toSorted();
      };
      expect([await listAll(store), await groups()]).toEqual([[], ['a', 'b']]);
      await store.pieces.remove('a');
      await store.pieces.remove('a');
      expect(await groups()).toEqual(['b']);
      await expect(store.pieces.join('a', [piece])).rejects.toMatchObject({ code: 'BLOB_PIECE_LOST' });
      await expect(store.pieces.put('c', 1, chunks(bytes, 10_000), { maxBytes: 9 })).rejects.toMatchObject({
        code: 'BLOB_TOO_LARGE',
      });
      await expect(store.pieces.put('c', 1, failingSource())).rejects.toThrow('the sender went away');
      await expect(store.pieces.put('../c', 1, chunks(bytes, 10_000))).rejects.toThrow('not the name of a group');
    });
  });
}
