import type { Area } from './endpoint.ts';

const at = '/2.0/mlflow/logged-models';

export const loggedModels: Area = {
  title: 'Logged models',
  about: 'Clients before 3.0 know none of these.',
  endpoints: [
    { call: `POST ${at}`, state: 'supported' },
    { call: `GET ${at}/:modelId`, state: 'supported' },
    { call: `PATCH ${at}/:modelId`, state: 'supported' },
    { call: `DELETE ${at}/:modelId`, state: 'supported' },
    {
      call: `POST ${at}/search`,
      state: 'differs',
      note: 'A filter of `status`, as `READY` or as `LOGGED_MODEL_READY`, finds what has it: in MLflow it never matches.',
    },
    { call: `POST ${at}/:modelId/params`, state: 'supported' },
    { call: `PATCH ${at}/:modelId/tags`, state: 'supported' },
    { call: `DELETE ${at}/:modelId/tags/:key`, state: 'supported' },
  ],
};
