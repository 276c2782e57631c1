import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandInput,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { isAppError, withCause } from '../errors.ts';
import { blobErrors } from './blob-errors.ts';
import { createPool } from './pool.ts';

export interface S3Object {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** S3's own limits: a part but the last has 5 MiB at least; a copy in one go, or a part, 5 GiB at most. */
export const leastPartBytes = 5 * 1024 ** 2;
export const mostCopyBytes = 5 * 1024 ** 3;
const copyPartBytes = 1024 ** 3;
const copiesAtOnce = 4;

/** What one multipart upload is written by. */
export interface S3Upload {
  /** Resolves when there is room for the next part. */
  part(bytes: Buffer): Promise<void>;
  complete(): Promise<void>;
  abort(): Promise<void>;
}

/** Objects of one bucket, in our words: what is not there is undefined, what fails is BLOB_STORE_UNAVAILABLE. */
export function createS3Objects(client: S3Client, bucket: string, place: string) {
  const target = (key: string) => ({ Bucket: bucket, Key: key });
  const copySource = (key: string) => `${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`;

  async function attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isAppError(error)) throw error;
      throw withCause(blobErrors.BLOB_STORE_UNAVAILABLE(place, what), error);
    }
  }

  async function unlessMissing<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    return await attempt(what, async () => {
      try {
        return await work();
      } catch (error) {
        if (statusOf(error) === 404) return undefined;
        throw error;
      }
    });
  }

  async function begin(key: string): Promise<string> {
    const { UploadId: id } = await client.send(new CreateMultipartUploadCommand(target(key)));
    if (id === undefined) throw new Error('the S3 server began an upload without an id');
    return id;
  }

  const complete = (key: string, id: string, parts: readonly CompletedPart[]) =>
    client.send(
      new CompleteMultipartUploadCommand({
        ...target(key),
        UploadId: id,
        MultipartUpload: { Parts: parts.toSorted((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0)) },
      }),
    );

  const abort = (key: string, id: string) =>
    client.send(new AbortMultipartUploadCommand({ ...target(key), UploadId: id })).then(
      () => undefined,
      () => undefined, // the sweep finds it
    );

  /** Makes one object of pieces of others inside the S3 server. */
  async function assemble(
    key: string,
    pieces: readonly { readonly key: string; readonly range?: string }[],
  ): Promise<void> {
    await attempt('put parts together', async () => {
      const id = await begin(key);
      const pool = createPool(copiesAtOnce);
      const parts: CompletedPart[] = [];
      try {
        for (const [index, piece] of pieces.entries())
          await pool.add(async () => {
            const { CopyPartResult: result } = await client.send(
              new UploadPartCopyCommand({
                ...target(key),
                UploadId: id,
                PartNumber: index + 1,
                CopySource: copySource(piece.key),
                ...(piece.range !== undefined && { CopySourceRange: piece.range }),
              }),
            );
            parts.push({ PartNumber: index + 1, ETag: result?.ETag });
          });
        await pool.settle();
        await complete(key, id, parts);
      } catch (error) {
        await pool.settle().catch(() => undefined);
        await abort(key, id);
        throw error;
      }
    });
  }

  return {
    async head(key: string): Promise<S3Object | undefined> {
      const found = await unlessMissing('look a file up', () => client.send(new HeadObjectCommand(target(key))));
      return found && { key, sizeBytes: found.ContentLength ?? 0, modifiedMs: found.LastModified?.getTime() ?? 0 };
    },

    /** @param range as in the header `Range`; `out-of-range` when nothing lies there */
    async open(key: string, range?: string): Promise<Readable | 'out-of-range' | undefined> {
      return await unlessMissing('read a file', async () => {
        try {
          const { Body: body } = await client.send(
            new GetObjectCommand({ ...target(key), ...(range !== undefined && { Range: range }) }),
          );
          if (!(body instanceof Readable)) throw new Error('the S3 server answered without a body');
          return body;
        } catch (error) {
          if (statusOf(error) === 416) return 'out-of-range';
          throw error;
        }
      });
    },

    /** Does nothing when there is an object already. */
    async putNew(key: string, bytes: Buffer, sha256Base64?: string): Promise<void> {
      await attempt('write a file', async () => {
        try {
          await client.send(
            new PutObjectCommand({
              ...target(key),
              Body: bytes,
              ContentLength: bytes.byteLength,
              IfNoneMatch: '*',
              ...(sha256Base64 !== undefined && { ChecksumSHA256: sha256Base64 }),
            }),
          );
        } catch (error) {
          if (statusOf(error) !== 412) throw error;
        }
      });
    },

    /** Parts go up while the next is filled, two at once. */
    async beginUpload(key: string): Promise<S3Upload> {
      const what = 'write a file';
      const id = await attempt(what, () => begin(key));
      const pool = createPool(2);
      const parts: CompletedPart[] = [];
      let number = 0;
      return {
        part(bytes) {
          number += 1;
          const PartNumber = number;
          return attempt(what, () =>
            pool.add(async () => {
              const { ETag } = await client.send(
                new UploadPartCommand({
                  ...target(key),
                  UploadId: id,
                  PartNumber,
                  Body: bytes,
                  ContentLength: bytes.byteLength,
                }),
              );
              parts.push({ PartNumber, ETag });
            }),
          );
        },
        complete: () =>
          attempt(what, async () => {
            await pool.settle();
            await complete(key, id, parts);
          }),
        async abort() {
          await pool.settle().catch(() => undefined);
          await abort(key, id);
        },
      };
    },

    async copy(from: string, to: string, sizeBytes: number): Promise<void> {
      if (sizeBytes <= mostCopyBytes) {
        // onto itself S3 copies only what changes something: all that changes is the time
        const change = from === to ? { MetadataDirective: 'REPLACE' as const } : {};
        await attempt('copy a file', () =>
          client.send(new CopyObjectCommand({ ...target(to), CopySource: copySource(from), ...change })),
        );
        return;
      }
      const starts = Array.from({ length: Math.ceil(sizeBytes / copyPartBytes) }, (_, index) => index * copyPartBytes);
      await assemble(
        to,
        starts.map((start) => ({
          key: from,
          range: `bytes=${start}-${Math.min(start + copyPartBytes, sizeBytes) - 1}`,
        })),
      );
    },

    assemble,

    async remove(key: string): Promise<void> {
      await unlessMissing('remove a file', () => client.send(new DeleteObjectCommand(target(key))));
    },

    /** In the order of keys. */
    async *list(prefix: string): AsyncGenerator<S3Object> {
      let token: string | undefined;
      do {
        const page = await attempt('list files', () =>
          client.send(
            new ListObjectsV2Command({
              Bucket: bucket,
              Prefix: prefix,
              ...(token !== undefined && { ContinuationToken: token }),
            }),
          ),
        );
        for (const { Key: key, Size: size, LastModified: modified } of page.Contents ?? [])
          if (key !== undefined) yield { key, sizeBytes: size ?? 0, modifiedMs: modified?.getTime() ?? 0 };
        token = page.NextContinuationToken;
      } while (token !== undefined);
    },

    /**
     * Gives up multipart uploads that began before. Pages are marked by key alone, as every S3 server takes it: more uploads
     * of one key than a page holds wait for the next time.
     */
    async abortUploads(prefix: string, beforeMs: number): Promise<void> {
      const left: { readonly key: string; readonly id: string }[] = [];
      let marker: string | undefined;
      do {
        const input: ListMultipartUploadsCommandInput = {
          Bucket: bucket,
          Prefix: prefix,
          ...(marker !== undefined && { KeyMarker: marker }),
        };
        const page = await attempt('list uploads', () => client.send(new ListMultipartUploadsCommand(input)));
        for (const { Key: key, UploadId: id, Initiated: began } of page.Uploads ?? [])
          if (key !== undefined && id !== undefined && (began?.getTime() ?? 0) < beforeMs) left.push({ key, id });
        marker = page.IsTruncated === true ? page.NextKeyMarker : undefined;
      } while (marker !== undefined);
      for (const { key, id } of left) await abort(key, id);
    },

    presignRead: (key: string, answer: { contentDisposition: string; contentType: string; expiresInS: number }) =>
      getSignedUrl(
        client,
        new GetObjectCommand({
          ...target(key),
          ResponseContentDisposition: answer.contentDisposition,
          ResponseContentType: answer.contentType,
        }),
        { expiresIn: answer.expiresInS },
      ),
  };
}

export type S3Objects = ReturnType<typeof createS3Objects>;

export function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  return (error.$metadata as { readonly httpStatusCode?: number }).httpStatusCode; // of every error of the SDK
}
