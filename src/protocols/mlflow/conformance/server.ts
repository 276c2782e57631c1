import type { Area } from './endpoint.ts';

export const server: Area = {
  title: 'The server and its workspaces',
  about:
    'The header `X-MLFLOW-WORKSPACE: <project>` addresses a project as the prefix `/projects/<project>` does; both together must agree.',
  endpoints: [
    {
      call: 'GET /3.0/mlflow/server-info',
      state: 'supported',
      older: '2.9, 2.22 and 3.1 do not ask.',
    },
    { call: 'GET /3.0/mlflow/workspaces', state: 'supported', note: 'A workspace is a project.' },
    {
      call: 'POST /3.0/mlflow/workspaces',
      state: 'differs',
      note: 'A place of its own for artifacts, or for traces to be archived in, is refused: a project has none.',
    },
    { call: 'GET /3.0/mlflow/workspaces/:workspace_name', state: 'supported' },
    { call: 'PATCH /3.0/mlflow/workspaces/:workspace_name', state: 'supported' },
    {
      call: 'DELETE /3.0/mlflow/workspaces/:workspace_name',
      state: 'differs',
      refused: true,
      note: 'Refused with 501: projects are not removed, since events, lineage and audit go on naming them.',
    },
  ],
};

const graphql = "Answers 501: of MLflow's web pages alone, no client of Python, R or Java asks it.";

export const plainServer: Area = {
  title: 'The server, plain',
  plain: true,
  endpoints: [
    { call: 'GET /health', state: 'supported' },
    { call: 'GET /version', state: 'supported', note: 'Clients switch features on by it.' },
    { call: 'GET /graphql', state: 'not yet', note: graphql },
    { call: 'POST /graphql', state: 'not yet', note: graphql },
  ],
};
