import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type RequestContext, registerRawRoute } from '#platform/http';
import { artifactProxy, createArtifactReader, requireSoundPath, type StoredFile } from './artifact-calls.ts';
import { toProxiedPath } from './artifact-uri.ts';
import type { MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter, renderMlflowError, sendMlflowError } from './mlflow-errors.ts';

/** Extensions that a browser must not run: they always go out as plain text. */
const textLike =
  /(?:\.(?:txt|log|err|cfg|conf|cnf|cf|ini|properties|prop|hocon|toml|yaml|yml|xml|json|js|py|py3|csv|tsv|md|rst|jsonnet|html?)|MLmodel|MLproject)$/i;

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

  async function receive(request: FastifyRequest, { project, write }: RequestContext): Promise<void> {
    const path = pathOf(request);
    // Bytes first, then the unit that names them: dying in between leaves unreferenced bytes only.
    const stored = await blobs.putStream(
      request.body instanceof Readable ? request.body : Readable.from([]),
      deps.uploadLimitBytes === undefined ? {} : { maxBytes: deps.uploadLimitBytes },
    );
    await database.write(write, (unit) => tracking.putArtifact(unit, { project, path, ...stored }));
  }

  for (const prefix of ['/api', '/ajax-api']) {
    registerRawRoute(app, {
      id: 'mlflow PUT artifact',
      method: 'PUT',
      path: `${prefix}${artifactProxy}/artifacts/*`,
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
      path: `${prefix}${artifactProxy}/artifacts/*`,
      permission: 'read',
      sensitive: 'project',
      renderError: renderMlflowError,
      handle: async (request, reply, { project }) => {
        const path = pathOf(request);
        return send(reply, await reader.find(project, path), path);
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
      const { run_id: runId, run_uuid: oldId } = request.query as Record<string, string | undefined>;
      const id = runId ?? oldId ?? queryOf(request, 'run_id');
      const path = requireSoundPath(queryOf(request, 'path'));
      const run = await tracking.runInfo(database.read, project, id);
      if (run === undefined) return sendMlflowError(reply, 'RESOURCE_DOES_NOT_EXIST', `Run with id=${id} not found`);
      const root = toProxiedPath(run.artifactUri);
      return send(reply, root === undefined ? undefined : await reader.find(project, `${root}/${path}`), path);
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
      return send(
        reply,
        version?.files.find((file) => file.path === path),
        path,
      );
    },
  });
}
