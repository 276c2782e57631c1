import { type Area, endpoints } from './endpoint.ts';

export const traces: Area = {
  title: 'Traces and assessments',
  endpoints: endpoints(
    'not yet',
    `
    POST /3.0/mlflow/traces
    GET /3.0/mlflow/traces/:traceId
    GET /3.0/mlflow/traces/get
    GET /3.0/mlflow/traces/batchGet
    POST /3.0/mlflow/traces/batchGetInfos
    POST /3.0/mlflow/traces/search
    POST /3.0/mlflow/traces/delete-traces
    PATCH /3.0/mlflow/traces/:traceId/tags
    DELETE /3.0/mlflow/traces/:traceId/tags
    POST /3.0/mlflow/traces/:traceId/assessments
    GET /3.0/mlflow/traces/:traceId/assessments/:assessmentId
    PATCH /3.0/mlflow/traces/:traceId/assessments/:assessmentId
    DELETE /3.0/mlflow/traces/:traceId/assessments/:assessmentId
    POST /3.0/mlflow/traces/metrics
    POST /3.0/mlflow/traces/calculate-filter-correlation
    GET /3.0/mlflow/get-trace-artifact
    GET /2.0/mlflow/get-trace-artifact
    POST /2.0/mlflow/traces
    GET /2.0/mlflow/traces
    PATCH /2.0/mlflow/traces/:requestId
    GET /2.0/mlflow/traces/:requestId/info
    PATCH /2.0/mlflow/traces/:requestId/tags
    DELETE /2.0/mlflow/traces/:requestId/tags
    POST /2.0/mlflow/traces/delete-traces
    POST /2.0/mlflow/traces/link-prompts
    POST /2.0/mlflow/traces/link-to-run
    GET /2.0/mlflow/unified-traces
    GET /2.0/mlflow/get-online-trace-details
    `,
  ),
};

export const otlp: Area = {
  title: 'OpenTelemetry',
  plain: true,
  endpoints: endpoints('not yet', 'POST /v1/traces'),
};
