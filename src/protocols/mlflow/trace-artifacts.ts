import type { FastifyInstance, FastifyRequest } from 'fastify';
import { registerRawRoute } from '#platform/http';
import { createArtifactBytes } from './artifact-bytes.ts';
import { createArtifactReader } from './artifact-calls.ts';
import { toProxiedPath } from './artifact-uri.ts';
import type { MlflowDeps } from './mlflow-calls.ts';
import { invalidParameter, renderMlflowError, sendMlflowError } from './mlflow-errors.ts';
import { toTraceFile } from './trace-file.ts';

const spansFile = 'traces.json';
const attachmentName = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Undefined when it is empty, as MLflow takes it. */
function queryText(request: FastifyRequest, name: string): string | undefined {
  const value = (request.query as Readonly<Record<string, unknown>>)[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/**
 * What belongs to a trace, as a file: its spans, from here or, of clients before 3.4, from the file that they uploaded; with
 * `path` an attachment of it.
 */
export function registerTraceArtifacts(app: FastifyInstance, deps: MlflowDeps): void {
  const { database, traces } = deps;
  const reader = createArtifactReader(deps);
  const bytes = createArtifactBytes(deps);

  for (const prefix of ['/api', '/ajax-api'])
    for (const version of ['2.0', '3.0'])
      registerRawRoute(app, {
        id: `mlflow GET get-trace-artifact ${version}`,
        method: 'GET',
        path: `${prefix}/${version}/mlflow/get-trace-artifact`,
        permission: 'read',
        sensitive: 'project',
        renderError: renderMlflowError,
        handle: async (request, reply, { project }) => {
          const [traceId, path] = [queryText(request, 'request_id'), queryText(request, 'path')];
          if (traceId === undefined)
            return sendMlflowError(reply, 'BAD_REQUEST', 'Request must include the "request_id" query parameter.');
          if (path !== undefined && !attachmentName.test(path))
            throw invalidParameter(
              `Invalid attachment path: '${path.slice(0, 200)}'. Attachment path must be a valid UUID.`,
            );
          const [trace] = await traces.traces(database.read, project, [traceId]);
          if (trace === undefined)
            return sendMlflowError(reply, 'RESOURCE_DOES_NOT_EXIST', `Trace with ID '${traceId}' not found.`);
          if (path === undefined && trace.spans.length > 0)
            return reply
              .headers({
                'content-type': 'text/plain; charset=utf-8',
                'content-disposition': `attachment; filename=${spansFile}`,
                'x-content-type-options': 'nosniff',
              })
              .send(toTraceFile(trace));
          const root = toProxiedPath(trace.info.tags['mlflow.artifactLocation'] ?? '');
          const file = path === undefined ? spansFile : `attachments/${path}`;
          const stored = root === undefined ? undefined : await reader.find(project, `${root}/${file}`);
          return await bytes.send(request, reply, stored, file);
        },
      });
}
