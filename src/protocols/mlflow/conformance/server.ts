import { type Area, endpoints } from './endpoint.ts';

export const server: Area = {
  title: 'The server and its workspaces',
  endpoints: [
    {
      call: 'GET /3.0/mlflow/server-info',
      state: 'supported',
      older: '2.9 and 2.22 do not ask; 3.1 does not either.',
    },
    ...endpoints(
      'not yet',
      `
      GET /3.0/mlflow/workspaces
      POST /3.0/mlflow/workspaces
      GET /3.0/mlflow/workspaces/:workspaceName
      PATCH /3.0/mlflow/workspaces/:workspaceName
      DELETE /3.0/mlflow/workspaces/:workspaceName
      `,
    ),
  ],
};

export const plainServer: Area = {
  title: 'The server, plain',
  plain: true,
  endpoints: [
    { call: 'GET /health', state: 'supported' },
    { call: 'GET /version', state: 'supported', note: 'Clients switch features on by it.' },
    { call: 'GET /graphql', state: 'not yet', note: 'Of the web pages.' },
    { call: 'POST /graphql', state: 'not yet', note: 'Of the web pages.' },
  ],
};
