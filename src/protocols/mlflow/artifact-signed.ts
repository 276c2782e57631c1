import type { FastifyInstance, FastifyRequest } from 'fastify';
import { registerRawRoute } from '#platform/http';
import { createArtifactBytes } from './artifact-bytes.ts';
import { artifactProxy, createArtifactReader, requireSoundPath, type StoredFile } from './artifact-calls.ts';
import { apiAddress, encodePath, placeOf } from './artifact-places.ts';
import type { MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter, mlflowErrors, renderMlflowError } from './mlflow-errors.ts';
import type { WireFields } from './wire-fields.ts';

const [downloadLifeS, uploadLifeS, longestLifeS] = [300, 900, 604_800];

function lifeOf(fields: WireFields, otherwise: number): number {
  const seconds = fields.integer('expiration') ?? otherwise;
  if (seconds < 1 || seconds > longestLifeS)
    throw invalidParameter(`expiration must be between 1 and ${longestLifeS} seconds (got ${seconds}).`);
  return seconds;
}

const ownerOf = (fields: WireFields) => ({
  runId: fields.text('run_id') || undefined,
  modelId: fields.text('model_id') || undefined,
});

function namedPath(fields: WireFields): string {
  const path = fields.text('path');
  if (!path) throw fields.missing('path');
  return requireSoundPath(path);
}

const pathOf = (request: FastifyRequest): string =>
  requireSoundPath((request.params as { readonly '*'?: string })['*'] ?? '');

/**
 * URLs that let their bearer read or put one file for a while. Reading goes to the S3 server where there is one; putting
 * comes to us wherever the bytes end, since what they are named by is not known before.
 */
export function signedUrlCalls(deps: MlflowDeps): readonly MlflowCall[] {
  const { blobs, signer } = deps;
  const reader = createArtifactReader(deps);

  async function ownUrl(request: FastifyRequest, project: string, way: 'read' | 'put', path: string, lifeS: number) {
    const signed = await signer.sign([way, project, path], lifeS * 1_000);
    const query = new URLSearchParams({ ...signed }).toString();
    return `${apiAddress(request, project)}${artifactProxy}/signed/${encodePath(path)}?${query}`;
  }

  async function readUrl(request: FastifyRequest, project: string, path: string, lifeS: number) {
    const file = await reader.find(project, path);
    if (file === undefined) throw mlflowErrors.MLFLOW_NOT_FOUND(`No such artifact: ${path}`);
    const url =
      (await blobs.presignRead?.(file.sha256, {
        fileName: path.split('/').at(-1) ?? '',
        contentType: 'application/octet-stream',
        expiresInS: lifeS,
      })) ?? (await ownUrl(request, project, 'read', path, lifeS));
    return { url, file };
  }

  return [
    {
      method: 'GET',
      path: `${artifactProxy}/presigned/*`,
      permission: 'read',
      sensitive: 'project',
      handle: async ({ params, project, request }) => {
        const { url, file } = await readUrl(request, project, requireSoundPath(params['*'] ?? ''), downloadLifeS);
        return { url, headers: {}, file_size: file.sizeBytes };
      },
    },
    {
      method: 'POST',
      path: '/2.0/mlflow/artifacts/presigned-download-url',
      permission: 'read',
      sensitive: 'project',
      handle: async ({ fields, project, request }) => {
        const lifeS = lifeOf(fields, downloadLifeS);
        const path = await placeOf(deps, project, ownerOf(fields), namedPath(fields));
        const { url, file } = await readUrl(request, project, path, lifeS);
        return { presigned_url: url, headers: {}, file_size: file.sizeBytes };
      },
    },
    {
      method: 'POST',
      path: '/2.0/mlflow/artifacts/presigned-upload-url',
      permission: 'write',
      handle: async ({ fields, project, request }) => {
        const lifeS = lifeOf(fields, uploadLifeS);
        const path = await placeOf(deps, project, ownerOf(fields), namedPath(fields));
        return { presigned_url: await ownUrl(request, project, 'put', path, lifeS), headers: {} };
      },
    },
  ];
}

/** Where our own signed URLs lead. */
export function registerSignedBytes(app: FastifyInstance, deps: MlflowDeps): void {
  const { signer } = deps;
  const bytes = createArtifactBytes(deps);
  const reader = createArtifactReader(deps);

  for (const prefix of ['/api', '/ajax-api']) {
    const route = {
      path: `${prefix}${artifactProxy}/signed/*`,
      permission: 'public',
      renderError: renderMlflowError,
    } as const;
    registerRawRoute(app, {
      ...route,
      id: 'mlflow GET signed artifact',
      method: 'GET',
      handle: async (request, reply, { project }) => {
        const path = pathOf(request);
        await signer.verify(['read', project, path], request.query as object);
        const file: StoredFile | undefined = await reader.find(project, path);
        return bytes.send(request, reply, file, path);
      },
    });
    registerRawRoute(app, {
      ...route,
      id: 'mlflow PUT signed artifact',
      method: 'PUT',
      body: 'stream',
      handle: async (request, reply, context) => {
        const path = pathOf(request);
        await bytes.receive(request, reply, context, path, () =>
          signer.verify(['put', context.project, path], request.query as object),
        );
        return reply.header('content-type', 'application/json').send('{}');
      },
    });
  }
}
