import type { FastifyInstance } from 'fastify';
import { registerRawRoute } from '#platform/http';
import { registerArtifactBytes } from './artifact-bytes.ts';
import { artifactCalls } from './artifact-calls.ts';
import { registerSignedBytes, signedUrlCalls } from './artifact-signed.ts';
import { artifactUploadCalls, registerUploadedParts } from './artifact-uploads.ts';
import { assessmentCalls } from './assessment-calls.ts';
import { evaluationDatasetCalls } from './evaluation-dataset-calls.ts';
import { experimentCalls } from './experiment-calls.ts';
import { historyCalls } from './history-calls.ts';
import { loggedModelCalls } from './logged-model-calls.ts';
import { loggingCalls } from './logging-calls.ts';
import { type MlflowDeps, registerCalls } from './mlflow-calls.ts';
import { mlflowErrors, renderMlflowError, sendMlflowError } from './mlflow-errors.ts';
import { modelCalls } from './model-calls.ts';
import { modelVersionCalls } from './model-version-calls.ts';
import { runCalls } from './run-calls.ts';
import { scorerCalls } from './scorer-calls.ts';
import { registerTraceArtifacts } from './trace-artifacts.ts';
import { traceCalls } from './trace-calls.ts';
import { traceMetricCalls } from './trace-metric-calls.ts';
import { oldTraceCalls } from './trace-v2-calls.ts';
import { webhookCalls } from './webhook-calls.ts';
import { workspaceCalls } from './workspace-calls.ts';

/** The version of MLflow whose REST API this is: clients switch features on by it. */
const mlflowVersion = '3.17.2';

/** Answers what is not there yet. */
export const unknownCall = 'mlflow unknown';

export interface MlflowProtocol {
  readonly id: 'mlflow';
  routes(app: FastifyInstance): void;
}

/** MLflow's REST API over tracking, registry and the blob store; a project is addressed by the URL's prefix. */
export function createMlflowProtocol(deps: MlflowDeps): MlflowProtocol {
  return {
    id: 'mlflow',
    routes(app) {
      registerCalls(app, [
        ...experimentCalls(deps),
        ...runCalls(deps),
        ...loggingCalls(deps),
        ...historyCalls(deps),
        ...loggedModelCalls(deps),
        ...modelCalls(deps),
        ...modelVersionCalls(deps),
        ...artifactCalls(deps),
        ...workspaceCalls(deps),
        ...artifactUploadCalls(deps),
        ...signedUrlCalls(deps),
        ...webhookCalls(deps),
        ...evaluationDatasetCalls(deps),
        ...scorerCalls(deps),
        ...traceCalls(deps),
        ...oldTraceCalls(deps),
        ...assessmentCalls(deps),
        ...traceMetricCalls(deps),
        {
          method: 'GET',
          path: '/3.0/mlflow/server-info',
          permission: 'public', // clients ask before they know whether their workspace is there
          handle: async () => ({
            store_type: 'SqlStore',
            workspaces_enabled: true,
            trace_archival_enabled: false,
            multipart_uploads_enabled: true,
            // from S3, which takes the load off this server; one stream is as good as many from here
            multipart_downloads_enabled: deps.blobs.presignRead !== undefined,
            presigned_upload_run_id_supported: true,
            presigned_upload_model_id_supported: true,
            features_enabled: { gateway: false },
          }),
        },
      ]);
      registerArtifactBytes(app, deps);
      registerUploadedParts(app, deps);
      registerSignedBytes(app, deps);
      registerTraceArtifacts(app, deps);
      registerPlainRoutes(app);
    },
  };
}

function registerPlainRoutes(app: FastifyInstance): void {
  for (const [path, text] of [
    ['/health', 'OK'],
    ['/version', mlflowVersion],
  ] as const)
    registerRawRoute(app, {
      method: 'GET',
      path,
      permission: 'public',
      handle: async (_request, reply) => reply.type('text/plain; charset=utf-8').send(text),
    });

  registerRawRoute(app, {
    method: ['GET', 'POST'],
    path: '/graphql',
    permission: 'read',
    body: 'stream',
    renderError: renderMlflowError,
    handle: async (_request, reply) =>
      sendMlflowError(
        reply,
        'NOT_IMPLEMENTED',
        "GraphQL serves MLflow's own web pages, which are not here; the REST API answers the same questions.",
      ),
  });

  // What is not there yet answers as MLflow's clients understand it: they fall back on this code.
  for (const prefix of ['/api', '/ajax-api'])
    for (const family of ['/2.0/mlflow', '/3.0/mlflow', '/2.0/mlflow-artifacts'])
      registerRawRoute(app, {
        id: unknownCall,
        method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
        path: `${prefix}${family}/*`,
        permission: 'read',
        body: 'stream',
        renderError: renderMlflowError,
        handle: async (request) => {
          throw mlflowErrors.MLFLOW_ENDPOINT_NOT_FOUND(request.method, request.url);
        },
      });
}
