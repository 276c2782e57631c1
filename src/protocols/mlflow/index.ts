export { createMlflowProtocol, type MlflowProtocol, mlflowVersion } from './mlflow-protocol.ts';
