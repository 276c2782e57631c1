import type { Area } from './endpoint.ts';

const models = '/2.0/mlflow/registered-models';
const versions = '/2.0/mlflow/model-versions';
const governed = 'An alias that promotions have moved is moved by hand only by those who may approve.';

export const registeredModels: Area = {
  title: 'Registered models',
  endpoints: [
    { call: `POST ${models}/create`, state: 'supported' },
    { call: `GET ${models}/get`, state: 'supported' },
    { call: `PATCH ${models}/update`, state: 'supported' },
    { call: `POST ${models}/rename`, state: 'supported' },
    { call: `DELETE ${models}/delete`, state: 'supported' },
    {
      call: `GET ${models}/search`,
      state: 'supported',
      note: 'Prompts show only to filters that name their tag.',
    },
    { call: `POST ${models}/get-latest-versions`, state: 'supported' },
    { call: `GET ${models}/get-latest-versions`, state: 'supported' },
    { call: `POST ${models}/set-tag`, state: 'supported' },
    { call: `DELETE ${models}/delete-tag`, state: 'supported' },
    { call: `POST ${models}/alias`, state: 'differs', note: governed },
    { call: `DELETE ${models}/alias`, state: 'differs', note: governed },
    { call: `GET ${models}/alias`, state: 'supported' },
  ],
};

export const modelVersions: Area = {
  title: 'Model versions',
  endpoints: [
    {
      call: `POST ${versions}/create`,
      state: 'differs',
      note: 'A number is never given twice, so that references to a version last: MLflow gives the number of a deleted highest version again. Paths of the disk of the server are always refused. `runs:/…` without a `run_id` is taken with the run that it names, and an address of `http` or `https` is kept as it is: MLflow refuses both.',
      older: '2.9 and 2.22 send no `model_id`, and `runs:/…` resolved to the place of the bytes.',
    },
    {
      call: `GET ${versions}/get`,
      state: 'differs',
      note: 'Answers `model_id`, which MLflow takes and does not return.',
    },
    { call: `PATCH ${versions}/update`, state: 'supported' },
    { call: `DELETE ${versions}/delete`, state: 'supported' },
    { call: `GET ${versions}/search`, state: 'supported' },
    { call: `GET ${versions}/get-download-uri`, state: 'supported' },
    { call: `POST ${versions}/set-tag`, state: 'supported' },
    { call: `DELETE ${versions}/delete-tag`, state: 'supported' },
    {
      call: `POST ${versions}/transition-stage`,
      state: 'differs',
      note: '`archive_existing_versions` into an inactive stage is refused with 400: MLflow answers 500, which clients repeat for minutes.',
    },
  ],
};
