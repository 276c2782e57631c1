import type { Datatype, TensorSignature } from '#contracts/tensor';
import type { Endpoint } from '../endpoint.ts';
import type { InferRequest } from '../infer-request.ts';
import type { LiveRevision } from '../live-revision.ts';
import { revisionOf, servingOf } from '../model-versions.ts';
import { sendBody, sendJson } from '../rest/answers.ts';
import type { FormatBytes } from '../rest/infer-response.ts';
import { createPredict, marksOf } from '../rest/predict-call.ts';
import type { RestCall, RestRoute } from '../rest/rest-route.ts';
import type { RestServices } from '../rest/rest-services.ts';
import { servingErrors } from '../serving-errors.ts';
import { readParameters, tableRequest } from './invocation-body.ts';
import { type PredictForm, readPredict, signatureName } from './predict-body.ts';
import { formatNested, formatOutputs, formatPredictions } from './predictions-text.ts';

/** As TensorFlow Serving takes them: an object, which no text is. */
const toB64: FormatBytes = (bytes) => `{"b64":"${Buffer.from(bytes).toString('base64')}"}`;

const model = '/v1/models/{model}';
const versioned = `${model}[/versions/{version}]`;
const labelled = `${model}/labels/{label}`;

/** TensorFlow Serving's REST, and KServe's first protocol, which is its `:predict` and two calls of its own. */
export function createPredictRoutes(services: RestServices): readonly RestRoute[] {
  const { endpoints } = services;
  const predict = createPredict(services);

  async function predictRows(call: RestCall): Promise<void> {
    const { parsed, inference } = await predict(
      call,
      (body, endpoint): InferRequest & { readonly form: () => PredictForm } => {
        let form: PredictForm = 'instances';
        const request = tableRequest(
          revisionOf(endpoint, call.version).signature,
          readParameters(body, 'parameters'),
          (wanted) => {
            const table = readPredict(body, wanted);
            form = table.form;
            return table.inputs;
          },
        );
        return { ...request, form: () => form };
      },
    );
    const { outputs } = inference;
    const [only] = outputs;
    const text =
      parsed.form() === 'instances'
        ? `{"predictions":${formatPredictions(outputs, false, toB64)}}`
        : `{"outputs":${only !== undefined && outputs.length === 1 ? formatNested(only, toB64) : formatOutputs(outputs, toB64)}}`;
    await sendBody(call, text, ['content-type', 'application/json', ...marksOf(inference)]);
  }

  const found = ({ project, model: name, request }: RestCall): Endpoint =>
    endpoints.find(project, name, request).endpoint;

  const refuse = (path: string, method: 'GET' | 'POST', refusal: () => Error): RestRoute => ({
    method,
    path,
    handle(call) {
      found(call); // who may not call it is told that instead
      throw refusal();
    },
  });
  const absent = (['classify', 'regress', 'explain'] as const).flatMap((verb) => [
    refuse(`${versioned}:${verb}`, 'POST', () => servingErrors.VERB_NOT_YET(verb)),
  ]);

  return [
    { method: 'POST', path: `${versioned}:predict`, handle: predictRows },
    ...absent,
    ...(['predict', 'classify', 'regress'] as const).map((verb) =>
      refuse(`${labelled}:${verb}`, 'POST', servingErrors.LABELS_NOT_YET),
    ),
    refuse(`${labelled}[/metadata]`, 'GET', servingErrors.LABELS_NOT_YET),
    {
      method: 'GET',
      path: '/v1/models',
      handle({ request, response, project }) {
        const names = endpoints.list(request).filter((endpoint) => endpoint.project === project);
        sendJson(response, 200, { models: names.map(({ name }) => name) });
      },
    },
    {
      method: 'GET',
      path: `${versioned}/metadata`,
      handle(call) {
        sendJson(call.response, 200, describeMetadata(call.model, revisionOf(found(call), call.version)));
      },
    },
    {
      method: 'GET',
      path: versioned,
      handle(call) {
        sendJson(call.response, 200, describeStatus(found(call), call.version));
      },
    },
  ];
}

/** TensorFlow Serving's status beside KServe's `name` and `ready`. */
function describeStatus(endpoint: Endpoint, version: string | undefined) {
  const serving = servingOf(endpoint);
  const wanted = version === undefined ? [...serving.revisions.values()] : [revisionOf(endpoint, version)];
  return {
    name: endpoint.name,
    ready: true,
    model_version_status: wanted.map((revision) => ({
      version: revision.version,
      state: 'AVAILABLE',
      status: { error_code: 'OK', error_message: '' },
    })),
  };
}

const dataTypes: Readonly<Record<Datatype, string>> = {
  BOOL: 'DT_BOOL',
  INT8: 'DT_INT8',
  INT16: 'DT_INT16',
  INT32: 'DT_INT32',
  INT64: 'DT_INT64',
  UINT8: 'DT_UINT8',
  UINT16: 'DT_UINT16',
  UINT32: 'DT_UINT32',
  UINT64: 'DT_UINT64',
  FP16: 'DT_HALF',
  BF16: 'DT_BFLOAT16',
  FP32: 'DT_FLOAT',
  FP64: 'DT_DOUBLE',
  BYTES: 'DT_STRING',
};

const describeTensors = (tensors: readonly TensorSignature[]) =>
  Object.fromEntries(
    tensors.map((tensor) => [
      tensor.name,
      {
        dtype: dataTypes[tensor.datatype],
        tensor_shape: {
          dim: tensor.shape.map((dimension) => ({ size: String(dimension), name: '' })),
          unknown_rank: false,
        },
        name: tensor.name,
      },
    ]),
  );

function describeMetadata(name: string, { version, signature }: LiveRevision) {
  return {
    model_spec: { name, signature_name: '', version },
    metadata: {
      signature_def: {
        signature_def: {
          [signatureName]: {
            inputs: describeTensors(signature.inputs),
            outputs: describeTensors(signature.outputs),
            method_name: 'tensorflow/serving/predict',
          },
        },
      },
    },
  };
}
