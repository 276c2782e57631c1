import type { InferRequest } from '../infer-request.ts';
import type { Inference } from '../inference.ts';
import { revisionOf } from '../model-versions.ts';
import { sendBody, sendEvents } from './answers.ts';
import { formatGenerated, parseGenerateRequest } from './generate-body.ts';
import { type InferBody, parseHeaderBytes, parseInferRequest } from './infer-body.ts';
import { formatBinaryResponse, formatInferResponse } from './infer-response.ts';
import { createPredict, marksOf } from './predict-call.ts';
import type { RestCall, RestRoute } from './rest-route.ts';
import type { RestServices } from './rest-services.ts';

const path = '/v2/models/{model}[/versions/{version}]';
const json = 'application/json';

/** Predictions: `infer`, and `generate` for plain keys; each also as server-sent events. */
export function createInferRoutes(services: RestServices): readonly RestRoute[] {
  const predict = createPredict(services);

  async function infer(call: RestCall): Promise<void> {
    const header = call.request.headers['inference-header-content-length'] as string | undefined;
    const { parsed, inference } = await predict(call, (body) =>
      parseInferRequest(body, parseHeaderBytes(header, body.length)),
    );
    await sendInference(call, parsed, inference);
  }

  async function inferStream(call: RestCall): Promise<void> {
    const { parsed, inference } = await predict(call, (body) => parseInferRequest(body));
    sendEvents(
      call.response,
      [formatInferResponse(headOf(call, parsed, inference), inference.outputs)],
      marksOf(inference),
    );
  }

  const predictGenerated = (call: RestCall) =>
    predict(call, (body, endpoint) => parseGenerateRequest(body, revisionOf(endpoint, call.version).signature));

  return [
    { method: 'POST', path: `${path}/infer`, handle: infer, mayBePlain: true },
    { method: 'POST', path: `${path}/infer_stream`, handle: inferStream },
    {
      method: 'POST',
      path: `${path}/generate`,
      async handle(call) {
        const { parsed, inference } = await predictGenerated(call);
        const text = formatGenerated(headOf(call, parsed, inference), inference.outputs);
        await sendBody(call, text, ['content-type', json, ...marksOf(inference)]);
      },
    },
    {
      method: 'POST',
      path: `${path}/generate_stream`,
      async handle(call) {
        const { parsed, inference } = await predictGenerated(call);
        const text = formatGenerated(headOf(call, parsed, inference), inference.outputs);
        sendEvents(call.response, [text], marksOf(inference));
      },
    },
  ];
}

function sendInference(call: RestCall, { id, isBinary }: InferBody, inference: Inference): void | Promise<void> {
  const { revision, outputs } = inference;
  const head = { model: call.model, version: revision.version, id };
  const marks = marksOf(inference);
  if (!outputs.some(({ name }) => isBinary(name))) {
    const text = formatInferResponse(head, outputs);
    return sendBody(call, text, ['content-type', json, ...marks]);
  }
  const { body, headerBytes } = formatBinaryResponse(head, outputs, isBinary);
  return sendBody(call, body, [
    'content-type',
    'application/octet-stream',
    'inference-header-content-length',
    String(headerBytes),
    ...marks,
  ]);
}

const headOf = ({ model }: RestCall, { id }: InferRequest, { revision }: Inference) => ({
  model,
  version: revision.version,
  id,
});
