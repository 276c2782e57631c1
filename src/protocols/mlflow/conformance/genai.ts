import { type Area, endpoints } from './endpoint.ts';

export const webhooks: Area = {
  title: 'Webhooks',
  about:
    "Over the queue, the sender and the delivery log of our own webhooks, in MLflow's format and with its signature. Secrets are kept encrypted and never answered. An address inside a private network, or plain http, needs `--webhook-hosts`.",
  endpoints: [
    {
      call: 'POST /2.0/mlflow/webhooks',
      state: 'differs',
      note: 'retried for two hours with the same delivery id, over restarts, each attempt signed with its own time (MLflow: 3 tries from memory); a host that cannot be looked up now is taken, since it may be found later',
    },
    ...endpoints(
      'supported',
      `
      GET /2.0/mlflow/webhooks
      GET /2.0/mlflow/webhooks/:webhookId
      PATCH /2.0/mlflow/webhooks/:webhookId
      DELETE /2.0/mlflow/webhooks/:webhookId
      `,
    ),
    {
      call: 'POST /2.0/mlflow/webhooks/:webhookId/test',
      state: 'differs',
      note: 'redirects are not followed: whoever is behind one was not checked; of the answer 4 KiB are told',
    },
  ],
};

export const scorers: Area = {
  title: 'Scorers',
  about: 'Kept and handed out; none is ever run here.',
  endpoints: [
    {
      call: 'POST /3.0/mlflow/scorers/register',
      state: 'differs',
      note: 'a version number is never given twice; there is no gateway, so that a judge of `gateway:/…` is refused as one whose endpoint MLflow does not find',
    },
    ...endpoints(
      'supported',
      `
      GET /3.0/mlflow/scorers/list
      GET /3.0/mlflow/scorers/versions
      GET /3.0/mlflow/scorers/get
      DELETE /3.0/mlflow/scorers/delete
      GET /3.0/mlflow/scorers/online-configs
      `,
    ),
    {
      call: 'PUT /3.0/mlflow/scorers/online-config',
      state: 'differs',
      note: 'a sample rate above 0 is refused as of a scorer without a gateway model: nothing would look at the traffic',
    },
  ],
};

export const evaluationDatasets: Area = {
  title: 'Evaluation data sets',
  endpoints: [
    {
      call: 'POST /3.0/mlflow/datasets/create',
      state: 'differs',
      note: 'an experiment that does not exist is refused with 404 (MLflow links to it)',
    },
    ...endpoints(
      'supported',
      `
      GET /3.0/mlflow/datasets/search
      POST /3.0/mlflow/datasets/search
      GET /3.0/mlflow/datasets/:datasetId
      DELETE /3.0/mlflow/datasets/:datasetId
      GET /3.0/mlflow/datasets/:datasetId/records
      `,
    ),
    {
      call: 'POST /3.0/mlflow/datasets/:datasetId/records',
      state: 'differs',
      note: 'a record that cannot be kept is refused with its number, and none of the request is kept (MLflow: 500); numbers come back as they were written',
    },
    ...endpoints(
      'supported',
      `
      DELETE /3.0/mlflow/datasets/:datasetId/records
      PATCH /3.0/mlflow/datasets/:datasetId/tags
      DELETE /3.0/mlflow/datasets/:datasetId/tags/:key
      GET /3.0/mlflow/datasets/:datasetId/experiment-ids
      POST /3.0/mlflow/datasets/:datasetId/add-experiments
      POST /3.0/mlflow/datasets/:datasetId/remove-experiments
      `,
    ),
  ],
};
