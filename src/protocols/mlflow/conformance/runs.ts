import type { Area } from './endpoint.ts';

const at = '/2.0/mlflow/runs';

export const runs: Area = {
  title: 'Runs, metrics, params and tags',
  endpoints: [
    {
      call: `POST ${at}/create`,
      state: 'differs',
      note: 'Without `experiment_id` the refusal names the field; MLflow answers with the text of an SQL error. Without `start_time` a run starts now, in MLflow in 1970.',
    },
    { call: `GET ${at}/get`, state: 'supported' },
    { call: `POST ${at}/update`, state: 'supported' },
    { call: `POST ${at}/delete`, state: 'supported', note: 'May be sent again, as in MLflow; so may the next.' },
    { call: `POST ${at}/restore`, state: 'supported' },
    {
      call: `POST ${at}/search`,
      state: 'differs',
      note: 'NaN is not less than, equal to or greater than a number, as `!=` it matches; MLflow compares it as 0. A page token belongs to its order: with another it is refused.',
    },
    {
      call: `POST ${at}/log-metric`,
      state: 'differs',
      note: 'Numbers that are none, times with a fraction and logged models that are not there are refused, each by its name, and so are steps and times beyond ±(2^53 − 1), which JSON does not hold exactly.',
      older: '2.9 and 2.22 send no `model_id`, `dataset_name`, `dataset_digest`.',
    },
    {
      call: `POST ${at}/log-batch`,
      state: 'differs',
      note: 'All or nothing: MLflow keeps the params of a batch whose metrics or tags it refuses. Values of the wrong type are refused, where MLflow ignores or stores nothing for them.',
    },
    { call: `POST ${at}/log-parameter`, state: 'supported' },
    { call: `POST ${at}/set-tag`, state: 'supported' },
    { call: `POST ${at}/delete-tag`, state: 'supported' },
    {
      call: `POST ${at}/log-inputs`,
      state: 'differs',
      note: 'A data set without name, digest or source type, and a model without id, is refused: MLflow stores empty ones.',
      older: '2.9 and 2.22 send no `models`.',
    },
    {
      call: `POST ${at}/outputs`,
      state: 'differs',
      note: 'May be sent again: MLflow answers the second with the text of an SQL error.',
      older: '2.9 and 2.22 have no such call.',
    },
    {
      call: `POST ${at}/log-model`,
      state: 'supported',
      older: '2.9 and 2.22 send it with each `log_model`; 3.1 and the newest make a logged model instead.',
    },
    {
      call: 'GET /2.0/mlflow/metrics/get-history',
      state: 'differs',
      note: 'A page token names the place where the page ended, not a number: points logged meanwhile are neither left out nor told twice. A run that is not there is 404: MLflow answers an empty history.',
    },
    {
      call: 'GET /2.0/mlflow/metrics/get-history-bulk',
      state: 'supported',
      note: 'Under `/ajax-api` alone in MLflow, for its web pages.',
    },
    {
      call: 'GET /2.0/mlflow/metrics/get-history-bulk-interval',
      state: 'differs',
      note: 'Of more than 20,000 points those at evenly spaced steps are answered, not evenly many points between two: so a million points are not read for three hundred.',
    },
  ],
};
