import type { FastifyReply, FastifyRequest } from 'fastify';
import { type AppError, defineErrors, type ErrorKind } from '#platform/errors';
import { isStalled } from '#platform/http';

/** MLflow's error codes that this adapter answers with, and the status each travels under. */
const statusOf = {
  BAD_REQUEST: 400,
  INVALID_PARAMETER_VALUE: 400,
  RESOURCE_ALREADY_EXISTS: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  RESOURCE_DOES_NOT_EXIST: 404,
  ENDPOINT_NOT_FOUND: 404,
  RESOURCE_CONFLICT: 409,
  REQUEST_LIMIT_EXCEEDED: 429,
  INTERNAL_ERROR: 500,
  NOT_IMPLEMENTED: 501,
  TEMPORARILY_UNAVAILABLE: 503,
} as const;
export type MlflowCode = keyof typeof statusOf;

const codeOfKind: Readonly<Record<ErrorKind, MlflowCode>> = {
  invalid: 'INVALID_PARAMETER_VALUE',
  unauthenticated: 'UNAUTHENTICATED',
  forbidden: 'PERMISSION_DENIED',
  not_found: 'RESOURCE_DOES_NOT_EXIST',
  conflict: 'RESOURCE_CONFLICT',
  too_large: 'INVALID_PARAMETER_VALUE',
  rate_limited: 'REQUEST_LIMIT_EXCEEDED',
  unavailable: 'TEMPORARILY_UNAVAILABLE',
  timeout: 'TEMPORARILY_UNAVAILABLE',
  internal: 'INTERNAL_ERROR',
};

/** Where MLflow's clients expect another code than the kind's. */
const codeOfError: Readonly<Record<string, MlflowCode>> = {
  EXPERIMENT_EXISTS: 'RESOURCE_ALREADY_EXISTS',
  MODEL_EXISTS: 'RESOURCE_ALREADY_EXISTS',
  PROJECT_EXISTS: 'RESOURCE_ALREADY_EXISTS',
  MODEL_NAME_TAKEN: 'RESOURCE_ALREADY_EXISTS',
  MODEL_ALIAS_NOT_FOUND: 'INVALID_PARAMETER_VALUE',
  MLFLOW_ENDPOINT_NOT_FOUND: 'ENDPOINT_NOT_FOUND',
  ROUTE_NOT_FOUND: 'ENDPOINT_NOT_FOUND',
};

const toEntity = (kind: string | undefined) => (kind === 'prompt' ? 'prompt' : 'registered model');

/** MLflow's own words, which programs compare: ours are for people of all the other doors. */
const wordsOf: Readonly<Record<string, (facts: Readonly<Record<string, string>>, ours: string) => string>> = {
  PROJECT_NOT_FOUND: ({ project }, ours) => `Workspace '${project}' not found: ${ours}`,
  MODEL_NOT_FOUND: ({ model }) => `Registered Model with name=${model} not found`,
  MODEL_EXISTS: ({ model, kind }) =>
    `${kind === 'prompt' ? 'Prompt' : 'Registered Model'} (name=${model}) already exists.`,
  MODEL_NAME_TAKEN: ({ model, wanted, taken }) =>
    `Tried to create a ${toEntity(wanted)} with name '${model}', but the name is already taken by a ${toEntity(taken)}. MLflow does not allow creating a model and a prompt with the same name.`,
  MODEL_VERSION_NOT_FOUND: ({ model, version }) => `Model Version (name=${model}, version=${version}) not found`,
  MODEL_ALIAS_NOT_FOUND: ({ model, alias }) => `Registered model alias ${alias} not found. (model ${model})`,
  MODEL_NAME_INVALID: ({ model = '' }) =>
    model.trim() === ''
      ? "Missing value for required parameter 'name'."
      : `Invalid model name '${model}'. Names have at most 256 characters and cannot contain '/' or ':'.`,
  MODEL_ALIAS_INVALID: ({ alias = '' }) =>
    alias.toLowerCase() === 'latest'
      ? "'latest' alias name (case insensitive) is reserved."
      : /^v\d+$/i.test(alias)
        ? `Version alias name '${alias}' is reserved.`
        : alias.length > 255
          ? "'Registered model alias name' exceeds the maximum length of 255 characters"
          : `Invalid alias name: '${alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-).`,
  EXPERIMENT_NOT_FOUND: ({ experiment }) => `No Experiment with id=${experiment} exists`,
  EVALUATION_DATASET_NOT_FOUND: ({ dataset }) => `Evaluation dataset with id '${dataset}' not found`,
  EVALUATION_EXPERIMENT_NOT_FOUND: ({ experiment }) => `No Experiment with id=${experiment} exists`,
  WEBHOOK_NOT_FOUND: ({ webhook }) => `Webhook with ID ${webhook} not found.`,
  TRACKING_RUN_NOT_FOUND: ({ run }) => `Run with id=${run} not found`,
};

/** The error in MLflow's form. A client retries 429, 500, 502, 503 and 504 for minutes: nothing certain goes out as one. */
export function renderMlflowError(error: AppError, _request: FastifyRequest, reply: FastifyReply): unknown {
  const code = codeOfError[error.code] ?? codeOfKind[error.kind];
  // a body that was cut off must not look like a bad parameter to proxies
  void reply.status(error.kind === 'too_large' ? 413 : isStalled(error) ? 408 : statusOf[code]);
  if (code === 'UNAUTHENTICATED') void reply.header('www-authenticate', 'Basic realm="mlflow"');
  const words = wordsOf[error.code]?.((error.details ?? {}) as Readonly<Record<string, string>>, error.message); // as these errors are declared
  return { error_code: code, message: words ?? error.message };
}

/** Where MLflow's clients look for anything, in whatever project. */
const place = /^(?:\/projects\/[^/?#]*)?\/(?:api\/[23]\.0|ajax-api)(?=[/?#]|$)/;

/** Errors in MLflow's form also for what MLflow does not have, and for what cannot be decoded. */
export const foreignMlflowErrors = (path: string): typeof renderMlflowError | undefined =>
  place.test(path) ? renderMlflowError : undefined;

/** An answer with one of MLflow's codes that no kind of ours stands for. */
export function sendMlflowError(reply: FastifyReply, code: MlflowCode, message: string): FastifyReply {
  return reply.status(statusOf[code]).send({ error_code: code, message });
}

export const mlflowErrors = defineErrors({
  MLFLOW_NOT_FOUND: { kind: 'not_found', message: (what: string) => what },
  MLFLOW_PARAMETER_INVALID: { kind: 'invalid', message: (why: string) => why },
  MLFLOW_ENDPOINT_NOT_FOUND: {
    kind: 'not_found',
    message: (method: string, path: string) => `The MLflow REST API has no ${method} ${path} here.`,
  },
  MLFLOW_WORKSPACE_NOT_FOUND: { kind: 'not_found', message: (name: string) => `Workspace '${name}' not found` },
  MLFLOW_WORKSPACE_FORBIDDEN: {
    kind: 'forbidden',
    message: (name: string) =>
      `only an admin may make or describe the workspace "${name}", and only one of all projects may make it`,
  },
  MLFLOW_SOURCE_NOT_FOUND: { kind: 'not_found', message: (what: string) => `${what} not found` },
  MLFLOW_ALIAS_GOVERNED: {
    kind: 'forbidden',
    message: (model: string, alias: string) =>
      `the alias "${alias}" of model "${model}" is moved by promotions; propose a version, or ask somebody who may approve to move it`,
  },
});
export const invalidParameter = mlflowErrors.MLFLOW_PARAMETER_INVALID;
export const aliasGoverned = mlflowErrors.MLFLOW_ALIAS_GOVERNED;
