import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { NamedPart, Upload } from '#modules/artifacts';
import type { Reader, WriteContext } from '#platform/database';
import { announcedBytes, receiveBody, registerRawRoute } from '#platform/http';
import { trimSlashes } from '#platform/url-text';
import { artifactProxy, requireSoundPath } from './artifact-calls.ts';
import { apiAddress } from './artifact-places.ts';
import type { MlflowCall, MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter, renderMlflowError, sendMlflowError } from './mlflow-errors.ts';
import type { WireFields } from './wire-fields.ts';

/** Part URLs live an hour, and longer for many parts: 5 s for each, which a part of 10 MB takes at 2 MB/s. */
const partLifeMs = (partCount: number): number => 3_600_000 + partCount * 5_000;

/** Clients name the file by its path on their machine, of whatever system; its last part is the name. */
function targetOf(folder: string, fields: WireFields): string {
  const given = fields.text('path');
  if (!given) throw fields.missing('path');
  const name = given.split(/[/\\]/).at(-1) ?? '';
  if (name === '' || name === '.' || name === '..') throw invalidParameter(`Invalid path: ${given.slice(0, 200)}`);
  return requireSoundPath([trimSlashes(folder), name].filter((part) => part !== '').join('/'));
}

/**
 * The client 2.9 leaves the run's folder out of the path of a multipart upload: the file would come to lie beside all runs.
 * In these words refused, it puts the file whole, to the right place.
 */
const noMultipart = 'Multipart upload is not supported for the current artifact repository';
const isOfSomething = (path: string): boolean => /^\d+\//.test(path) || path.includes('/artifacts/');

/**
 * Multipart uploads. A client creates one, puts its parts to the URLs that it is given, in any order and without its
 * token, and completes it. Our own `uploads/:id` tells a client that was cut off what has arrived.
 */
export function artifactUploadCalls(deps: MlflowDeps): readonly MlflowCall[] {
  const { database, uploads } = deps;
  return [
    {
      method: 'POST',
      path: `${artifactProxy}/mpu/create`,
      permission: 'write',
      handle: async ({ reply }) => sendMlflowError(reply, 'NOT_IMPLEMENTED', noMultipart),
    },
    {
      method: 'POST',
      path: `${artifactProxy}/mpu/create/*`,
      permission: 'write',
      handle: async ({ fields, params, project, context, request, reply }) => {
        const path = targetOf(params['*'] ?? '', fields);
        if (!isOfSomething(path)) return sendMlflowError(reply, 'NOT_IMPLEMENTED', noMultipart);
        const partCount = fields.integer('num_parts') ?? 1;
        const upload = await database.write(context.write, (unit) => uploads.begin(unit, { project, path, partCount }));
        return { upload_id: upload.id, credentials: await credentialsFor(deps, request, upload, partNumbers(upload)) };
      },
    },
    {
      method: 'GET',
      path: `${artifactProxy}/mpu/uploads/:uploadId`,
      permission: 'write',
      handle: async ({ params, project, request }) => {
        const upload = await uploads.get(database.read, project, params['uploadId'] ?? '');
        return await describeUpload(deps, request, upload);
      },
    },
    {
      method: 'POST',
      path: `${artifactProxy}/mpu/complete/*`,
      permission: 'write',
      handle: async ({ fields, params, project, context }) => {
        const path = targetOf(params['*'] ?? '', fields);
        const upload = await uploads.get(database.read, project, fields.requiredName('upload_id'));
        if (upload.path !== path) throw invalidParameter(`The upload ${upload.id} is of another file than ${path}`);
        if (upload.state === 'completed') return {}; // the answer to the first request was lost
        await completeUpload(deps, context.write, upload, namedParts(fields));
        return {};
      },
    },
    {
      method: 'POST',
      path: `${artifactProxy}/mpu/abort/*`,
      permission: 'write',
      handle: async ({ fields, project, context }) => {
        const upload = await uploads.get(database.read, project, fields.requiredName('upload_id'));
        await uploads.abort(context.write, upload.id);
        await uploads.dropParts(upload.id);
        return {};
      },
    },
  ];
}

const partNumbers = ({ partCount }: Upload): readonly number[] =>
  Array.from({ length: partCount }, (_, index) => index + 1);

/** Where these parts are put. */
async function credentialsFor(
  { signer }: Pick<MlflowDeps, 'signer'>,
  request: FastifyRequest,
  { id, project, partCount }: Upload,
  numbers: readonly number[],
): Promise<readonly object[]> {
  const base = `${apiAddress(request, project)}${artifactProxy}/mpu/parts/${id}`;
  const credentials: object[] = [];
  for (const number of numbers) {
    const signed = await signer.sign(partSubject(project, id, String(number)), partLifeMs(partCount));
    const query = new URLSearchParams({ ...signed }).toString();
    credentials.push({ url: `${base}/${number}?${query}`, part_number: number, headers: {} });
  }
  return credentials;
}

/** What has arrived, and where the rest is put. */
async function describeUpload(deps: MlflowDeps, request: FastifyRequest, upload: Upload): Promise<object> {
  const { database, uploads } = deps;
  const parts = await uploads.parts(database.read, upload.id);
  const arrived = new Set(parts.map((part) => part.number));
  const missing = partNumbers(upload).filter((number) => !arrived.has(number));
  return {
    upload_id: upload.id,
    path: upload.path,
    state: upload.state,
    parts: parts.map((part) => ({ part_number: part.number, etag: `"${part.etag}"`, size_bytes: part.sizeBytes })),
    credentials: upload.state === 'open' ? await credentialsFor(deps, request, upload, missing) : [],
  };
}

const namedParts = (fields: WireFields): readonly NamedPart[] =>
  fields
    .requiredMessages('parts')
    .map((part) => ({ number: part.requiredInteger('part_number'), etag: part.text('etag') }));

/** Makes the parts an artifact. A twin of the request may be first at any moment of it. */
async function completeUpload(
  { database, uploads, tracking, artifacts }: MlflowDeps,
  write: WriteContext,
  upload: Upload,
  named: readonly NamedPart[],
): Promise<void> {
  const { id, project, path } = upload;
  /** UPLOAD_NOT_FOUND when it was aborted meanwhile. */
  const isCompleted = async (reader: Reader) => (await uploads.get(reader, project, id)).state === 'completed';

  const stored = await uploads.join(upload, named).catch(async (error: unknown) => {
    if (await isCompleted(database.read)) return undefined; // the parts went with it
    throw error;
  });
  if (stored === undefined) return;
  // held and there before it counts as completed: whoever is told to try again goes through all of it again
  await database.write(write, async (unit) => {
    await uploads.get(unit, project, id); // it may have been aborted
    await tracking.putArtifact(unit, { project, path, ...stored });
  });
  await artifacts.assertStored(stored.sha256);
  await database.write(write, async (unit) => {
    if (!(await isCompleted(unit))) await uploads.complete(unit, id);
  });
  await uploads.dropParts(id);
}

const partSubject = (project: string, uploadId: string, number: string): readonly string[] => [
  'part',
  project,
  uploadId,
  number,
];

/** The URLs of parts: whoever has one may put that part, and nothing else. */
export function registerUploadedParts(app: FastifyInstance, { uploads, signer, uploadIdleMs }: MlflowDeps): void {
  for (const prefix of ['/api', '/ajax-api'])
    registerRawRoute(app, {
      id: 'mlflow PUT part',
      method: 'PUT',
      path: `${prefix}${artifactProxy}/mpu/parts/:uploadId/:part`,
      permission: 'public',
      body: 'stream',
      renderError: renderMlflowError,
      handle: async (request, reply, { project, write }) => {
        const { uploadId, part } = request.params as { readonly uploadId: string; readonly part: string };
        const piece = await receiveBody(request, reply, { idleMs: uploadIdleMs }, async (source) => {
          await signer.verify(partSubject(project, uploadId, part), request.query as object);
          return await uploads.putPart(
            write,
            { project, uploadId, number: Number(part), sizeBytes: announcedBytes(request) },
            source,
          );
        });
        return reply.header('etag', `"${piece.etag}"`).header('content-type', 'application/json').send('{}');
      },
    });
}
