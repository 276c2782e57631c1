import { defineErrors } from '#platform/errors';

export const servingErrors = defineErrors({
  REQUEST_MALFORMED: { kind: 'invalid', message: (reason: string) => reason },
  ENDPOINT_NOT_FOUND: {
    kind: 'not_found',
    message: (name: string, project: string, elsewhere: readonly string[], nearest: string | undefined) =>
      `project "${project}" serves no model "${name}"${
        elsewhere.length > 0
          ? `; it is at ${elsewhere.join(' and ')}`
          : nearest === undefined
            ? '; GET / lists what is served here'
            : `; did you mean "${nearest}"?`
      }`,
  },
  ENDPOINT_WITHOUT_MODEL: {
    kind: 'not_found',
    message: (name: string) => `model "${name}" has no version to answer with yet: none is deployed or loaded`,
  },
  ENDPOINT_LOADING: {
    kind: 'unavailable',
    message: (name: string) => `model "${name}" is being loaded; try again shortly`,
  },
  ENDPOINT_FAILED: {
    kind: 'unavailable',
    message: (name: string, reason: string) => `model "${name}" cannot answer: ${reason}`,
  },
  VERSION_NOT_FOUND: {
    kind: 'not_found',
    message: (name: string, version: string, known: string) =>
      `model "${name}" has no version "${version}" here; it has ${known}`,
  },
  SHARED_MEMORY_NOT_YET: {
    kind: 'invalid',
    message: () => 'shared memory is not there yet; send tensors in the body, as binary data where speed counts',
  },
  SEQUENCES_NOT_YET: {
    kind: 'invalid',
    message: () => 'sequence batching is not there yet; send each request by itself, without a sequence_id',
  },
  MODELS_ARE_MANAGED: {
    kind: 'invalid',
    message: (what: string) =>
      `this server does not ${what} on request: its models are those that the control plane deploys; declare them under "deployments" in tidemill.yaml and run: tidemill apply`,
    help: 'A version comes and goes with the traffic that a deployment or a rollout gives it.',
  },
  MODELS_ARE_FIXED: {
    kind: 'invalid',
    message: (what: string) =>
      `this server does not ${what} on request: it was started so; --model-control on has it do that`,
    help: 'On by itself where it listens on this machine alone.',
  },
  SETTINGS_ARE_FIXED: {
    kind: 'invalid',
    message: (what: string) => `${what} are only read here; they are set where the server is started`,
  },
  WARM_UP_FAILED: {
    kind: 'invalid',
    message: (what: string, reason: string) => `its warm-up with ${what}, failed: ${reason}`,
    help: 'The revision gets no traffic. Register a version whose example its model can answer, or one without an example.',
  },
  NOT_GENERATIVE: { kind: 'invalid', message: (reason: string) => reason },
  OUTPUT_NOT_JSON: {
    kind: 'invalid',
    message: () =>
      'an output has bytes that are no UTF-8, which JSON cannot carry; ask for it as binary data: "parameters": { "binary_data_output": true }, or { "binary_data": true } for that output, or over gRPC',
  },
  NO_MODEL: { kind: 'not_found', message: () => 'this server has no model yet' },
  NOT_READY: { kind: 'unavailable', message: (reason: string) => reason },
  MODEL_NOT_CHOSEN: {
    kind: 'invalid',
    message: (paths: readonly string[]) =>
      `this server has ${paths.length} models; say which one by its path: ${paths.slice(0, 20).join(', ')}${
        paths.length > 20 ? ', …' : ''
      }`,
  },
  LABELS_NOT_YET: {
    kind: 'invalid',
    message: () =>
      'labels of versions are not known here; name a version, or none: then the traffic of the deployment decides',
  },
  VERB_NOT_YET: {
    kind: 'invalid',
    message: (verb: string) => `:${verb} is not answered here; ask for the tensors by :predict`,
  },
  PATH_NOT_FOUND: { kind: 'not_found', message: (path: string) => `there is nothing at ${path}` },
  BODY_TOO_LARGE: { kind: 'too_large', message: (limit: number) => `the body is longer than ${limit} bytes` },
  TOKEN_MISSING: { kind: 'unauthenticated', message: () => 'this model needs a token: Authorization: Bearer <token>' },
  TOKEN_UNKNOWN: { kind: 'unauthenticated', message: () => 'the token is not one that this model accepts' },
  TOKEN_ENDED: { kind: 'unauthenticated', message: () => 'the token has ended; ask for a new one' },
  ENDPOINT_CLOSED: {
    kind: 'unauthenticated',
    message: () => 'this model has no tokens, and without them it answers on a loopback address only',
  },
  HOST_NOT_ALLOWED: {
    kind: 'forbidden',
    message: (host: string) => `the Host or Origin "${host}" is not one of this server`,
  },
  SERVER_BUSY: {
    kind: 'unavailable',
    message: (budgetBytes: number) =>
      `the requests and answers under way hold all ${budgetBytes} bytes that they may; try again shortly`,
    help: 'The data plane takes more with --request-memory-bytes.',
  },
  BODY_TOO_SLOW: {
    kind: 'timeout',
    message: () => 'the body did not come to its end in time',
  },
  DRAINING: { kind: 'unavailable', message: () => 'the server is stopping' },
  RATE_LIMITED: {
    kind: 'rate_limited',
    message: (waitMs: number) => `this caller sends more requests than the model's limit allows; wait ${waitMs} ms`,
    details: (waitMs: number) => ({ retryAfterMs: waitMs }),
  },
  MODEL_NOT_RELOADED: {
    kind: 'unavailable',
    message: (name: string, reason: string) => `${name} had left the memory and could not be loaded again: ${reason}`,
  },
  SPOOL_FULL: {
    kind: 'unavailable',
    message: () => 'the prediction could not be recorded and this model refuses to answer unrecorded',
  },
  FILE_DIGEST_MISMATCH: {
    kind: 'internal',
    message: (digest: string, actual: string) =>
      `the file ${digest} has the digest ${actual}: it was damaged on the way or on disk, and is fetched again`,
  },
  LOCAL_MODELS_MISSING: {
    kind: 'invalid',
    message: (path: string, reason: string) =>
      `no model at ${path}: ${reason}; it takes a file (.onnx, .joblib, .pkl, .ubj, .xgb, .bst, .lgb), the folder of a model (MLmodel, model-settings.json, config.pbtxt, <number>/model.onnx, graph.yaml, model.py, command.json), or a folder of these`,
  },
  LOCAL_FOLDER_EMPTY: {
    kind: 'invalid',
    message: (path: string) =>
      `no model at ${path}: nothing in it is a model; it takes files (.onnx, .joblib, .pkl, .ubj, .xgb, .bst, .lgb) and folders of models (MLmodel, model-settings.json, config.pbtxt, <number>/model.onnx, graph.yaml, model.py, command.json, or one such file)`,
    help: 'With --no-models a folder may be empty.',
  },
  MODEL_OVERRIDE_NOT_YET: {
    kind: 'invalid',
    message: () =>
      'a model is loaded as it lies in the folder: "config" and "file:…" of a load are not there yet; write them into the folder and load it again',
  },
  LOCAL_MODEL_UNKNOWN: {
    kind: 'invalid',
    message: (name: string, known: readonly string[], nearest: string | undefined) =>
      `there is no model "${name}"; ${nearest === undefined ? `there is ${known.join(', ')}` : `did you mean "${nearest}"?`}`,
  },
  LOCAL_MODEL_FAILED: {
    kind: 'invalid',
    message: (name: string, reason: string) => `model "${name}" cannot be loaded: ${reason}`,
  },
  LOCAL_HOME_IN_USE: {
    kind: 'conflict',
    message: (folder: string, holder: string) =>
      `${folder} is used by ${holder}; end that, or give this one another folder with --home`,
  },
  PORT_IN_USE: {
    kind: 'conflict',
    message: (host: string, port: number) =>
      `port ${port} on ${host} is in use; choose another with --serving-port or --grpc-port, or end what listens there`,
  },
  CONTROL_PLANE_UNREACHABLE: { kind: 'unavailable', message: (what: string, reason: string) => `${what}: ${reason}` },
});
