import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  type ArtifactHoldView,
  artifactPath,
  collectArtifacts,
  findMissingArtifacts,
  getArtifact,
  listArtifacts,
} from '#contracts/artifacts';
import { defaultPageLimit } from '#contracts/page';
import { toRfc3339 } from '#contracts/rfc3339';
import type { BlobStore } from '#platform/blobs';
import type { Database } from '#platform/database';
import { type RequestContext, receiveBody, registerOperation, registerRawRoute } from '#platform/http';
import { decodeCursor, toPage } from '#platform/sql';
import type { ArtifactCollector } from './artifact-collector.ts';
import { type ArtifactsApi, retainUpload } from './artifact-service.ts';
import { artifactErrors } from './artifacts-errors.ts';
import { parseByteRange } from './byte-range.ts';
import { type Hold, listHolds } from './hold-store.ts';

/** Of those that need one digest, the first so many are shown with it; the list has them all. */
const mostHolds = 500;

interface RouteDeps {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly api: ArtifactsApi;
  readonly collector: ArtifactCollector;
  readonly uploadLimitBytes?: number;
  readonly uploadIdleMs?: number;
}

export function registerArtifactRoutes(app: FastifyInstance, deps: RouteDeps): void {
  const { database, api, collector } = deps;
  registerByteRoutes(app, deps);

  registerOperation(app, listArtifacts, async ({ query, context }, answer) => {
    const limit = query.limit ?? defaultPageLimit;
    const [sha256, owner] = query.cursor === undefined ? [] : decodeCursor(query.cursor);
    const page = await listHolds(database.read, {
      project: context.project,
      owner: query.owner,
      sha256: query.sha256,
      after: sha256 === undefined ? undefined : { sha256: String(sha256), owner: String(owner) },
      limit: limit + 1,
    });
    const { shown, ...more } = toPage(page, limit, (last) => [last.sha256, last.owner]);
    return answer(200, { items: shown.map(toHoldView), ...more });
  });

  registerOperation(app, getArtifact, async ({ params, context }, answer) => {
    const { project } = context;
    const holds = await listHolds(database.read, {
      project,
      sha256: params.sha256,
      owner: undefined,
      after: undefined,
      limit: mostHolds,
    });
    const [first] = holds;
    if (first === undefined) throw artifactErrors.ARTIFACT_NOT_FOUND(params.sha256, project);
    return answer(200, { sha256: first.sha256, sizeBytes: first.sizeBytes, holds: holds.map(toHoldView) });
  });

  registerOperation(app, findMissingArtifacts, async ({ body, context }, answer) => {
    const missing = await api.missing(database.read, context.project, body.digests);
    return answer(200, { missing: [...missing] });
  });

  registerOperation(app, collectArtifacts, async (_call, answer) => {
    const { waiting, ...collected } = await collector.collect();
    const { nextMs, ...amount } = waiting;
    return answer(200, {
      ...collected,
      waiting: { ...amount, ...(nextMs !== undefined && { nextAt: toRfc3339(nextMs) }) },
    });
  });
}

const toHoldView = (hold: Hold): ArtifactHoldView => ({
  sha256: hold.sha256,
  sizeBytes: hold.sizeBytes,
  owner: hold.owner,
  ...(hold.name !== undefined && { name: hold.name }),
  createdAt: toRfc3339(hold.createdMs),
  ...(hold.expiresMs !== undefined && { expiresAt: toRfc3339(hold.expiresMs) }),
});

function registerByteRoutes(app: FastifyInstance, deps: RouteDeps): void {
  const { database, blobs, api } = deps;
  async function upload(request: FastifyRequest, reply: FastifyReply, context: RequestContext): Promise<unknown> {
    const sha256 = digestOf(request);
    // The bytes are read even when they are here already: whoever knows only the digest has no right to them.
    const bounds = { maxBytes: deps.uploadLimitBytes, idleMs: deps.uploadIdleMs };
    const info = await receiveBody(request, reply, bounds, (source) => blobs.putStream(source, { sha256 }));
    await database.write(context.write, (unit) => retainUpload(unit, { project: context.project, ...info }));
    await api.assertStored(sha256);
    return await reply.status(201).send(info);
  }

  async function download(request: FastifyRequest, reply: FastifyReply, context: RequestContext): Promise<unknown> {
    const sha256 = digestOf(request);
    await api.assertReadable(database.read, context.project, sha256);
    const found = await blobs.stat(sha256);
    if (found === undefined) throw artifactErrors.ARTIFACT_NOT_FOUND(sha256, context.project);
    const { sizeBytes } = found;
    void reply.headers({
      'content-type': 'application/octet-stream',
      // Never shown as a page of this server, whatever the bytes say they are.
      'content-disposition': `attachment; filename="${sha256}"`,
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
      'cache-control': 'private, max-age=31536000, immutable',
      etag: `"${sha256}"`,
    });
    if (request.headers['if-none-match'] === `"${sha256}"`) return await reply.status(304).send();
    if (request.method === 'HEAD') return await reply.header('content-length', sizeBytes).send();
    const range = parseByteRange(request.headers.range, sizeBytes);
    if (range === 'unsatisfiable') {
      const { error } = rangeProblem(request, sizeBytes);
      return await reply
        .status(416)
        .header('content-range', `bytes */${sizeBytes}`)
        .type('application/json')
        .send(error);
    }
    if (range !== undefined)
      void reply.status(206).header('content-range', `bytes ${range.start}-${range.end - 1}/${sizeBytes}`);
    const { start, end } = range ?? { start: 0, end: sizeBytes };
    void reply.header('content-length', end - start);
    return await reply.send(await blobs.openRead(sha256, { start, end }));
  }

  registerRawRoute(app, {
    id: 'artifacts.upload',
    method: 'PUT',
    path: artifactPath,
    permission: 'write',
    body: 'stream',
    handle: upload,
  });
  registerRawRoute(app, {
    id: 'artifacts.read',
    method: ['GET', 'HEAD'],
    path: artifactPath,
    permission: 'read',
    sensitive: 'artifact',
    handle: download,
  });
}

/** HTTP has a status of its own for this, which no kind of error maps to. */
function rangeProblem(request: FastifyRequest, sizeBytes: number) {
  const { code, message } = artifactErrors.ARTIFACT_RANGE_INVALID(request.headers.range ?? '', sizeBytes);
  return { error: { error: { code, message, requestId: request.id } } };
}

function digestOf(request: FastifyRequest): string {
  const { sha256 = '' } = request.params as { readonly sha256?: string };
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw artifactErrors.ARTIFACT_DIGEST_INVALID(sha256);
  return sha256;
}
