import type { VersionFile } from '#modules/registry';
import type { Reader } from '#platform/database';
import { leavesFolder, toProxiedPath } from './artifact-uri.ts';
import type { MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter, mlflowErrors } from './mlflow-errors.ts';
import { registryFilesUri } from './wire-views.ts';

/** What the source of a new version stands for. */
export interface ModelSource {
  /** Where the bytes are. */
  readonly storageLocation: string;
  readonly trackingRunId: string | undefined;
  readonly loggedModelId: string | undefined;
  /** The version that is copied. */
  readonly copiedFrom?: { readonly model: string; readonly version: number };
  /** The files under it, when they are ours. */
  readonly files: readonly VersionFile[];
}

/** What MLflow's clients say where a prompt, which has no files, must name a source. */
const promptSources: readonly string[] = ['dummy-source', 'prompt-template'];

/** Follows `models:/…` and `runs:/…` to the place of the bytes; refuses paths of the server's own disk. */
export async function resolveSource(
  deps: Pick<MlflowDeps, 'tracking' | 'registry'>,
  reader: Reader,
  input: {
    readonly project: string;
    readonly source: string;
    readonly runId: string | undefined;
    readonly modelId: string | undefined;
    /** A prompt has no files: its source is a placeholder. */
    readonly isPrompt: boolean;
  },
): Promise<ModelSource> {
  const { tracking, registry } = deps;
  const { project, source, runId, modelId } = input;

  async function filesAt(location: string): Promise<readonly VersionFile[]> {
    const folder = toProxiedPath(location);
    if (folder === undefined) return [];
    const tree = await tracking.artifactTree(reader, project, folder);
    return tree.flatMap(({ path, sha256, sizeBytes }) =>
      sha256 === undefined ? [] : [{ path: path.slice(folder.length + 1), sha256, sizeBytes }],
    );
  }

  async function ofLoggedModel(id: string): Promise<ModelSource> {
    const model = await tracking.loggedModel(reader, project, id);
    if (model === undefined) throw mlflowErrors.MLFLOW_SOURCE_NOT_FOUND(`Logged model with ID '${id}'`);
    return {
      storageLocation: model.artifactUri,
      trackingRunId: runId ?? model.sourceRunId,
      loggedModelId: id,
      files: await filesAt(model.artifactUri),
    };
  }

  async function ofVersion(name: string, at: string): Promise<ModelSource> {
    const version = await registry.version(reader, project, name, at);
    if (version === undefined)
      throw mlflowErrors.MLFLOW_SOURCE_NOT_FOUND(`Model Version (name=${name}, version=${at})`);
    return {
      storageLocation: version.storageLocation || version.source || registryFilesUri(version),
      trackingRunId: runId ?? version.trackingRunId,
      loggedModelId: modelId ?? version.loggedModelId,
      copiedFrom: { model: version.model, version: version.version },
      files: version.files,
    };
  }

  async function ofRun(id: string, path: string): Promise<ModelSource> {
    if (runId !== undefined && runId !== id)
      throw invalidParameter(`The run_id ${runId} does not match the run of the source ${source}`);
    const run = await tracking.runInfo(reader, project, id);
    if (run === undefined) throw invalidParameter(`Run with id=${id} not found`);
    const storageLocation = path === '' ? run.artifactUri : `${run.artifactUri}/${path}`;
    return { storageLocation, trackingRunId: id, loggedModelId: modelId, files: await filesAt(storageLocation) };
  }

  if (input.isPrompt && !promptSources.includes(source))
    throw invalidParameter(`Invalid prompt source: '${source}'. Prompt sources must use an MLflow placeholder.`);
  if (input.isPrompt) return { storageLocation: source, trackingRunId: runId, loggedModelId: modelId, files: [] };

  if (modelId !== undefined && (await tracking.loggedModel(reader, project, modelId)) === undefined)
    throw mlflowErrors.MLFLOW_SOURCE_NOT_FOUND(`Logged model with ID '${modelId}'`);
  const logged = /^models:\/+(m-[0-9a-f]{32})\/?$/.exec(source)?.[1];
  if (logged !== undefined) return ofLoggedModel(logged);
  const [, name, at] = /^models:\/+([^/@]+)[/@]([\w-]+)\/?$/.exec(source) ?? [];
  if (name !== undefined && at !== undefined) return ofVersion(name, at);

  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]*):(.*)$/i.exec(source) ?? [];
  if (scheme === undefined || scheme.toLowerCase() === 'file')
    throw invalidParameter(
      `Invalid model version source: '${source}'. To use a local path as a model version source, the run_id request parameter has to be specified and the local path has to be contained within the artifact directory of the run specified by the run_id.`,
    );
  if (leavesFolder(rest.replace(/^\/+/, '')))
    throw invalidParameter(
      `Invalid model version source: '${source}'. If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be provided without relative path references present. Please provide an absolute path.`,
    );
  const [, id, path = ''] = /^runs:\/+([\w-]+)(?:\/(.*?))?\/?$/.exec(source) ?? [];
  if (id !== undefined) return ofRun(id, path);
  const ofModel = modelId === undefined ? undefined : await ofLoggedModel(modelId);
  return {
    storageLocation: source,
    trackingRunId: ofModel?.trackingRunId ?? runId,
    loggedModelId: modelId,
    files: await filesAt(source),
  };
}
