import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FastifyInstance } from 'fastify';
import { backupPath } from '#contracts/backup';
import { type BlobPlace, createLocalBlobStore, openBlobStore } from '#platform/blobs';
import { AppError, defineErrors } from '#platform/errors';
import { httpErrors, registerRawRoute } from '#platform/http';
import type { Platform } from './platform.ts';
import { packTar, type TarEntry, unpackTar } from './tar.ts';

/**
 * A backup is one tar: `backup.json`, the database as of one instant, the key of the secrets, and every blob that was there
 * after that instant, so that whatever the database names is in it. It is taken from a running server. What it does not
 * hold can be made again (Python environments) or is under way (attempts, records that a data plane still spools).
 */
const manifestFile = 'backup.json';
const databaseFile = 'tidemill.db';
const keyFile = 'secret.key';
const blobFolder = 'blobs/';

export const backupErrors = defineErrors({
  RESTORE_HOME_NOT_EMPTY: {
    kind: 'conflict',
    message: (home: string) =>
      `${home} is not empty: a backup is restored into a folder of its own; name another with --home`,
  },
  BACKUP_TOO_NEW: {
    kind: 'invalid',
    message: (format: string) => `this backup has format ${format}, which this version of Tidemill does not know`,
  },
});

/** `GET /api/v1/backup`: the archive as it is made. */
export function registerBackupRoute(app: FastifyInstance, platform: Platform): void {
  registerRawRoute(app, {
    id: 'backup',
    method: 'GET',
    path: backupPath,
    permission: 'admin',
    async handle(_request, reply, { principal }) {
      if (!principal.can('admin', '*')) throw httpErrors.PERMISSION_DENIED(principal.id, 'admin', '*');
      await mkdir(platform.path('spill'), { recursive: true });
      const folder = await mkdtemp(platform.path('spill', 'backup-'));
      const database = join(folder, databaseFile);
      try {
        await platform.database.backupTo(database);
      } catch (error) {
        await rm(folder, { recursive: true, force: true });
        throw error;
      }
      const archive = Readable.from(packTar(entriesOf(platform, database)), { objectMode: false });
      archive.once('close', () => void rm(folder, { recursive: true, force: true }));
      return reply.type('application/x-tar').send(archive);
    },
  });
}

async function* entriesOf(platform: Platform, database: string): AsyncGenerator<TarEntry> {
  const manifest = Buffer.from(
    JSON.stringify({ format: 1, version: platform.version, takenAtMs: platform.clock.nowMs() }),
  );
  yield { name: manifestFile, sizeBytes: manifest.length, content: Readable.from([manifest]) };
  yield await fileEntry(databaseFile, database);
  const key = platform.path(keyFile);
  if ((await stat(key).catch(() => undefined)) !== undefined) yield await fileEntry(keyFile, key);
  for await (const { sha256, sizeBytes } of platform.blobs.list())
    yield { name: `${blobFolder}${sha256}`, sizeBytes, content: await platform.blobs.openRead(sha256) };
}

async function fileEntry(name: string, path: string): Promise<TarEntry> {
  return { name, sizeBytes: (await stat(path)).size, content: createReadStream(path) };
}

/**
 * Unpacks a backup into a home folder that is not there yet or is empty. Every blob is checked against its digest; the
 * folder appears whole or not at all. Blobs in another place come first: what fails leaves some there, which a collection
 * removes or the next try finds. @throws RESTORE_HOME_NOT_EMPTY, BACKUP_DAMAGED, BACKUP_TOO_NEW, BLOB_STORE_UNUSABLE
 */
export async function restoreBackup(
  file: string,
  home: string,
  /** Where the blobs go; into the home folder when it is not told. */
  place?: BlobPlace,
): Promise<{ readonly blobs: number; readonly bytes: number; readonly takenAtMs: number }> {
  const inHome = await readdir(home).catch(() => []);
  if (inHome.length > 0) throw backupErrors.RESTORE_HOME_NOT_EMPTY(home);
  await mkdir(dirname(home), { recursive: true });
  const draft = await mkdtemp(join(dirname(home), `.${basename(home)}-restore-`));
  try {
    const blobs = place === undefined ? createLocalBlobStore(join(draft, 'blobs')) : await openBlobStore(place);
    let [takenAtMs, count, bytes] = [-1, 0, 0];
    for await (const { name, sizeBytes, content } of unpackTar(createReadStream(file))) {
      bytes += sizeBytes;
      if (name === manifestFile) takenAtMs = await readManifest(content);
      else if (takenAtMs < 0) throw new AppError('BACKUP_DAMAGED', 'invalid', `${file} is no backup of Tidemill`);
      else if (name === databaseFile || name === keyFile)
        await pipeline(content, createWriteStream(join(draft, name), { mode: 0o600, flush: true }));
      else if (name.startsWith(blobFolder)) {
        await blobs.putStream(content, { sha256: name.slice(blobFolder.length) });
        count += 1;
      }
    }
    await rmdir(home).catch(() => undefined); // it may be there, empty
    await rename(draft, home);
    return { blobs: count, bytes, takenAtMs };
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

async function readManifest(content: AsyncIterable<Uint8Array>): Promise<number> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  const { format, takenAtMs } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
    readonly format?: number;
    readonly takenAtMs?: number;
  };
  if (format !== 1) throw backupErrors.BACKUP_TOO_NEW(String(format));
  return takenAtMs ?? 0;
}
