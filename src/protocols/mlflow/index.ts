export { createMlflowProtocol, type MlflowProtocol } from './mlflow-protocol.ts';
