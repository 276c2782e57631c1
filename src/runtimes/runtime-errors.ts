import { defineErrors } from '#platform/errors';

export const runtimeErrors = defineErrors({
  MODEL_LOAD_FAILED: {
    kind: 'invalid',
    message: (reason: string) => `the model cannot be loaded: ${reason}`,
    help: 'An ONNX model must be one that onnxruntime reads; for models in Python see docs/python-models.md. What the model itself printed is in the log of the data plane.',
  },
  MODEL_SIGNATURE_MISMATCH: {
    kind: 'invalid',
    message: (reason: string) => `the declared signature does not fit the model: ${reason}`,
    help: 'Register the version again with the signature of the model that was exported.',
  },
  MODEL_RUN_FAILED: { kind: 'internal', message: (reason: string) => `the model failed: ${reason}` },
  MODEL_UNLOADED: { kind: 'unavailable', message: () => 'the model is not loaded any more; send the request again' },
  MODEL_WORKER_LOST: {
    kind: 'unavailable',
    message: (reason: string) => `what ran the model ended while it ran (${reason}); send the request again`,
  },
  MODEL_ENVIRONMENT_FAILED: {
    kind: 'unavailable',
    message: (from: string, reason: string, remedy: string) =>
      `the Python environment of the model (${from}) cannot be built: ${reason}. ${remedy}`,
    help: 'It is tried again from time to time, since an index may be out of reach; docs/python-models.md says what is read.',
  },
  MODEL_QUEUE_FULL: {
    kind: 'unavailable',
    message: (waiting: number) => `the model has ${waiting} requests waiting; send the request again later`,
  },
  MODEL_QUEUE_TIMEOUT: {
    kind: 'timeout',
    message: (timeoutMs: number) => `the request waited ${timeoutMs} ms for the model and was given up`,
  },
  DEADLINE_PASSED: {
    kind: 'timeout',
    message: (waitedMs: number) =>
      `the request's own deadline passed after it had waited ${waitedMs} ms; it was not run`,
  },
  REQUEST_ABANDONED: { kind: 'timeout', message: () => 'the client went away before the model ran; nothing was run' },
  INPUT_INVALID: { kind: 'invalid', message: (reason: string) => reason },
});
