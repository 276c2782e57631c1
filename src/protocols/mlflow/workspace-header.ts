/** In it clients name the project that they work in; Node.js has the names of headers in small letters. */
export const workspaceHeader = 'x-mlflow-workspace';
