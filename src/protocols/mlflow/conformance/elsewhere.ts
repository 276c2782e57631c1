import { type Area, endpoints } from './endpoint.ts';

export const pages: Area = {
  title: "Behind MLflow's web pages",
  about: 'Issues, label schemas, review queues, jobs and the like: no client of the REST API needs them.',
  endpoints: endpoints(
    'not yet',
    `
    POST /2.0/mlflow/runs/create-promptlab-run
    POST /3.0/mlflow/demo/delete
    POST /3.0/mlflow/demo/generate
    POST /3.0/mlflow/genai/evaluate/invoke
    POST /3.0/mlflow/issues
    GET /3.0/mlflow/issues/:issueId
    PATCH /3.0/mlflow/issues/:issueId
    POST /3.0/mlflow/issues/invoke
    POST /3.0/mlflow/issues/search
    GET /3.0/mlflow/jobs/:jobId
    PATCH /3.0/mlflow/jobs/cancel/:jobId
    POST /3.0/mlflow/label-schemas/create
    DELETE /3.0/mlflow/label-schemas/delete
    GET /3.0/mlflow/label-schemas/get
    GET /3.0/mlflow/label-schemas/get-by-name
    GET /3.0/mlflow/label-schemas/list
    PATCH /3.0/mlflow/label-schemas/update
    POST /3.0/mlflow/prompt-optimization/jobs
    DELETE /3.0/mlflow/prompt-optimization/jobs/:jobId
    GET /3.0/mlflow/prompt-optimization/jobs/:jobId
    POST /3.0/mlflow/prompt-optimization/jobs/:jobId/cancel
    GET /3.0/mlflow/prompt-optimization/jobs/search
    POST /3.0/mlflow/prompt-optimization/jobs/search
    POST /3.0/mlflow/review-queues/create
    POST /3.0/mlflow/review-queues/delete
    GET /3.0/mlflow/review-queues/get
    GET /3.0/mlflow/review-queues/get-by-name
    POST /3.0/mlflow/review-queues/get-or-create-user
    POST /3.0/mlflow/review-queues/items/add
    GET /3.0/mlflow/review-queues/items/list
    POST /3.0/mlflow/review-queues/items/remove
    POST /3.0/mlflow/review-queues/items/set-status
    GET /3.0/mlflow/review-queues/list
    POST /3.0/mlflow/review-queues/update
    POST /3.0/mlflow/scorer/invoke
    GET /3.0/mlflow/ui-telemetry
    POST /3.0/mlflow/ui-telemetry
    `,
  ),
};

export const gateway: Area = {
  title: 'The AI gateway',
  about: 'A program of its own inside MLflow; its clients have addresses of their own.',
  endpoints: endpoints(
    'not yet',
    `
    GET /2.0/mlflow/gateway-proxy
    POST /2.0/mlflow/gateway-proxy
    POST /3.0/mlflow/gateway/budgets/create
    DELETE /3.0/mlflow/gateway/budgets/delete
    GET /3.0/mlflow/gateway/budgets/get
    GET /3.0/mlflow/gateway/budgets/list
    POST /3.0/mlflow/gateway/budgets/update
    GET /3.0/mlflow/gateway/budgets/windows
    POST /3.0/mlflow/gateway/endpoints/bindings/create
    DELETE /3.0/mlflow/gateway/endpoints/bindings/delete
    GET /3.0/mlflow/gateway/endpoints/bindings/list
    POST /3.0/mlflow/gateway/endpoints/create
    DELETE /3.0/mlflow/gateway/endpoints/delete
    DELETE /3.0/mlflow/gateway/endpoints/delete-tag
    GET /3.0/mlflow/gateway/endpoints/get
    GET /3.0/mlflow/gateway/endpoints/list
    POST /3.0/mlflow/gateway/endpoints/models/attach
    POST /3.0/mlflow/gateway/endpoints/models/detach
    POST /3.0/mlflow/gateway/endpoints/set-tag
    POST /3.0/mlflow/gateway/endpoints/update
    POST /3.0/mlflow/gateway/guardrails/add-to-endpoint
    POST /3.0/mlflow/gateway/guardrails/create
    DELETE /3.0/mlflow/gateway/guardrails/delete
    GET /3.0/mlflow/gateway/guardrails/get
    GET /3.0/mlflow/gateway/guardrails/list
    GET /3.0/mlflow/gateway/guardrails/list-for-endpoint
    DELETE /3.0/mlflow/gateway/guardrails/remove-from-endpoint
    PATCH /3.0/mlflow/gateway/guardrails/update-config
    POST /3.0/mlflow/gateway/model-definitions/create
    DELETE /3.0/mlflow/gateway/model-definitions/delete
    GET /3.0/mlflow/gateway/model-definitions/get
    GET /3.0/mlflow/gateway/model-definitions/list
    POST /3.0/mlflow/gateway/model-definitions/update
    GET /3.0/mlflow/gateway/provider-config
    GET /3.0/mlflow/gateway/secrets/config
    POST /3.0/mlflow/gateway/secrets/create
    DELETE /3.0/mlflow/gateway/secrets/delete
    GET /3.0/mlflow/gateway/secrets/get
    GET /3.0/mlflow/gateway/secrets/list
    POST /3.0/mlflow/gateway/secrets/update
    GET /3.0/mlflow/gateway/supported-models
    GET /3.0/mlflow/gateway/supported-providers
    `,
  ),
};
