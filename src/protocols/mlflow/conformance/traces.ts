import { type Area, endpoints } from './endpoint.ts';

export const traces: Area = {
  title: 'Traces and assessments',
  about:
    'Spans arrive by `POST /v1/traces`; clients before 3.4 upload them as `traces.json` to where the tag `mlflow.artifactLocation` says. Filters know what MLflow 3.17 knows, but for conditions on a session that hold for its other traces.',
  endpoints: [
    ...endpoints(
      'supported',
      `
      POST /3.0/mlflow/traces
      GET /3.0/mlflow/traces/:traceId
      GET /3.0/mlflow/traces/get
      GET /3.0/mlflow/traces/batchGet
      POST /3.0/mlflow/traces/batchGetInfos
      `,
    ),
    {
      call: 'POST /3.0/mlflow/traces/search',
      state: 'differs',
      note: '`RLIKE` runs in linear time and refuses back references and look-around; `span.attributes.x` compares the value itself, with `=` too; pages by time begin after the last trace, so that new ones shift nothing',
    },
    ...endpoints(
      'supported',
      `
      POST /3.0/mlflow/traces/delete-traces
      PATCH /3.0/mlflow/traces/:traceId/tags
      DELETE /3.0/mlflow/traces/:traceId/tags
      POST /3.0/mlflow/traces/:traceId/assessments
      GET /3.0/mlflow/traces/:traceId/assessments/:assessmentId
      PATCH /3.0/mlflow/traces/:traceId/assessments/:assessmentId
      DELETE /3.0/mlflow/traces/:traceId/assessments/:assessmentId
      POST /3.0/mlflow/traces/metrics
      POST /3.0/mlflow/traces/calculate-filter-correlation
      POST /2.0/mlflow/traces
      GET /2.0/mlflow/traces
      PATCH /2.0/mlflow/traces/:traceId
      GET /2.0/mlflow/traces/:traceId/info
      PATCH /2.0/mlflow/traces/:traceId/tags
      DELETE /2.0/mlflow/traces/:traceId/tags
      `,
    ),
    {
      call: 'POST /2.0/mlflow/traces/delete-traces',
      state: 'differs',
      note: 'the files of a trace go with it; MLflow leaves them behind',
    },
    ...endpoints(
      'supported',
      `
      POST /2.0/mlflow/traces/link-prompts
      POST /2.0/mlflow/traces/link-to-run
      GET /3.0/mlflow/get-trace-artifact
      GET /2.0/mlflow/get-trace-artifact
      `,
    ),
    ...endpoints(
      'not yet',
      `
      GET /2.0/mlflow/unified-traces
      GET /2.0/mlflow/get-online-trace-details
      `,
      "for MLflow's own pages, or Databricks alone",
    ),
  ],
};

export const otlp: Area = {
  title: 'OpenTelemetry',
  plain: true,
  endpoints: [
    {
      call: 'POST /v1/traces',
      state: 'differs',
      note: 'a span without sound ids is refused alone and counted in the answer, where MLflow refuses all; answers and errors are in the encoding of the request',
    },
  ],
};
