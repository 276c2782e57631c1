import type { ArtifactEntry } from '#modules/tracking';
import { decodeUrlText, trimSlashes } from '#platform/url-text';
import { leavesFolder, toProxiedPath } from './artifact-uri.ts';
import type { MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter, sendMlflowError } from './mlflow-errors.ts';
import { runIdOf } from './run-calls.ts';
import { list, registryFilesFolder } from './wire-views.ts';

export const artifactProxy = '/2.0/mlflow-artifacts';

export function requireSoundPath(path: string): string {
  if (leavesFolder(path)) throw invalidParameter(`Invalid path: ${path.slice(0, 200)}`);
  return path;
}

/** What lies in a folder of the proxy, paths relative to `root`. */
const toWireFiles = (entries: readonly ArtifactEntry[], root: string) =>
  entries.map(({ path, isFolder, sizeBytes }) => ({
    path: root === '' ? path : path.slice(root.length + 1),
    is_dir: isFolder,
    ...(!isFolder && { file_size: sizeBytes }),
  }));

export interface StoredFile {
  readonly sha256: string;
  readonly sizeBytes: number;
}

export function createArtifactReader({ database, tracking, registry }: MlflowDeps) {
  /** `registry-files/<model>/<version>/<path>`: the files of a version that a pipeline proposed. */
  async function registryFiles(project: string, path: string) {
    const [folder, model, version, ...rest] = path.split('/');
    if (folder !== registryFilesFolder || model === undefined || version === undefined) return undefined;
    const name = decodeUrlText(model); // a text that cannot be decoded names no model
    const found = name === undefined ? undefined : await registry.version(database.read, project, name, version);
    return found && { files: found.files, path: rest.join('/') };
  }

  return {
    async find(project: string, path: string): Promise<StoredFile | undefined> {
      const ofVersion = await registryFiles(project, path);
      if (ofVersion !== undefined) return ofVersion.files.find((file) => file.path === ofVersion.path);
      const found = await tracking.artifact(database.read, project, path);
      return found?.sha256 === undefined ? undefined : { sha256: found.sha256, sizeBytes: found.sizeBytes };
    },

    async list(project: string, folder: string): Promise<readonly ArtifactEntry[]> {
      const ofVersion = await registryFiles(project, folder);
      if (ofVersion === undefined) return tracking.artifactFolder(database.read, project, folder);
      const below = ofVersion.path === '' ? '' : `${ofVersion.path}/`;
      const entries = new Map<string, ArtifactEntry>();
      for (const { path, sha256, sizeBytes } of ofVersion.files) {
        if (!path.startsWith(below)) continue;
        const [name = '', ...deeper] = path.slice(below.length).split('/');
        const isFolder = deeper.length > 0;
        entries.set(name, {
          path: `${folder}/${name}`,
          isFolder,
          sha256: isFolder ? undefined : sha256,
          sizeBytes: isFolder ? 0 : sizeBytes,
        });
      }
      return [...entries.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
    },
  };
}

/** The calls about artifacts whose bodies are JSON. */
export function artifactCalls(deps: MlflowDeps): readonly MlflowCall[] {
  const { database, tracking } = deps;
  const reader = createArtifactReader(deps);

  const listFolderOf = async (project: string, artifactUri: string, path: string) => {
    const root = toProxiedPath(artifactUri);
    if (root === undefined) return { root_uri: artifactUri };
    const folder = [root, requireSoundPath(path)].filter((part) => part !== '').join('/');
    const entries = await reader.list(project, folder);
    return { root_uri: artifactUri, ...list('files', toWireFiles(entries, root)) };
  };

  return [
    {
      method: 'GET',
      path: '/2.0/mlflow/artifacts/list',
      permission: 'read',
      handle: async ({ fields, project, reply }) => {
        const runId = runIdOf(fields);
        const run = await tracking.runInfo(database.read, project, runId);
        if (run === undefined)
          return sendMlflowError(reply, 'RESOURCE_DOES_NOT_EXIST', `Run with id=${runId} not found`);
        return listFolderOf(project, run.artifactUri, fields.text('path') ?? '');
      },
    },
    {
      method: 'GET',
      path: '/2.0/mlflow/logged-models/:modelId/artifacts/directories',
      permission: 'read',
      handle: async ({ fields, params, project, reply }) => {
        const modelId = params['modelId'] ?? '';
        const model = await tracking.loggedModel(database.read, project, modelId);
        if (model === undefined)
          return sendMlflowError(reply, 'RESOURCE_DOES_NOT_EXIST', `Logged model with ID '${modelId}' not found.`);
        return listFolderOf(project, model.artifactUri, fields.text('artifact_directory_path') ?? '');
      },
    },
    {
      method: 'GET',
      path: `${artifactProxy}/artifacts`,
      permission: 'read',
      handle: async ({ fields, project }) => {
        const folder = trimSlashes(requireSoundPath(fields.text('path') ?? ''));
        return list('files', toWireFiles(await reader.list(project, folder), folder));
      },
    },
    {
      method: 'DELETE',
      path: `${artifactProxy}/artifacts/*`,
      permission: 'write',
      handle: async ({ params, project, context, reply }) => {
        const path = requireSoundPath(params['*'] ?? '');
        const removed = await database.write(context.write, (unit) => tracking.deleteArtifact(unit, { project, path }));
        return removed ? {} : sendMlflowError(reply, 'RESOURCE_DOES_NOT_EXIST', `No such artifact: ${path}`);
      },
    },
  ];
}
