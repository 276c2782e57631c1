import type { Area } from './endpoint.ts';

const at = '/2.0/mlflow/experiments';

export const experiments: Area = {
  title: 'Experiments',
  endpoints: [
    {
      call: `POST ${at}/create`,
      state: 'supported',
      note: 'Ids count from 1 in each project; experiment 0, "Default", is in each. The refusal of a name that is taken holds no SQL.',
    },
    { call: `GET ${at}/get`, state: 'supported' },
    { call: `GET ${at}/get-by-name`, state: 'supported' },
    { call: `POST ${at}/search`, state: 'supported' },
    { call: `GET ${at}/search`, state: 'supported' },
    { call: `POST ${at}/delete`, state: 'supported' },
    { call: `POST ${at}/restore`, state: 'supported' },
    {
      call: `POST ${at}/update`,
      state: 'differs',
      note: 'Renaming a deleted experiment is refused with 400: MLflow answers 500, which clients repeat for minutes.',
    },
    { call: `POST ${at}/set-experiment-tag`, state: 'supported' },
    { call: `POST ${at}/delete-experiment-tag`, state: 'supported', older: '2.9, 2.22 and 3.1 have no such call.' },
    {
      call: `POST ${at}/search-datasets`,
      state: 'supported',
      note: 'Under `/ajax-api` alone in MLflow, for its web pages.',
    },
  ],
};
