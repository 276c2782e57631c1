import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { servingHeaders } from '#contracts/serving';
import { isAppError, kindTable } from '#platform/errors';
import type { Logger } from '#platform/log';
import { findFailedInference } from '../inference.ts';
import type { RequestMemory } from '../request-memory.ts';
import { createPredictRoutes } from '../scoring/predict-routes.ts';
import { createScoringRoutes } from '../scoring/scoring-routes.ts';
import { servingErrors } from '../serving-errors.ts';
import { createAbsentRoutes } from './absent-routes.ts';
import { sendJson } from './answers.ts';
import { createInferRoutes } from './infer-routes.ts';
import { createModelRoutes } from './model-routes.ts';
import { keepAliveMs } from './plain-connection.ts';
import { listenForPlain } from './plain-listener.ts';
import { createRepositoryRoutes } from './repository-routes.ts';
import {
  createRouteFinder,
  type RestRequest,
  type RestResponse,
  type RestRoute,
  type RouteMatch,
} from './rest-route.ts';
import type { RestServices } from './rest-services.ts';
import { createServerRoutes } from './server-routes.ts';

/** Every route of the listener; another protocol over HTTP is one more family of them. */
export const createRestRoutes = (services: RestServices): readonly RestRoute[] => [
  ...createInferRoutes(services),
  ...createServerRoutes(services),
  ...createModelRoutes(services),
  ...createRepositoryRoutes(services),
  ...createAbsentRoutes(),
  ...createScoringRoutes(services),
  ...createPredictRoutes(services),
];

/** Places that are remembered; callers cannot fill the memory with more. */
const maxRemembered = 1_000;
const maxRememberedLength = 256;
/** On one connection whose requests node:http reads, all that have come at once; who asks further ahead reads no answers. */
const maxAhead = 32;
const notHttp = JSON.stringify({ error: 'this is not an HTTP request' });
const tooSlow = JSON.stringify({ error: 'the request did not come to its end in time' });

export interface RestServer {
  readonly server: Server;
  /** Those whose clients wait for nothing. */
  closeIdle(): void;
  closeAll(): void;
}

/**
 * The REST listener: bare node:http, because a framework would take a good part of what one prediction costs, and not even
 * that for plain requests of predictions.
 */
export function createRestServer(services: RestServices, logger: Logger): RestServer {
  const findRoute = createRouteFinder(createRestRoutes(services));
  const remembered = new Map<string, RouteMatch>();

  function findMatch(url: string): RouteMatch | undefined {
    const known = remembered.get(url);
    if (known !== undefined) return known;
    const found = findRoute(url);
    if (found === undefined || url.length > maxRememberedLength) return found;
    if (remembered.size >= maxRemembered) remembered.clear();
    remembered.set(url, found);
    return found;
  }

  function matchOf(url: string): RouteMatch {
    const found = findMatch(url);
    if (found === undefined) throw servingErrors.PATH_NOT_FOUND(url.slice(0, 200));
    return found;
  }

  async function handle(request: RestRequest, response: RestResponse): Promise<void> {
    const { project, model, version, routes } = matchOf(request.url ?? '/');
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const route = routes.find((one) => one.method === method);
    if (route === undefined) {
      const takes = routes.map((one) => one.method).join(', ');
      response.setHeader('allow', takes);
      return sendJson(response, 405, { error: `this path takes ${takes}` });
    }
    try {
      await route.handle({ request, response, project, model, version, route: route.path });
    } catch (error) {
      answerError(request, response, error, logger, route.formatRefusal);
    }
  }

  const underWay = new WeakMap<Socket, number>();

  /** False where its connection is gone. */
  function isTaken({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const count = (underWay.get(socket) ?? 0) + 1;
    if (count > maxAhead) socket.destroy();
    if (socket.destroyed) return false;
    underWay.set(socket, count);
    response.on('close', () => void underWay.set(socket, (underWay.get(socket) ?? 1) - 1));
    return true;
  }

  const server = createServer({ keepAlive: true, keepAliveTimeout: keepAliveMs }, (request, response) => {
    if (!isTaken(request, response)) return;
    handle(request, response)
      .catch((error: unknown) => answerError(request, response, error, logger))
      .finally(() => holdUnread(response, services.memory));
  });
  const plain = listenForPlain(server, {
    memory: services.memory,
    draining: services.draining,
    nowMs: () => services.clock.nowMs(),
    isWanted: (url) => findMatch(url)?.routes.some((route) => route.mayBePlain === true) === true,
    handle(request, response) {
      handle(request, response).catch((error: unknown) => answerError(request, response, error, logger));
    },
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable) return;
    const isLate = error.code === 'ERR_HTTP_REQUEST_TIMEOUT'; // the limits of node:http, a minute for a head and five for all
    const body = isLate ? tooSlow : notHttp;
    socket.end(
      `HTTP/1.1 ${isLate ? '408 Request Timeout' : '400 Bad Request'}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  });
  return {
    server,
    closeIdle() {
      server.closeIdleConnections();
      plain.closeIdle();
    },
    closeAll() {
      server.closeAllConnections();
      plain.closeAll();
    },
  };
}

/** An answer that the system did not take at once waits for its client: it is counted until the client has read it. */
function holdUnread(response: ServerResponse, memory: RequestMemory): void {
  let bytes = response.writableLength;
  if (bytes === 0 || response.writableFinished || response.destroyed) return;
  memory.hold(bytes);
  const release = () => {
    memory.give(bytes);
    bytes = 0;
    unwatch();
  };
  const unwatch = memory.watch(() => {
    release();
    response.req.socket.destroy(); // also where it waits for another answer on the same connection
  });
  response.on('close', release);
}

function retryAfterSeconds(details: unknown): number {
  const { retryAfterMs = 0 } = (details ?? {}) as { readonly retryAfterMs?: number };
  return Math.max(1, Math.ceil(retryAfterMs / 1_000));
}

/** Every failure is in its protocol's form; the text of what we did not foresee stays in the log. */
function answerError(
  request: RestRequest,
  response: RestResponse,
  error: unknown,
  logger: Logger,
  format: RestRoute['formatRefusal'] = (_kind, message) => ({ error: message }),
): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const known = isAppError(error) ? error : undefined;
  if (known === undefined) logger.error({ err: error, path: request.url }, 'a request failed unexpectedly');
  const status = known === undefined ? 500 : known.code === 'BODY_TOO_SLOW' ? 408 : kindTable[known.kind].http;
  if (status === 503 || status === 429) response.setHeader('retry-after', retryAfterSeconds(known?.details));
  if (status === 413 || (!('body' in request) && request.isPaused())) response.setHeader('connection', 'close'); // the rest of the body is not read
  const failed = error instanceof Error ? findFailedInference(error) : undefined;
  if (failed !== undefined) {
    response.setHeader(servingHeaders.predictionId, failed.predictionId);
    response.setHeader(servingHeaders.revision, failed.revision);
  }
  sendJson(
    response,
    status,
    format(known?.kind ?? 'internal', known?.message ?? 'the server failed; its log says why'),
  );
}
