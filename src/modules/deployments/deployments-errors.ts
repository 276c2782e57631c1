import { defineErrors } from '#platform/errors';

export const deploymentsErrors = defineErrors({
  DEPLOYMENT_NOT_FOUND: {
    kind: 'not_found',
    message: (name: string, near: string | undefined) =>
      `there is no deployment named "${name}"${near === undefined ? '' : `; did you mean "${near}"?`}`,
    help: 'Declare it under `deployments:` in tidemill.yaml and run `tidemill apply`.',
  },
  REVISION_NOT_FOUND: {
    kind: 'not_found',
    message: (revision: string) => `there is no revision "${revision}"`,
  },
  MODEL_VERSION_NOT_SERVABLE: {
    kind: 'conflict',
    message: (model: string, version: number, why: string) => `model:${model}@${version} cannot be served: ${why}`,
    help: 'What can be served: an ONNX model, a model logged by MLflow (a folder with an MLmodel), a model in Python or a program, whose bytes are kept here (docs/python-models.md).',
  },
  DEPLOYMENT_REDACTS_NOTHING: {
    kind: 'invalid',
    message: (deployment: string, rule: string, known: string, near: string | undefined) =>
      `capture.redact of deployment "${deployment}" names "${rule}", and there is nothing of that name: ${known}${near === undefined ? '' : `; did you mean "${near}"?`}`,
    help: 'Name an input, an output, a column that the signature names (`columns`), or a place of a row: `x[3]` is the fourth value of "x".',
  },
  TRAFFIC_INVALID: {
    kind: 'invalid',
    message: (why: string) => `the traffic cannot be split so: ${why}`,
  },
  POOL_NOT_FOUND: {
    kind: 'not_found',
    message: (pool: string) => `there is no pool "${pool}"`,
  },
  POOL_FORBIDDEN: {
    kind: 'forbidden',
    message: (own: string, asked: string) => `this token is limited to pool "${own}" and cannot act for "${asked}"`,
  },
  POOL_FILE_NOT_FOUND: {
    kind: 'not_found',
    message: (digest: string) => `no revision that this pool serves has a file ${digest}; read the spec again`,
  },
  REPLICA_REPORT_INVALID: {
    kind: 'invalid',
    message: (why: string) => `this is no ReplicaReport v1: ${why}`,
  },
});
