import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { SpecRevision } from '#contracts/deployment-spec';
import { dataPlanePaths } from '#contracts/serving';
import { isAlive, startTimeOf } from '#platform/processes';
import type { ControlClient } from './control-client.ts';
import { syncFolder } from './durable-file.ts';
import { servingErrors } from './serving-errors.ts';

type SpecFile = SpecRevision['files'][number];
/** What a revision needs on disk. */
export type StoredFiles = Pick<SpecRevision, 'files'>;

/** The files of revisions on this machine, by digest. */
export interface FileStore {
  /**
   * Fetches what is missing, checks each digest, and returns the path of the first file, the others beside it.
   * @param named whether the files must lie under their own names; else a file that is alone may lie under its digest
   */
  materialise(files: readonly SpecFile[], named?: boolean): Promise<string>;
  /** After a model could not be loaded: removes what is damaged, so that it is fetched again. FILE_DIGEST_MISMATCH. */
  assertWhole(files: readonly SpecFile[]): Promise<void>;
  /** Where the signature of a model that does not fit it is declared, and what to write there; undefined = nothing to say. */
  explainMisfit?(mainPath: string): string | undefined;
  /** Removes what none of these revisions needs. */
  collect(revisions: readonly StoredFiles[]): Promise<void>;
}

/** The bytes of a file from where they are kept. CONTROL_PLANE_UNREACHABLE when they cannot be had now. */
export type OpenFile = (digest: string) => Promise<Readable>;

/** From the control plane, by the token of the pool. */
export const filesOfPool =
  (client: ControlClient): OpenFile =>
  async (digest) => {
    const answer = await client.open({ method: 'GET', path: dataPlanePaths.file(digest), timeoutMs: 60_000 });
    if (answer.statusCode === 200) return answer;
    answer.resume();
    throw servingErrors.CONTROL_PLANE_UNREACHABLE(`file ${digest}`, `the control plane answered ${answer.statusCode}`);
  };

export async function createFileStore(options: {
  readonly folder: string;
  readonly open: OpenFile;
}): Promise<FileStore> {
  const { folder, open: openFile } = options;
  const fetching = new Map<string, Promise<string>>();
  await mkdir(join(folder, 'tmp'), { recursive: true });
  await removeLeftOvers(join(folder, 'tmp'));
  await mkdir(join(folder, 'sets'), { recursive: true });
  const own = `${process.pid}-${(startTimeOf(process.pid) ?? '').replaceAll('/', '_')}`;
  const pathOf = (digest: string) => join(folder, digest);

  async function fetchFile({ digest, sizeBytes }: SpecFile): Promise<string> {
    const path = pathOf(digest);
    const present = await stat(path).catch(() => undefined);
    if (present?.size === sizeBytes) return path; // was checked before it got this name
    const temporary = join(folder, 'tmp', `${digest}.${own}.${randomUUID()}`);
    const answer = await openFile(digest);
    const hash = createHash('sha256');
    answer.on('data', (chunk: Buffer) => hash.update(chunk));
    try {
      await pipeline(answer, createWriteStream(temporary));
    } catch (cause) {
      await rm(temporary, { force: true });
      throw servingErrors.CONTROL_PLANE_UNREACHABLE(`file ${digest}`, String(cause));
    }
    const actual = hash.digest('hex');
    if (actual !== digest) {
      await rm(temporary, { force: true });
      throw servingErrors.FILE_DIGEST_MISMATCH(digest, actual);
    }
    const file = await open(temporary, 'r+');
    await file.sync();
    await file.close();
    await rename(temporary, path);
    await syncFolder(folder);
    return path;
  }

  function ensure(file: SpecFile): Promise<string> {
    const running = fetching.get(file.digest);
    if (running !== undefined) return running;
    const started = fetchFile(file).finally(() => fetching.delete(file.digest));
    fetching.set(file.digest, started);
    return started;
  }

  return {
    async materialise(files, named = false) {
      const paths = await Promise.all(files.map(ensure));
      const [main] = paths;
      if (main === undefined) throw servingErrors.REQUEST_MALFORMED('a revision has no files');
      if (files.length === 1 && !named) return main;
      // Weights beside a model are found by name: the set gets a folder of its own, made of hard links.
      const set = join(folder, 'sets', setName(files));
      for (const [index, file] of files.entries()) {
        const target = join(set, file.path);
        await mkdir(dirname(target), { recursive: true });
        await link(paths[index] ?? main, target).catch((error: unknown) => {
          if (!isExisting(error)) throw error;
        });
      }
      return join(set, files[0]?.path ?? '');
    },
    async assertWhole(files) {
      for (const { digest } of files) {
        const actual = await digestOf(pathOf(digest));
        if (actual === digest) continue;
        await rm(join(folder, 'sets', setName(files)), { recursive: true, force: true });
        await rm(pathOf(digest), { force: true });
        throw servingErrors.FILE_DIGEST_MISMATCH(digest, actual);
      }
    },
    async collect(revisions) {
      const digests = new Set(revisions.flatMap(({ files }) => files.map(({ digest }) => digest)));
      const sets = new Set(revisions.map(({ files }) => setName(files)));
      for (const name of await readdir(folder))
        if (/^[0-9a-f]{64}$/.test(name) && !digests.has(name) && !fetching.has(name))
          await rm(pathOf(name), { force: true });
      for (const name of await readdir(join(folder, 'sets')))
        if (!sets.has(name)) await rm(join(folder, 'sets', name), { recursive: true, force: true });
    },
  };
}

/** Of fetches that a crash broke off: another process, which shares the folder, may be in the middle of one. */
async function removeLeftOvers(folder: string): Promise<void> {
  const before = Date.now() - leftOverMs;
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const [, pid, startTime] = /^[0-9a-f]{64}\.(\d+)-([^.]*)\./.exec(name) ?? [];
    const found = await stat(path).catch(() => undefined);
    const isDead = pid !== undefined && !isAlive(Number(pid), startTime?.replaceAll('_', '/') ?? '');
    if (found !== undefined && (isDead || found.mtimeMs < before)) await rm(path, { force: true });
  }
}
/** Nothing is fetched for so long without a byte. */
const leftOverMs = 3_600_000;

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

function setName(files: readonly SpecFile[]): string {
  return createHash('sha256')
    .update(JSON.stringify(files.map(({ path, digest }) => [path, digest])))
    .digest('hex');
}

function isExisting(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST';
}
