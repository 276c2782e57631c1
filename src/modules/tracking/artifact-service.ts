import { formatReference } from '#contracts/references';
import type { Reader, Unit } from '#platform/database';
import {
  deletePaths,
  findArtifact,
  findPaths,
  foldersAbove,
  isHeld,
  listFolder,
  listTree,
  putFile,
  putFolders,
  splitPath,
} from './artifact-store.ts';
import type { TrackingDeps } from './tracking-deps.ts';
import { trackingErrors } from './tracking-errors.ts';
import type { ArtifactEntry } from './tracking-types.ts';

const maxPathLength = 4096;

/** A path inside the project's artifacts, without doubled or trailing slashes; refuses to leave it. */
export function requireArtifactPath(path: string): string {
  const broken = path.startsWith('/') || path.length > maxPathLength || /[\0\\]/.test(path);
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (broken || parts.includes('..')) throw trackingErrors.ARTIFACT_PATH_INVALID(path.slice(0, 200));
  return parts.join('/');
}

/**
 * Who holds the bytes at a path: the run or logged model in whose folder they lie, else the experiment. Clients choose
 * the folders themselves (an experiment's location is theirs), so the path's own marks decide.
 */
function ownerOf(path: string): string {
  const model = /(?:^|\/)models\/(m-[0-9a-f]{32})\/artifacts(?:\/|$)/.exec(path)?.[1];
  if (model !== undefined) return formatReference('logged-model', model);
  const run = /(?:^|\/)([0-9a-f]{32})\/artifacts(?:\/|$)/.exec(path)?.[1];
  if (run !== undefined) return formatReference('tracking-run', run);
  return formatReference('experiment', /^\d+/.exec(path)?.[0] ?? '0');
}

export interface ArtifactService {
  /** Records a file whose bytes are in the blob store already; replaces what was at the path. */
  putArtifact(
    unit: Unit,
    input: {
      readonly project: string;
      readonly path: string;
      readonly sha256: string;
      readonly sizeBytes: number;
    },
  ): Promise<void>;
  artifact(reader: Reader, project: string, path: string): Promise<ArtifactEntry | undefined>;
  /** Those of these paths at which a file or a folder lies: one look, however many lie beside them. */
  artifactsAt(reader: Reader, project: string, paths: readonly string[]): Promise<readonly string[]>;
  /** What lies directly in a folder ('' is the root), by name; empty when there is none. */
  artifactFolder(reader: Reader, project: string, folder: string): Promise<readonly ArtifactEntry[]>;
  /** Every file below a folder. */
  artifactTree(reader: Reader, project: string, folder: string): Promise<readonly ArtifactEntry[]>;
  /** Removes a file, or a folder with everything in it; false when there was nothing. */
  deleteArtifact(unit: Unit, input: { readonly project: string; readonly path: string }): Promise<boolean>;
}

export function createArtifactService({ artifacts }: TrackingDeps): ArtifactService {
  async function release(unit: Unit, project: string, owner: string, sha256: string | undefined): Promise<void> {
    // two paths of one owner may hold the same bytes
    if (sha256 === undefined || (await isHeld(unit, project, owner, sha256))) return;
    await artifacts.release(unit, { project, owner, sha256 });
  }

  return {
    async putArtifact(unit, { project, path: given, sha256, sizeBytes }) {
      const path = requireArtifactPath(given);
      if (path === '') throw trackingErrors.ARTIFACT_PATH_INVALID(given);
      const before = await findArtifact(unit, project, path);
      const above = foldersAbove(path);
      const [blocking] = before?.isFolder ? [path] : await findPaths(unit, project, above, { files: true });
      if (blocking !== undefined) throw trackingErrors.ARTIFACT_IS_FOLDER(blocking);
      const owner = ownerOf(path);
      const { parent, name } = splitPath(path);
      await putFolders(unit, project, owner, above);
      await putFile(unit, {
        project,
        parent,
        name,
        is_folder: 0,
        owner,
        sha256,
        size_bytes: sizeBytes,
        updated_ms: unit.nowMs,
      });
      await artifacts.retain(unit, { project, sha256, sizeBytes, owner, name: path });
      if (before !== undefined && before.sha256 !== sha256) await release(unit, project, before.owner, before.sha256);
    },

    async artifact(reader, project, path) {
      return findArtifact(reader, project, requireArtifactPath(path));
    },

    async artifactsAt(reader, project, paths) {
      return findPaths(reader, project, paths.map(requireArtifactPath));
    },

    async artifactFolder(reader, project, folder) {
      return listFolder(reader, project, requireArtifactPath(folder));
    },

    async artifactTree(reader, project, folder) {
      return (await listTree(reader, project, requireArtifactPath(folder))).filter((entry) => !entry.isFolder);
    },

    async deleteArtifact(unit, { project, path: given }) {
      const path = requireArtifactPath(given);
      const found = await findArtifact(unit, project, path);
      if (found === undefined) return false;
      const entries = found.isFolder ? [...(await listTree(unit, project, path)), found] : [found];
      await deletePaths(
        unit,
        project,
        entries.map((entry) => entry.path),
      );
      for (const entry of entries) await release(unit, project, entry.owner, entry.sha256);
      return true;
    },
  };
}
