import { createHash } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findMissingArtifacts } from '#contracts/artifacts';
import { compareDatasetFiles, getIngestion, type IngestionView, landDataset } from '#contracts/datasets';
import { createProject, getProject } from '#contracts/projects';
import { defaultProject } from '#contracts/references';
import { encodeTree, type TreeFile } from '#contracts/tree';
import { largestTextBytes } from '#contracts/workspace';
import { type Client, isTidemillError, type RequestOptions } from '../../sdk/index.ts';
import { CliError } from '../context.ts';
import { type DigestCache, openDigestCache } from './digest-cache.ts';
import { listSnapshotFiles, listSourceFiles, type ProjectFolder } from './project-folder.ts';

/** Sends what a project folder holds: its code as a snapshot, its data as landings. */
export interface ProjectSender {
  /** The code by content, with the texts that are checked, for a request that keeps nothing. */
  describe(): Promise<{ readonly files: readonly TreeFile[]; readonly texts: Readonly<Record<string, string>> }>;
  /** Uploads what the server lacks of the code; answers the digest of the tree. */
  snapshot(): Promise<string>;
  /** Lands the files that the dataset's source matches now. Undefined when nothing is new. */
  land(dataset: string, options?: RequestOptions): Promise<IngestionView | undefined>;
  /** Which files the dataset's source matches that were not landed yet, and which were landed that it does not match. */
  compare(dataset: string): Promise<{ readonly waiting: readonly string[]; readonly missing: readonly string[] }>;
}

/** A snapshot is code; larger files are data and belong in a dataset. */
const largestFileBytes = 64 * 1024 * 1024;
const uploadsAtOnce = 8;
const waitSeconds = 30;

/** @param client of the folder's project */
export async function createProjectSender(client: Client, project: ProjectFolder): Promise<ProjectSender> {
  const cache = await openDigestCache(project.folder, join(project.folder, '.tidemill', 'digests.json'));
  async function listFiles(): Promise<readonly TreeFile[]> {
    const files = await digestAll(cache, await listSnapshotFiles(project));
    const large = files.find(({ sizeBytes }) => sizeBytes > largestFileBytes);
    if (large !== undefined)
      throw new CliError(
        'SNAPSHOT_FILE_TOO_LARGE',
        2,
        `${large.path} has ${large.sizeBytes} bytes: land it as a dataset, or let git ignore it`,
      );
    return files;
  }
  return {
    async describe() {
      const files = await listFiles();
      return { files, texts: await readTexts(project, files) };
    },
    async snapshot() {
      const files = await listFiles();
      const tree = Buffer.from(encodeTree(files));
      const digest = createHash('sha256').update(tree).digest('hex');
      const missing = new Set(await findMissing(client, [digest, ...files.map(({ sha256 }) => sha256)]));
      await uploadFiles(
        client,
        project.folder,
        files.filter(({ sha256 }) => missing.has(sha256)),
      );
      if (missing.has(digest)) await upload(client, digest, tree);
      return digest;
    },
    async compare(dataset) {
      const paths = await listSourceFiles(project.folder, project.sources[dataset] ?? '');
      return await client
        .call(compareDatasetFiles, { params: { name: dataset }, body: { paths: [...paths] } })
        .catch((error: unknown) => {
          if (!isTidemillError(error) || !isNotThere(error.code)) throw error;
          return { waiting: paths, missing: [] };
        });
    },
    async land(dataset, options) {
      const source = project.sources[dataset] ?? '';
      const paths = await listSourceFiles(project.folder, source);
      const files = await digestAll(cache, paths);
      const answer = await landFiles(client, { dataset, source, files }, options).catch(async (error: unknown) => {
        if (!isTidemillError(error) || error.code !== 'ARTIFACT_NOT_FOUND') throw error;
        const missing = new Set(
          await findMissing(
            client,
            files.map(({ sha256 }) => sha256),
          ),
        );
        await uploadFiles(
          client,
          project.folder,
          files.filter(({ sha256 }) => missing.has(sha256)),
        );
        return landFiles(client, { dataset, source, files }, options);
      });
      return 'unchanged' in answer ? undefined : answer;
    },
  };
}

/** Far more than declarations, SQL and programs have; well below what one request may hold. */
const mostTextBytes = 8 * 1024 * 1024;

/** The texts of the small files: the document, then the smallest first, as many as one request holds. */
async function readTexts(
  { folder, document }: ProjectFolder,
  files: readonly TreeFile[],
): Promise<Readonly<Record<string, string>>> {
  const texts: Record<string, string> = {};
  const isDocument = ({ path }: TreeFile): number => (path === document ? 0 : 1);
  let left = mostTextBytes;
  for (const file of files.toSorted((a, b) => isDocument(a) - isDocument(b) || a.sizeBytes - b.sizeBytes)) {
    if (file.sizeBytes > Math.min(left, largestTextBytes)) break;
    const bytes = await readFile(join(folder, file.path));
    if (bytes.includes(0)) continue;
    texts[file.path] = bytes.toString('utf8');
    left -= file.sizeBytes;
  }
  return texts;
}

async function digestAll(cache: DigestCache, paths: readonly string[]): Promise<readonly TreeFile[]> {
  const files: TreeFile[] = [];
  for (const path of paths) files.push(await cache.digest(path));
  await cache.save();
  return files;
}

/** Not declared yet, or in a project that is not there yet. */
const isNotThere = (code: string): boolean => code === 'DATASET_NOT_FOUND' || code === 'PROJECT_NOT_FOUND';

async function landFiles(
  client: Client,
  {
    dataset,
    source,
    files,
  }: { readonly dataset: string; readonly source: string; readonly files: readonly TreeFile[] },
  options?: RequestOptions,
) {
  return client.call(
    landDataset,
    {
      params: { name: dataset },
      body: { source, files: files.map(({ path, sha256, sizeBytes }) => ({ path, sha256, sizeBytes })) },
    },
    options,
  );
}

const digestsAtOnce = 10_000;

async function findMissing(client: Client, digests: readonly string[]): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let at = 0; at < digests.length; at += digestsAtOnce) {
    const page = await client.call(findMissingArtifacts, { body: { digests: digests.slice(at, at + digestsAtOnce) } });
    missing.push(...page.missing);
  }
  return missing;
}

async function uploadFiles(client: Client, folder: string, files: readonly TreeFile[]): Promise<void> {
  const queue = [...files];
  const one = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift())
      await upload(client, file.sha256, await openAsBlob(join(folder, file.path)));
  };
  await Promise.all(Array.from({ length: Math.min(uploadsAtOnce, files.length) }, one));
}

async function upload(client: Client, sha256: string, body: Buffer | Blob): Promise<void> {
  const bytes = body instanceof Blob ? body : new Blob([new Uint8Array(body)]);
  await client.request(`/api/v1/artifacts/${sha256}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: bytes,
  });
}

/** Waits for the end of an ingestion. */
export async function followIngestion(client: Client, id: string, signal: AbortSignal): Promise<IngestionView> {
  for (;;) {
    const found = await client.call(
      getIngestion,
      { params: { ingestionId: id }, query: { wait: waitSeconds } },
      { signal },
    );
    if (found.state !== 'queued' && found.state !== 'running') return found;
  }
}

/** Makes the project when the server does not have it yet. */
export async function ensureProject(client: Client, project: string): Promise<Client> {
  const inProject = client.inProject(project);
  try {
    await inProject.call(getProject, { params: { name: project } }); // asked inside it: its own tokens are of no other
  } catch (error) {
    if (!isTidemillError(error) || error.kind !== 'not_found') throw error;
    await client.inProject(defaultProject).call(createProject, { body: { name: project } });
  }
  return inProject;
}
