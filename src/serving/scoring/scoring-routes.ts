import type { ErrorKind } from '#platform/errors';
import type { InferRequest } from '../infer-request.ts';
import { revisionOf } from '../model-versions.ts';
import { sendBody } from '../rest/answers.ts';
import type { FormatBytes } from '../rest/infer-response.ts';
import { createPredict, marksOf } from '../rest/predict-call.ts';
import type { RestCall, RestResponse, RestRoute } from '../rest/rest-route.ts';
import type { RestServices } from '../rest/rest-services.ts';
import { servingErrors } from '../serving-errors.ts';
import { readInvocation, readInvocationCsv, readParameters, tableRequest } from './invocation-body.ts';
import { findMediaProblem, mediaTypeOf } from './media-type.ts';
import { formatPredictions } from './predictions-text.ts';

/** The MLflow whose scoring server this answers like; what `/version` tells its clients. */
const mlflowVersion = '3.17.2';

/** As MLflow answers bytes. */
const toBase64: FormatBytes = (bytes) => `"${Buffer.from(bytes).toString('base64')}"`;

/** MLflow's scoring protocol, as `mlflow models serve` and `mlflow.deployments` have it. */
export function createScoringRoutes(services: RestServices): readonly RestRoute[] {
  const { endpoints } = services;
  const predict = createPredict(services);

  async function invoke(call: RestCall): Promise<void> {
    const type = mediaTypeOf(call.request.headers['content-type']);
    const problem = findMediaProblem(type);
    if (problem !== undefined) {
      const refusal = JSON.stringify(formatRefusal('invalid', problem));
      return sendText(call.response, 415, refusal, 'application/json');
    }
    const { inference } = await predict(call, (body, endpoint): InferRequest => {
      const { signature } = revisionOf(endpoint, call.version);
      return type.name === 'text/csv'
        ? tableRequest(signature, {}, (wanted) => readInvocationCsv(body, wanted))
        : tableRequest(signature, readParameters(body, 'params'), (wanted) => readInvocation(body, wanted));
    });
    const text = `{"predictions":${formatPredictions(inference.outputs, true, toBase64)}}`;
    await sendBody(call, text, ['content-type', 'application/json', ...marksOf(inference)]);
  }

  /** The only model that the caller may call: its place is the root, as that of a server of one model is. */
  function onlyModel({ request }: RestCall): Pick<RestCall, 'project' | 'model'> {
    const [only, ...others] = endpoints.list(request);
    if (only === undefined) throw servingErrors.NO_MODEL();
    if (others.length > 0)
      throw servingErrors.MODEL_NOT_CHOSEN([only, ...others].map((endpoint) => invocationsOf(endpoint)));
    return { project: only.project, model: only.name };
  }

  /** Ready like the process; where there is one model, when that one answers. */
  function ping({ request, response }: RestCall): void {
    const reason = services.unreadiness();
    if (reason !== undefined) throw servingErrors.NOT_READY(reason);
    const [only, ...others] = endpoints.show(request);
    if (only !== undefined && others.length === 0) revisionOf(only, undefined);
    sendText(response, 200, '\n', 'application/json');
  }

  return [
    { method: 'POST', path: '/endpoints/{model}/invocations', handle: invoke, formatRefusal, mayBePlain: true },
    {
      method: 'POST',
      path: '/invocations',
      rootOnly: true,
      handle: (call) => invoke({ ...call, ...onlyModel(call) }),
      formatRefusal,
      mayBePlain: true,
    },
    { method: 'GET', path: '/ping', rootOnly: true, handle: ping, formatRefusal },
    { method: 'GET', path: '/health', rootOnly: true, handle: ping, formatRefusal },
    {
      method: 'GET',
      path: '/version',
      rootOnly: true,
      handle: ({ response }) => sendText(response, 200, mlflowVersion, 'application/json'),
    },
  ];
}

const invocationsOf = ({ project, name }: { readonly project: string; readonly name: string }): string =>
  `${project === 'default' ? '' : `/projects/${encodeURIComponent(project)}`}/endpoints/${encodeURIComponent(name)}/invocations`;

function sendText(response: RestResponse, status: number, text: string, type: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(text, 'utf8');
}

const codes: Readonly<Record<ErrorKind, string>> = {
  invalid: 'BAD_REQUEST',
  unauthenticated: 'UNAUTHENTICATED',
  forbidden: 'PERMISSION_DENIED',
  not_found: 'RESOURCE_DOES_NOT_EXIST',
  conflict: 'RESOURCE_CONFLICT',
  too_large: 'BAD_REQUEST',
  rate_limited: 'REQUEST_LIMIT_EXCEEDED',
  unavailable: 'TEMPORARILY_UNAVAILABLE',
  timeout: 'DEADLINE_EXCEEDED',
  internal: 'INTERNAL_ERROR',
};

/** As MLflow's clients read a refusal; without its stack. */
const formatRefusal = (kind: ErrorKind, message: string) => ({ error_code: codes[kind], message });
