import { type Area, endpoints } from './endpoint.ts';

export const webhooks: Area = {
  title: 'Webhooks',
  endpoints: endpoints(
    'not yet',
    `
    POST /2.0/mlflow/webhooks
    GET /2.0/mlflow/webhooks
    GET /2.0/mlflow/webhooks/:webhookId
    PATCH /2.0/mlflow/webhooks/:webhookId
    DELETE /2.0/mlflow/webhooks/:webhookId
    POST /2.0/mlflow/webhooks/:webhookId/test
    `,
  ),
};

export const scorers: Area = {
  title: 'Scorers',
  endpoints: endpoints(
    'not yet',
    `
    POST /3.0/mlflow/scorers/register
    GET /3.0/mlflow/scorers/list
    GET /3.0/mlflow/scorers/versions
    GET /3.0/mlflow/scorers/get
    DELETE /3.0/mlflow/scorers/delete
    GET /3.0/mlflow/scorers/online-configs
    PUT /3.0/mlflow/scorers/online-config
    `,
  ),
};

export const evaluationDatasets: Area = {
  title: 'Evaluation data sets',
  endpoints: endpoints(
    'not yet',
    `
    POST /3.0/mlflow/datasets/create
    GET /3.0/mlflow/datasets/search
    POST /3.0/mlflow/datasets/search
    GET /3.0/mlflow/datasets/:datasetId
    DELETE /3.0/mlflow/datasets/:datasetId
    GET /3.0/mlflow/datasets/:datasetId/records
    POST /3.0/mlflow/datasets/:datasetId/records
    DELETE /3.0/mlflow/datasets/:datasetId/records
    PATCH /3.0/mlflow/datasets/:datasetId/tags
    DELETE /3.0/mlflow/datasets/:datasetId/tags/:key
    GET /3.0/mlflow/datasets/:datasetId/experiment-ids
    POST /3.0/mlflow/datasets/:datasetId/add-experiments
    POST /3.0/mlflow/datasets/:datasetId/remove-experiments
    `,
  ),
};
