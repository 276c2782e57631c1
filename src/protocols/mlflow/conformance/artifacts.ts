import type { Area } from './endpoint.ts';

const proxy = '/2.0/mlflow-artifacts';
const everyPart = 'Every part that was announced must be named with its ETag: S3 would take a file with a hole in it.';
const ownUrls = 'A URL of S3 when blobs lie there, else a signed one of this server.';

export const artifacts: Area = {
  title: 'Artifacts',
  endpoints: [
    { call: 'GET /2.0/mlflow/artifacts/list', state: 'supported' },
    { call: 'GET /2.0/mlflow/logged-models/:modelId/artifacts/directories', state: 'supported' },
    {
      call: 'GET /2.0/mlflow/logged-models/:modelId/artifacts/files',
      state: 'supported',
      note: 'Under `/ajax-api` alone in MLflow, for its web pages.',
    },
    { call: `GET ${proxy}/artifacts`, state: 'supported' },
    { call: `GET ${proxy}/artifacts/*`, state: 'supported' },
    {
      call: `PUT ${proxy}/artifacts/*`,
      state: 'differs',
      note: 'A name with `\\` is refused with 400, here and wherever a path is given: on Windows, where artifacts are downloaded too, it would lead out of its folder.',
    },
    { call: `DELETE ${proxy}/artifacts/*`, state: 'supported' },
    {
      call: `POST ${proxy}/mpu/create`,
      state: 'differs',
      refused: true,
      note: 'Of no run or model: refused in the words on which clients put the file whole.',
      older: '2.9 sends it, since it leaves out the folder of the run.',
    },
    {
      call: `POST ${proxy}/mpu/create/*`,
      state: 'supported',
      older:
        '2.9 leaves out the folder of the run: refused, it puts the file whole to the right place; MLflow puts it beside all runs.',
    },
    { call: `POST ${proxy}/mpu/complete/*`, state: 'differs', note: everyPart },
    { call: `POST ${proxy}/mpu/abort/*`, state: 'supported' },
    { call: `PUT ${proxy}/mpu/parts/:uploadId/:part`, state: 'supported', note: 'Ours: where part URLs lead.' },
    {
      call: `GET ${proxy}/mpu/uploads/:uploadId`,
      state: 'supported',
      note: 'Ours: what of an upload has arrived, and new URLs for the rest, so that it can be gone on with.',
    },
    { call: `GET ${proxy}/presigned/*`, state: 'supported', note: ownUrls },
    {
      call: 'POST /2.0/mlflow/artifacts/presigned-download-url',
      state: 'differs',
      note: `MLflow refuses proxied artifacts. ${ownUrls}`,
    },
    {
      call: 'POST /2.0/mlflow/artifacts/presigned-upload-url',
      state: 'differs',
      note: 'MLflow refuses proxied artifacts. The URL leads to this server on S3 too: a file is named by its digest.',
    },
    { call: `GET ${proxy}/signed/*`, state: 'supported', note: 'Ours: where signed URLs lead.' },
    { call: `PUT ${proxy}/signed/*`, state: 'supported', note: 'Ours: where signed URLs lead.' },
    { call: 'POST /2.0/mlflow/upload-artifact', state: 'supported', note: 'Of the web pages; 10 MB at most.' },
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
