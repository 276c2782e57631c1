import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { nearestName } from '#contracts/nearest-name';
import { servingHeaders } from '#contracts/serving';
import type { Clock } from '#platform/clock';
import { isAppError, kindTable } from '#platform/errors';
import type { Logger } from '#platform/log';
import type { Access } from './access.ts';
import type { Endpoint } from './endpoint.ts';
import type { EndpointTable } from './endpoint-table.ts';
import { parseInferRequest } from './infer-request.ts';
import { formatInferResponse } from './infer-response.ts';
import { findFailedInference, findVersion, type InferenceCore } from './inference.ts';
import { readBody } from './request-body.ts';
import { servingErrors } from './serving-errors.ts';
import { parseV2Path, pathOfModel, type V2Route } from './v2-paths.ts';

export interface HttpServerDeps {
  readonly table: EndpointTable;
  readonly core: InferenceCore;
  readonly access: Access;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly programVersion: string;
  /** Why the process is not ready; undefined when it is. */
  readonly unreadiness: () => string | undefined;
  readonly draining: () => boolean;
  /** The figures of these endpoints, as Prometheus reads them. */
  readonly metrics: (endpoints: readonly Endpoint[]) => string;
}

type ModelRoute = Extract<V2Route, { readonly model: string }>;

const defaultMaxBodyBytes = 16 * 1024 ** 2;
const json = 'application/json';
const plainPaths: ReadonlyMap<string, V2Route> = new Map<string, V2Route>([
  ['/', { kind: 'index' }],
  ['/health/live', { kind: 'live' }],
  ['/health/ready', { kind: 'ready' }],
]);
const notHttp = JSON.stringify({ error: 'this is not an HTTP request' });

/** The REST listener: bare node:http, because a framework would take a good part of what one prediction costs. */
export function createServingHttpServer(deps: HttpServerDeps): Server {
  const { table, core, access, clock, logger } = deps;
  const routes = new Map<string, V2Route>();

  /** Paths of models that are there are remembered; others are not, so that callers cannot fill the memory. */
  function routeOf(url: string): V2Route | undefined {
    const known = routes.get(url);
    if (known !== undefined) return known;
    const route = parseV2Path(url);
    if (
      route !== undefined &&
      'model' in route &&
      table.find(route.project, route.model) !== undefined &&
      routes.size < 1_000
    )
      routes.set(url, route);
    return route;
  }

  /** Those that the caller may call, none when there is none; who may not call one is not told of it. */
  function callable(request: IncomingMessage): readonly Endpoint[] {
    return table.list().filter((endpoint) => access.allows(endpoint.spec.access, request));
  }

  function findEndpoint({ project, model }: ModelRoute, request: IncomingMessage): Endpoint {
    const endpoint = table.find(project, model);
    if (endpoint !== undefined) return endpoint;
    const known = callable(request);
    const elsewhere = known.filter(({ name }) => name === model).map(pathOf);
    const here = known.filter(({ spec }) => spec.project === project).map(({ name }) => name);
    throw servingErrors.ENDPOINT_NOT_FOUND(model, project, elsewhere, nearestName(model, here));
  }

  /** What this is and where its models are, for whoever looks at the port. */
  function answerIndex(request: IncomingMessage, response: ServerResponse): void {
    sendJson(response, 200, {
      name: 'tidemill',
      version: deps.programVersion,
      says: 'predictions by the Open Inference Protocol v2: POST <path>/infer; GET <path> says what a model takes',
      models: callable(request).map((endpoint) => ({
        project: endpoint.spec.project,
        name: endpoint.name,
        state: endpoint.state,
        path: pathOf(endpoint),
      })),
      health: '/health/ready',
      metrics: '/metrics',
    });
  }

  async function infer(route: ModelRoute, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedMs = performance.now();
    const receivedAtMs = clock.nowMs();
    if (deps.draining()) throw servingErrors.DRAINING();
    const endpoint = findEndpoint(route, request);
    const { headers } = request;
    const principal = access.check(endpoint.spec.access, request);
    if (headers['inference-header-content-length'] !== undefined)
      throw servingErrors.REQUEST_MALFORMED('binary tensors are not read here; send the data as JSON');
    if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity')
      throw servingErrors.REQUEST_MALFORMED(
        `a body in ${headers['content-encoding']} is not read here; send it as it is`,
      );
    const body = await readBody(request, endpoint.spec.limits?.maxBodyBytes ?? defaultMaxBodyBytes);
    const parsed = parseInferRequest(body);
    const { predictionId, revision, outputs } = await core.infer(endpoint, parsed, {
      version: route.version,
      principal,
      receivedAtMs,
      startedMs,
      requestId: headers[servingHeaders.requestId] as string | undefined,
      traceparent: headers['traceparent'] as string | undefined,
      keyHeader: headers[servingHeaders.key] as string | undefined,
      eventTimeHeader: headers[servingHeaders.eventTime] as string | undefined,
      header: (name) => headers[name] as string | undefined,
      signal: {
        get aborted() {
          return response.destroyed; // set when the connection closes
        },
      },
    });
    const text = formatInferResponse(route.model, revision.version, parsed.id, outputs);
    response.writeHead(200, {
      'content-type': json,
      'content-length': Buffer.byteLength(text),
      [servingHeaders.predictionId]: predictionId,
      [servingHeaders.revision]: revision.id,
    });
    response.end(text);
  }

  function answerModel(route: ModelRoute, request: IncomingMessage, response: ServerResponse): void {
    const endpoint = findEndpoint(route, request);
    access.check(endpoint.spec.access, request);
    const { serving } = endpoint;
    if (serving === undefined) {
      if (endpoint.state === 'loading') throw servingErrors.ENDPOINT_LOADING(endpoint.name);
      if (endpoint.state === 'failed')
        throw servingErrors.ENDPOINT_FAILED(endpoint.name, endpoint.error ?? 'it could not be loaded');
      throw servingErrors.ENDPOINT_WITHOUT_MODEL(endpoint.name);
    }
    const versions = [...new Set([...serving.revisions.values()].map(({ version }) => version))];
    const revision =
      route.version === undefined
        ? serving.traffic.toSorted((a, b) => b.basisPoints - a.basisPoints)[0]?.target
        : findVersion(serving, route.version);
    if (revision === undefined)
      throw servingErrors.VERSION_NOT_FOUND(endpoint.name, route.version ?? '', versions.join(', '));
    if (route.kind === 'model-ready') return sendJson(response, 200, { name: endpoint.name, ready: true });
    const strip = ({ name, datatype, shape }: (typeof revision.signature.inputs)[number]) => ({
      name,
      datatype,
      shape,
    });
    sendJson(response, 200, {
      name: endpoint.name,
      versions,
      platform: 'onnx_onnxruntime',
      inputs: revision.signature.inputs.map(strip),
      outputs: revision.signature.outputs.map(strip),
    });
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '/' } = request;
    const route = url === '/metrics' ? ({ kind: 'metrics' } as const) : (plainPaths.get(url) ?? routeOf(url));
    if (route === undefined) throw servingErrors.PATH_NOT_FOUND(url.slice(0, 200));
    const takes = route.kind === 'infer' ? 'POST' : 'GET';
    if (method !== takes && !(takes === 'GET' && method === 'HEAD')) {
      response.setHeader('allow', takes);
      return sendJson(response, 405, { error: `this path takes ${takes}` });
    }
    switch (route.kind) {
      case 'infer':
        return infer(route, request, response);
      case 'metadata':
      case 'model-ready':
        return answerModel(route, request, response);
      case 'index':
        return answerIndex(request, response);
      case 'server':
        return sendJson(response, 200, { name: 'tidemill', version: deps.programVersion, extensions: [] });
      case 'live':
        return sendJson(response, 200, { live: true });
      case 'ready': {
        const reason = deps.unreadiness();
        return sendJson(
          response,
          reason === undefined ? 200 : 503,
          reason === undefined ? { ready: true } : { error: reason },
        );
      }
      case 'metrics': {
        const text = deps.metrics(access.select(table.list(), request));
        response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
        response.end(text);
      }
    }
  }

  const server = createServer({ keepAlive: true, keepAliveTimeout: 65_000 }, (request, response) => {
    handle(request, response).catch((error: unknown) => answerError(request, response, error, logger));
  });
  server.on('clientError', (_error, socket) => {
    if (!socket.writable) return;
    socket.end(
      `HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: ${json}\r\ncontent-length: ${notHttp.length}\r\n\r\n${notHttp}`,
    );
  });
  return server;
}

const pathOf = ({ name, spec: { project } }: Endpoint): string => pathOfModel({ project, name });

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': json, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

function retryAfterSeconds(details: unknown): number {
  const { retryAfterMs = 0 } = (details ?? {}) as { readonly retryAfterMs?: number };
  return Math.max(1, Math.ceil(retryAfterMs / 1_000));
}

/** Every failure is `{"error": text}`, the protocol's form; the text of what we did not foresee stays in the log. */
function answerError(request: IncomingMessage, response: ServerResponse, error: unknown, logger: Logger): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const known = isAppError(error) ? error : undefined;
  if (known === undefined) logger.error({ err: error, path: request.url }, 'a request failed unexpectedly');
  const status = known === undefined ? 500 : kindTable[known.kind].http;
  if (status === 503 || status === 429) response.setHeader('retry-after', retryAfterSeconds(known?.details));
  if (status === 413) response.setHeader('connection', 'close'); // the rest of the body is not read
  const failed = error instanceof Error ? findFailedInference(error) : undefined;
  if (failed !== undefined) {
    response.setHeader(servingHeaders.predictionId, failed.predictionId);
    response.setHeader(servingHeaders.revision, failed.revision);
  }
  sendJson(response, status, { error: known?.message ?? 'the server failed; its log says why' });
}
