import type { Area } from './endpoint.ts';

const proxy = '/2.0/mlflow-artifacts';
const putInstead = 'Refused in the words on which clients put the file whole.';

export const artifacts: Area = {
  title: 'Artifacts',
  endpoints: [
    { call: 'GET /2.0/mlflow/artifacts/list', state: 'supported' },
    { call: 'GET /2.0/mlflow/logged-models/:modelId/artifacts/directories', state: 'supported' },
    {
      call: 'GET /2.0/mlflow/logged-models/:modelId/artifacts/files',
      state: 'not yet',
      note: 'Under `/ajax-api` alone in MLflow, for its web pages.',
    },
    { call: `GET ${proxy}/artifacts`, state: 'supported' },
    { call: `GET ${proxy}/artifacts/*`, state: 'supported' },
    { call: `PUT ${proxy}/artifacts/*`, state: 'supported' },
    { call: `DELETE ${proxy}/artifacts/*`, state: 'supported' },
    { call: `POST ${proxy}/mpu/create/*`, state: 'not yet', note: putInstead },
    { call: `POST ${proxy}/mpu/complete/*`, state: 'not yet', note: putInstead },
    { call: `POST ${proxy}/mpu/abort/*`, state: 'not yet', note: putInstead },
    { call: `GET ${proxy}/presigned/*`, state: 'not yet' },
    { call: 'POST /2.0/mlflow/artifacts/presigned-download-url', state: 'not yet' },
    { call: 'POST /2.0/mlflow/artifacts/presigned-upload-url', state: 'not yet' },
    { call: 'POST /2.0/mlflow/upload-artifact', state: 'not yet', note: 'Of the web pages.' },
  ],
};

export const artifactPages: Area = {
  title: 'Artifacts, as links of web pages',
  plain: true,
  endpoints: [
    { call: 'GET /get-artifact', state: 'supported', older: '`run_uuid` in the place of `run_id`.' },
    { call: 'GET /model-versions/get-artifact', state: 'supported' },
  ],
};
