import type { Area } from './endpoint.ts';

const at = '/2.0/mlflow/runs';

export const runs: Area = {
  title: 'Runs, metrics, params and tags',
  endpoints: [
    {
      call: `POST ${at}/create`,
      state: 'differs',
      note: 'Without `experiment_id` the refusal names the field; MLflow answers with the text of an SQL error.',
    },
    { call: `GET ${at}/get`, state: 'supported' },
    { call: `POST ${at}/update`, state: 'supported' },
    { call: `POST ${at}/delete`, state: 'supported' },
    { call: `POST ${at}/restore`, state: 'supported' },
    { call: `POST ${at}/search`, state: 'supported' },
    {
      call: `POST ${at}/log-metric`,
      state: 'supported',
      older: '2.9 and 2.22 send no `model_id`, `dataset_name`, `dataset_digest`.',
    },
    {
      call: `POST ${at}/log-batch`,
      state: 'differs',
      note: 'All or nothing: MLflow keeps the params of a batch whose metrics or tags it refuses.',
    },
    { call: `POST ${at}/log-parameter`, state: 'supported' },
    { call: `POST ${at}/set-tag`, state: 'supported' },
    { call: `POST ${at}/delete-tag`, state: 'supported' },
    { call: `POST ${at}/log-inputs`, state: 'supported', older: '2.9 and 2.22 send no `models`.' },
    { call: `POST ${at}/outputs`, state: 'supported', older: '2.9 and 2.22 have no such call.' },
    {
      call: `POST ${at}/log-model`,
      state: 'supported',
      older: '2.9 and 2.22 send it with each `log_model`; 3.1 and the newest make a logged model instead.',
    },
    { call: 'GET /2.0/mlflow/metrics/get-history', state: 'supported' },
    {
      call: 'GET /2.0/mlflow/metrics/get-history-bulk',
      state: 'not yet',
      note: 'Under `/ajax-api` alone in MLflow, for its web pages.',
    },
    { call: 'GET /2.0/mlflow/metrics/get-history-bulk-interval', state: 'not yet' },
  ],
};
