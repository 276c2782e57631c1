import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ArtifactEntry } from '#modules/tracking';
import { type RequestContext, registerRawRoute } from '#platform/http';
import { leavesFolder, toProxiedPath } from './artifact-uri.ts';
import type { MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter, renderMlflowError, sendMlflowError } from './mlflow-errors.ts';
import { runIdOf } from './run-calls.ts';
import { list, registryFilesFolder } from './wire-views.ts';

const proxy = '/2.0/mlflow-artifacts';
const noMultipart = 'Multipart upload is not supported for the current artifact repository';

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

interface StoredFile {
  readonly sha256: string;
  readonly sizeBytes: number;
}

export function createArtifactReader({ database, tracking, registry }: MlflowDeps) {
  /** `registry-files/<model>/<version>/<path>`: the files of a version that a pipeline proposed. */
  async function registryFiles(project: string, path: string) {
    const [folder, model, version, ...rest] = path.split('/');
    if (folder !== registryFilesFolder || model === undefined || version === undefined) return undefined;
    const found = await registry.version(database.read, project, decodeURIComponent(model), version);
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

  const multipart = (step: string): MlflowCall => ({
    method: 'POST',
    path: `${proxy}/mpu/${step}/*`,
    permission: 'write',
    handle: async ({ reply }) => sendMlflowError(reply, 'NOT_IMPLEMENTED', noMultipart),
  });

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
      path: `${proxy}/artifacts`,
      permission: 'read',
      handle: async ({ fields, project }) => {
        const folder = requireSoundPath(fields.text('path') ?? '').replace(/\/+$/, '');
        return list('files', toWireFiles(await reader.list(project, folder), folder));
      },
    },
    {
      method: 'DELETE',
      path: `${proxy}/artifacts/*`,
      permission: 'write',
      handle: async ({ params, project, context, reply }) => {
        const path = requireSoundPath(params['*'] ?? '');
        const removed = await database.write(context.write, (unit) => tracking.deleteArtifact(unit, { project, path }));
        return removed ? {} : sendMlflowError(reply, 'RESOURCE_DOES_NOT_EXIST', `No such artifact: ${path}`);
      },
    },
    multipart('create'),
    multipart('complete'),
    multipart('abort'),
    {
      method: 'GET',
      path: `${proxy}/presigned/*`,
      permission: 'read',
      handle: async ({ reply }) =>
        sendMlflowError(
          reply,
          'NOT_IMPLEMENTED',
          'Presigned URLs are not supported for the current artifact repository',
        ),
    },
  ];
}

/** Extensions that a browser must not run: they always go out as plain text. */
const textLike =
  /\.(?:txt|log|err|cfg|conf|cnf|cf|ini|properties|prop|hocon|toml|yaml|yml|xml|json|js|py|py3|csv|tsv|md|rst|jsonnet|html?|MLmodel|MLproject)$/i;

/** The routes whose bodies are the artifacts' bytes; they are streamed both ways. */
export function registerArtifactBytes(app: FastifyInstance, deps: MlflowDeps): void {
  const { database, blobs, tracking, registry } = deps;
  const reader = createArtifactReader(deps);

  async function send(reply: FastifyReply, file: StoredFile | undefined, path: string): Promise<FastifyReply> {
    if (file === undefined) return sendMlflowError(reply, 'RESOURCE_DOES_NOT_EXIST', `No such artifact: ${path}`);
    const bytes = await blobs.openRead(file.sha256);
    return reply
      .header('content-type', textLike.test(path) ? 'text/plain; charset=utf-8' : 'application/octet-stream')
      .header('content-length', file.sizeBytes)
      .header('content-disposition', `attachment; filename*=UTF-8''${encodeURIComponent(path.split('/').at(-1) ?? '')}`)
      .header('x-content-type-options', 'nosniff')
      .send(bytes);
  }

  const pathOf = (request: FastifyRequest) => {
    const { '*': path = '' } = request.params as { '*'?: string };
    return requireSoundPath(path);
  };

  async function receive(request: FastifyRequest, context: RequestContext): Promise<string> {
    const path = pathOf(request);
    const body = request.body instanceof Readable ? request.body : Readable.from([]);
    // Bytes first, then the unit that names them: dying in between leaves unreferenced bytes only.
    const stored = await blobs.putStream(body);
    await database.write(context.write, (unit) =>
      tracking.putArtifact(unit, { project: context.project, path, ...stored }),
    );
    return '';
  }

  for (const prefix of ['/api', '/ajax-api']) {
    registerRawRoute(app, {
      id: 'mlflow PUT artifact',
      method: 'PUT',
      path: `${prefix}${proxy}/artifacts/*`,
      permission: 'write',
      body: 'stream',
      renderError: renderMlflowError,
      handle: async (request, reply, context) => {
        await receive(request, context);
        return reply.header('content-type', 'application/json').send('{}');
      },
    });
    registerRawRoute(app, {
      id: 'mlflow GET artifact',
      method: 'GET',
      path: `${prefix}${proxy}/artifacts/*`,
      permission: 'read',
      renderError: renderMlflowError,
      handle: async (request, reply, { project }) => {
        const path = pathOf(request);
        return send(reply, await reader.find(project, path), path);
      },
    });
  }

  const query = (request: FastifyRequest, name: string) => {
    const value = (request.query as Record<string, unknown>)[name];
    if (typeof value !== 'string' || value === '')
      throw invalidParameter(`Missing value for required parameter '${name}'.`);
    return value;
  };

  async function sendFrom(reply: FastifyReply, project: string, artifactUri: string, given: string) {
    const root = toProxiedPath(artifactUri);
    const path = requireSoundPath(given);
    return send(reply, root === undefined ? undefined : await reader.find(project, `${root}/${path}`), path);
  }

  registerRawRoute(app, {
    method: 'GET',
    path: '/get-artifact',
    permission: 'read',
    renderError: renderMlflowError,
    handle: async (request, reply, { project }) => {
      const { run_id: runId, run_uuid: oldId } = request.query as Record<string, string | undefined>;
      const run = await tracking.runInfo(database.read, project, runId ?? oldId ?? query(request, 'run_id'));
      return run === undefined
        ? sendMlflowError(reply, 'RESOURCE_DOES_NOT_EXIST', `Run with id=${runId ?? oldId} not found`)
        : sendFrom(reply, project, run.artifactUri, query(request, 'path'));
    },
  });
  registerRawRoute(app, {
    method: 'GET',
    path: '/model-versions/get-artifact',
    permission: 'read',
    renderError: renderMlflowError,
    handle: async (request, reply, { project }) => {
      const name = query(request, 'name');
      const path = requireSoundPath(query(request, 'path'));
      const version = await registry.version(database.read, project, name, query(request, 'version'));
      return send(
        reply,
        version?.files.find((file) => file.path === path),
        path,
      );
    },
  });
}
