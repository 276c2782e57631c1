import { createHash } from 'node:crypto';
import { formatReference } from '#contracts/references';
import type { ImportMark } from '#contracts/transfer';
import type { Reader } from '#platform/database';
import {
  countPoints,
  countRows,
  listFilesOfOwners,
  listMarks,
  listModelsAnywhere,
  listRunsAnywhere,
} from './import-store.ts';

/** What was found of a run or logged model, beside what the importer has marked. */
interface CheckedImport {
  readonly id: string;
  readonly mark?: ImportMark;
  readonly elsewhere?: true;
  readonly found?: {
    readonly points: number;
    readonly params: number;
    readonly tags: number;
    readonly files: number;
    readonly fileBytes: number;
    readonly filesDigest: string;
  };
}

/** The digest of `filesDigest`, alike for whoever computes it: lines `<sha256> <path>`, sorted. */
function digestFiles(files: readonly { readonly path: string; readonly sha256: string }[]): string {
  const lines = files.map(({ path, sha256 }) => `${sha256} ${path}\n`).toSorted((a, b) => (a < b ? -1 : 1));
  return createHash('sha256').update(lines.join('')).digest('hex');
}

/** The path of a file of a run or logged model, relative to that one's own folder. */
const belowOwner = (path: string): string => /(?:^|\/)(?:m-)?[0-9a-f]{32}\/artifacts\/(.*)$/s.exec(path)?.[1] ?? path;

/** What the importer has marked of these runs and logged models; with `count` what is really here of them, too. */
export async function checkImported(
  reader: Reader,
  project: string,
  wanted: readonly string[],
  count: boolean,
): Promise<CheckedImport[]> {
  const marks = await listMarks(reader, project, wanted);
  // what was purged since is not here any more, whatever its mark says
  const projects = new Map([
    ...(await listRunsAnywhere(reader, wanted)).map((row) => [row.run_id, row.project] as const),
    ...(await listModelsAnywhere(reader, wanted)).map((row) => [row.model_id, row.project] as const),
  ]);
  const here = new Set(wanted.filter((id) => projects.get(id) === project));
  const items = wanted.map((id): CheckedImport => {
    const row = marks.get(id);
    if (projects.has(id) && !here.has(id)) return { id, elsewhere: true };
    if (row === undefined || !here.has(id)) return { id };
    const { print, points, files, file_bytes, files_digest } = row;
    return { id, mark: { id, print, points, files, fileBytes: file_bytes, filesDigest: files_digest } };
  });
  return count ? await countFound(reader, project, items, here) : items;
}

const ownerOf = (id: string) => formatReference(id.startsWith('m-') ? 'logged-model' : 'tracking-run', id);

/** Adds what is really here of each: run ids and ids of logged models (`m-…`) may be mixed. */
async function countFound(
  reader: Reader,
  project: string,
  items: readonly CheckedImport[],
  here: ReadonlySet<string>,
): Promise<CheckedImport[]> {
  const models = items.map(({ id }) => id).filter((id) => id.startsWith('m-'));
  const runs = items.map(({ id }) => id).filter((id) => !id.startsWith('m-'));
  const points = await countPoints(reader, runs);
  const params = new Map([
    ...(await countRows(reader, 'tracking_params', 'run_id', runs)),
    ...(await countRows(reader, 'tracking_logged_model_params', 'model_id', models)),
  ]);
  const tags = new Map([
    ...(await countRows(reader, 'tracking_run_tags', 'run_id', runs)),
    ...(await countRows(reader, 'tracking_logged_model_tags', 'model_id', models)),
  ]);
  const files = await listFilesOfOwners(
    reader,
    project,
    items.map(({ id }) => ownerOf(id)),
  );
  return items.map((item) => {
    if (!here.has(item.id)) return item;
    const own = files.get(ownerOf(item.id)) ?? [];
    return {
      ...item,
      found: {
        points: points.get(item.id) ?? 0,
        params: params.get(item.id) ?? 0,
        tags: tags.get(item.id) ?? 0,
        files: own.length,
        fileBytes: own.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        filesDigest: digestFiles(own.map(({ path, sha256 }) => ({ path: belowOwner(path), sha256 }))),
      },
    };
  });
}
