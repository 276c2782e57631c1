/**
 * Has libraries of machine learning in a child report to nobody: onnxruntime and MLflow send what they are used for to their
 * makers unless they are told not to. A child inherits nothing, so that a refusal in the user's own environment would be lost.
 */
export const quietLibraries: Readonly<Record<string, string>> = {
  MLFLOW_DISABLE_TELEMETRY: 'true',
  ORT_DISABLE_TELEMETRY: '1',
  DO_NOT_TRACK: 'true',
};
