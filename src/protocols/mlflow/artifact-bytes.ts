import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { viewTypeOf } from '#contracts/viewable-files';
import { parseByteRange } from '#modules/artifacts';
import { type RequestContext, receiveBody, registerRawRoute } from '#platform/http';
import { artifactProxy, createArtifactReader, requireSoundPath, type StoredFile } from './artifact-calls.ts';
import { placeOf } from './artifact-places.ts';
import type { MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter, renderMlflowError, sendMlflowError } from './mlflow-errors.ts';

/** Extensions that a browser must not run: they always go out as plain text. */
const textLike =
  /(?:\.(?:txt|log|err|cfg|conf|cnf|cf|ini|properties|prop|hocon|toml|yaml|yml|xml|json|js|py|py3|csv|tsv|md|rst|jsonnet|html?)|MLmodel|MLproject)$/i;

/** What is shown runs nothing and belongs to nobody; a browser's own page around a picture has styles in line. */
const viewPolicy = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'";

function pathOf(request: FastifyRequest): string {
  const { '*': path = '' } = request.params as { '*'?: string };
  return requireSoundPath(path);
}

function queryOf(request: FastifyRequest, name: string): string {
  const value = (request.query as Record<string, unknown>)[name];
  if (typeof value !== 'string' || value === '')
    throw invalidParameter(`Missing value for required parameter '${name}'.`);
  return value;
}

/** What the routes share whose bodies are the artifacts' bytes; these are streamed both ways. */
export function createArtifactBytes({ database, blobs, tracking, artifacts, ...deps }: MlflowDeps) {
  return {
    async send(
      request: FastifyRequest,
      reply: FastifyReply,
      file: StoredFile | undefined,
      path: string,
      /** To be looked at in the browser's window, where that is safe. */
      view = false,
    ): Promise<FastifyReply> {
      if (file === undefined) return sendMlflowError(reply, 'RESOURCE_DOES_NOT_EXIST', `No such artifact: ${path}`);
      const { sha256, sizeBytes } = file;
      const name = encodeURIComponent(path.split('/').at(-1) ?? '');
      const shownAs = view ? viewTypeOf(path) : undefined;
      void reply.headers({
        'content-type': shownAs ?? (textLike.test(path) ? 'text/plain; charset=utf-8' : 'application/octet-stream'),
        'content-disposition': `${shownAs === undefined ? 'attachment' : 'inline'}; filename*=UTF-8''${name}`,
        ...(shownAs !== undefined && { 'content-security-policy': viewPolicy }),
        'x-content-type-options': 'nosniff',
        'accept-ranges': 'bytes',
        etag: `"${sha256}"`,
      });
      const range = parseByteRange(request.headers.range, sizeBytes);
      if (range === 'unsatisfiable')
        return reply
          .status(416)
          .header('content-range', `bytes */${sizeBytes}`)
          .type('application/json')
          .send({
            error_code: 'INVALID_PARAMETER_VALUE',
            message: `The range lies outside of the ${sizeBytes} bytes of ${path}`,
          });
      const { start, end } = range ?? { start: 0, end: sizeBytes };
      const content = await blobs.openRead(sha256, range);
      if (range !== undefined) void reply.status(206).header('content-range', `bytes ${start}-${end - 1}/${sizeBytes}`);
      return reply.header('content-length', end - start).send(content);
    },

    /** Bytes first, then the unit that names them: dying in between leaves unreferenced bytes only. */
    async receive(
      request: FastifyRequest,
      reply: FastifyReply,
      { project, write }: RequestContext,
      path: string,
      /** Asked before the first byte is read. */
      allow: () => Promise<void> = async () => undefined,
      maxBytes = deps.uploadLimitBytes,
    ): Promise<void> {
      const stored = await receiveBody(request, reply, { maxBytes, idleMs: deps.uploadIdleMs }, async (source) => {
        await allow();
        return await blobs.putStream(source);
      });
      await database.write(write, (unit) => tracking.putArtifact(unit, { project, path, ...stored }));
      await artifacts.assertStored(stored.sha256);
    },
  };
}

/** The largest file that pages upload. */
const pageLimitBytes = 10 * 1024 * 1024;

export function registerArtifactBytes(app: FastifyInstance, deps: MlflowDeps): void {
  const { database, registry } = deps;
  const reader = createArtifactReader(deps);
  const bytes = createArtifactBytes(deps);

  for (const prefix of ['/api', '/ajax-api']) {
    registerRawRoute(app, {
      id: 'mlflow PUT artifact',
      method: 'PUT',
      path: `${prefix}${artifactProxy}/artifacts/*`,
      permission: 'write',
      body: 'stream',
      renderError: renderMlflowError,
      handle: async (request, reply, context) => {
        await bytes.receive(request, reply, context, pathOf(request));
        return reply.header('content-type', 'application/json').send('{}');
      },
    });
    registerRawRoute(app, {
      id: 'mlflow GET artifact',
      method: 'GET',
      path: `${prefix}${artifactProxy}/artifacts/*`,
      permission: 'read',
      sensitive: 'project',
      renderError: renderMlflowError,
      handle: async (request, reply, { project }) => {
        const path = pathOf(request);
        return bytes.send(request, reply, await reader.find(project, path), path);
      },
    });
  }

  registerRawRoute(app, {
    method: 'GET',
    path: '/get-artifact',
    permission: 'read',
    sensitive: 'project',
    renderError: renderMlflowError,
    handle: async (request, reply, { project }) => {
      const { run_id: runId, run_uuid: oldId, view } = request.query as Record<string, string | undefined>;
      const id = runId ?? oldId ?? queryOf(request, 'run_id');
      const path = queryOf(request, 'path');
      const place = await placeOf(deps, project, { runId: id, modelId: undefined }, path);
      return bytes.send(request, reply, await reader.find(project, place), path, view === 'yes');
    },
  });
  registerRawRoute(app, {
    method: 'GET',
    path: '/model-versions/get-artifact',
    permission: 'read',
    sensitive: 'project',
    renderError: renderMlflowError,
    handle: async (request, reply, { project }) => {
      const path = requireSoundPath(queryOf(request, 'path'));
      const [name, number] = [queryOf(request, 'name'), queryOf(request, 'version')];
      const version = await registry.version(database.read, project, name, number);
      return bytes.send(
        request,
        reply,
        version?.files.find((file) => file.path === path),
        path,
      );
    },
  });

  for (const prefix of ['/api', '/ajax-api']) {
    registerRawRoute(app, {
      id: 'mlflow POST upload-artifact',
      method: 'POST',
      path: `${prefix}/2.0/mlflow/upload-artifact`,
      permission: 'write',
      body: 'stream',
      renderError: renderMlflowError,
      handle: async (request, reply, context) => {
        const runId = requestField(request, 'run_uuid');
        const path = requestField(request, 'path');
        const place = await placeOf(deps, context.project, { runId, modelId: undefined }, path);
        if (request.headers['content-length'] === '0') throw invalidParameter('Request must specify data.');
        await bytes.receive(request, reply, context, place, undefined, pageLimitBytes);
        return reply.header('content-type', 'application/json').send('{}');
      },
    });
    registerRawRoute(app, {
      id: 'mlflow GET logged-model file',
      method: 'GET',
      path: `${prefix}/2.0/mlflow/logged-models/:modelId/artifacts/files`,
      permission: 'read',
      sensitive: 'project',
      renderError: renderMlflowError,
      handle: async (request, reply, { project }) => {
        const { modelId } = request.params as { readonly modelId: string };
        const path = queryOf(request, 'artifact_file_path');
        const place = await placeOf(deps, project, { runId: undefined, modelId }, path);
        return bytes.send(request, reply, await reader.find(project, place), path);
      },
    });
  }
}

/** In MLflow's words for its pages. */
function requestField(request: FastifyRequest, name: string): string {
  const value = (request.query as Record<string, unknown>)[name];
  if (typeof value !== 'string' || value === '') throw invalidParameter(`Request must specify ${name}.`);
  return value;
}
