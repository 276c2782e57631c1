import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type BlobStore, openBlobStore } from '../blobs.ts';
import { blobStoreContract } from '../testing/blob-store-contract.ts';
import { findOrStartS3, type S3Server } from '../testing/s3-server.ts';

let server: S3Server;
const before = { ...process.env };
beforeAll(async () => {
  server = await findOrStartS3();
  Object.assign(process.env, server.environment); // the SDK reads its credentials there
}, 300_000);
afterAll(() => {
  for (const name of Object.keys(server.environment))
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
});

function open(blobs = server.newBucket(), nowMs = Date.now): Promise<BlobStore> {
  const cacheFolder = mkdtempSync(join(tmpdir(), 'tidemill-cache-'));
  onTestFinished(() => rmSync(cacheFolder, { recursive: true }));
  return openBlobStore({
    blobs,
    s3Endpoint: server.endpoint,
    s3Presign: 'on',
    cacheFolder,
    cacheBytes: 1e9,
    environment: server.environment,
    nowMs,
  });
}

blobStoreContract('a bucket', () => open());
blobStoreContract('a folder of a bucket', () => open(`${server.newBucket()}/some/where`));

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function* inChunks(bytes: Buffer, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const objectsOf = async (bucket: string): Promise<readonly string[]> =>
  (await readdir(join(server.folder, bucket.slice(5)), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('.sgwtmp'))
    .map((entry) => join(entry.parentPath, entry.name).slice(join(server.folder, bucket.slice(5)).length + 1));

test('a blob of many parts comes back whole, and nothing of its upload stays', async () => {
  const bucket = server.newBucket();
  const store = await open(bucket);
  const bytes = randomBytes(20_000_001);
  const info = await store.putStream(inChunks(bytes), { sha256: sha256(bytes) });
  expect(info).toEqual({ sha256: sha256(bytes), sizeBytes: bytes.length });
  expect((await buffer(await store.openRead(info.sha256))).equals(bytes)).toBe(true);
  await store.putStream(inChunks(bytes));
  expect(await objectsOf(bucket)).toEqual([`blobs/${info.sha256}`]);
});

test('a large upload that fails leaves nothing, not even its parts', async () => {
  const bucket = server.newBucket();
  const store = await open(bucket);
  const bytes = randomBytes(20_000_000);
  await expect(store.putStream(inChunks(bytes), { sha256: 'f'.repeat(64) })).rejects.toMatchObject({
    code: 'BLOB_DIGEST_MISMATCH',
  });
  await expect(store.putStream(inChunks(bytes), { maxBytes: 19_000_000 })).rejects.toMatchObject({
    code: 'BLOB_TOO_LARGE',
  });
  expect(await objectsOf(bucket)).toEqual([]);
});

test('a signed URL gives out ranges of one blob to whoever has it, and nothing when it is changed', async () => {
  const store = await open();
  const { sha256: digest } = await store.putStream(Readable.from([Buffer.from('0123456789')]));
  const url = await store.presignRead?.(digest, { fileName: 'a b.txt', contentType: 'text/plain', expiresInS: 60 });
  const answer = await fetch(url ?? '', { headers: { range: 'bytes=2-4' } });
  expect([answer.status, await answer.text()]).toEqual([206, '234']);
  expect(answer.headers.get('content-disposition')).toBe("attachment; filename*=UTF-8''a%20b.txt");
  const other = await store.putStream(Readable.from([Buffer.from('secret')]));
  expect((await fetch((url ?? '').replace(digest, other.sha256))).status).toBe(403);
});

test('what a crash left in incoming is removed after a day, what is being written is not', async () => {
  const bucket = server.newBucket();
  let nowMs = Date.now();
  const store = await open(bucket, () => nowMs);
  const bytes = randomBytes(9_000_000);
  let go: (() => void) | undefined;
  const held = new Promise<void>((resolve) => (go = resolve));
  const put = store.putStream(
    (async function* () {
      yield bytes;
      await held;
    })(),
  );
  const listed = async () => {
    const found: string[] = [];
    for await (const blob of store.list()) found.push(blob.sha256);
    return found;
  };
  expect(await listed()).toEqual([]);
  go?.();
  const { sha256: digest } = await put;
  expect(await listed()).toEqual([digest]);
  const client = new S3Client({ endpoint: server.endpoint, forcePathStyle: true });
  const target = { Bucket: bucket.slice(5), Key: 'incoming/left' };
  await client.send(new CreateMultipartUploadCommand(target));
  await client.send(new PutObjectCommand({ ...target, Key: 'incoming/too', Body: 'x' }));
  const openUploads = async () =>
    (await client.send(new ListMultipartUploadsCommand({ Bucket: bucket.slice(5) }))).Uploads;
  expect(await listed()).toEqual([digest]);
  expect([(await openUploads())?.length, (await objectsOf(bucket)).length]).toEqual([1, 2]);
  nowMs += 25 * 3_600_000;
  expect(await listed()).toEqual([digest]);
  expect([await openUploads(), await objectsOf(bucket)]).toEqual([undefined, [`blobs/${digest}`]]);
});

test('more open uploads than the S3 server lists at once are all given up', async () => {
  const bucket = server.newBucket();
  const nowMs = Date.now() + 25 * 3_600_000;
  const store = await open(bucket, () => nowMs);
  const client = new S3Client({ endpoint: server.endpoint, forcePathStyle: true });
  const Bucket = bucket.slice(5);
  for (let n = 0; n < 1_010; n += 101)
    await Promise.all(
      Array.from({ length: 101 }, (_, at) =>
        client.send(new CreateMultipartUploadCommand({ Bucket, Key: `incoming/left-${n + at}` })),
      ),
    );
  const listOpen = () => client.send(new ListMultipartUploadsCommand({ Bucket }));
  expect((await listOpen()).IsTruncated).toBe(true);
  for await (const blob of store.list()) throw new Error(`there is no blob, and ${blob.sha256} was listed`);
  expect((await listOpen()).Uploads).toBeUndefined();
}, 180_000);

test('a bucket that cannot be used is refused with the reason', async () => {
  await expect(open('s3://no-such-bucket')).rejects.toMatchObject({
    code: 'BLOB_STORE_UNUSABLE',
    message: expect.stringContaining('has no bucket "no-such-bucket": create it'),
  });
  const secret = process.env['AWS_SECRET_ACCESS_KEY'];
  process.env['AWS_SECRET_ACCESS_KEY'] = 'wrong';
  onTestFinished(() => void (process.env['AWS_SECRET_ACCESS_KEY'] = secret));
  await expect(open()).rejects.toMatchObject({ message: expect.stringContaining('refuses the credentials') });
});
