export { foreignMlflowErrors, renderMlflowError } from './mlflow-errors.ts';
export { createMlflowProtocol, type MlflowProtocol } from './mlflow-protocol.ts';
export { createMlflowWebhookFormat } from './webhook-format.ts';
export { workspaceHeader } from './workspace-header.ts';
