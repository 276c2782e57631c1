import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { getLiveness, getReadiness, type Readiness } from '#contracts/health';
import type { Permission } from '#contracts/operation';
import { type AppError, isAppError } from '../errors.ts';
import { type Ids, systemIds } from '../ids.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { callerProblem } from './caller-checks.ts';
import { toAppError, toErrorBody } from './error-answer.ts';
import type { EventStream } from './event-stream.ts';
import { httpErrors } from './http-errors.ts';
import type { Idempotency } from './idempotency.ts';
import { registerOpenApi } from './openapi.ts';
import { registerOperation } from './operation-route.ts';
import { projectOf, stripProjectPrefix } from './project-prefix.ts';
import { registerRawRoute } from './raw-route.ts';
import { giveUpWhole } from './receive-body.ts';
import { type Authenticate, anonymous, createRequestContext, type Principal } from './request-context.ts';
import { type RequestState, type RouteAccess, requireAccess, type SensitiveRead } from './route-access.ts';
import { tokenInCookie } from './session-cookie.ts';
import { createSchemaCompiler } from './validation.ts';

export interface ReadinessCheck {
  readonly name: string;
  /** Resolves when fine; what it throws says why not. */
  readonly check: () => Promise<void>;
}

export interface Denial {
  readonly principal: string;
  readonly permission: Permission;
  readonly project: string;
  readonly operation: string;
  readonly requestId: string;
}

export interface HttpServerOptions {
  readonly logger: Logger;
  readonly authenticate: Authenticate;
  /** Host names that this server answers to beside loopback names: the bound host and the operator's own. */
  readonly allowedHosts: readonly string[];
  readonly bodyLimitBytes: number;
  /** Shown in OpenAPI. */
  readonly version?: string;
  readonly ids?: Ids;
  /** A header, in small letters, in which clients of a foreign protocol name the project, as the prefix does. */
  readonly projectHeader?: string;
  /**
   * Throws PROJECT_NOT_FOUND; asked after the permission, and only when the request names a project. What is open to all is
   * not asked for: a stranger would learn which names there are.
   */
  readonly requireProject?: (project: string) => Promise<void>;
  /** The form of errors at a path where no route has one to say: what is not there, and what cannot be decoded. */
  readonly foreignErrors?: (path: string) => RouteAccess['renderError'];
  readonly readiness?: readonly ReadinessCheck[];
  /** Counts requests and serves GET /metrics. */
  readonly metrics?: Metrics;
  /** Hears of each refused permission, for the audit log. */
  readonly onDenied?: (denial: Denial) => void;
  /** Hears of each request to a sensitive operation; the answer leaves when it resolves. */
  readonly onSensitive?: (read: SensitiveRead) => Promise<void>;
  /** Compares every answer with its schema and fails on a difference: on in tests. */
  readonly checkAnswers?: boolean;
  /** Honours `Idempotency-Key`; without it the header is ignored. */
  readonly idempotency?: Idempotency;
  /** Default true: GET /api/v1/openapi.json. */
  readonly openApi?: boolean;
}

/** Errors of reading a body, after which Fastify ends the connection; ours never have such a code. */
const bodyWasRead = /^FST_ERR_CTP_/;
const saneRequestId = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** In the place of Fastify's own compilers, which it would load at each start: ours are set before the first route. */
function notLoaded(): never {
  throw new Error('a route was registered before the compilers of the server were set');
}

/** The HTTP edge: every route added to it states its permission, and every error leaves it in one form. */
export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const { logger, ids = systemIds, metrics } = options;
  const openStreams = new Set<EventStream>();
  const closing = new AbortController(); // those who wait for something to happen are answered with what is there
  setMaxListeners(0, closing.signal); // one for each request that waits
  const allowedHosts = new Set(options.allowedHosts.map((host) => host.toLowerCase()));
  const render = (error: AppError, request: FastifyRequest, reply: FastifyReply): unknown => {
    const ofRoute = request.routeOptions.config?.access;
    const foreign = ofRoute === undefined ? options.foreignErrors?.(request.originalUrl) : ofRoute.renderError;
    return foreign === undefined ? toErrorBody(error, request.id) : foreign(error, request, reply);
  };
  const app = Fastify({
    logger: false, // requests are counted, not logged; failures are logged once, below
    bodyLimit: options.bodyLimitBytes,
    rewriteUrl: stripProjectPrefix,
    routerOptions: { maxParamLength: 1024 },
    schemaController: { compilersFactory: { buildValidator: notLoaded, buildSerializer: notLoaded } },
    // a path that cannot be decoded never reaches a route or a hook
    frameworkErrors: (thrown, request, reply) => {
      const { error, status } = toAppError(thrown, options.bodyLimitBytes);
      const plain: FastifyReply = reply; // typed by a generic that knows no statuses here
      void plain.status(status).header('x-request-id', request.id);
      void plain.send(render(error, request, plain));
    },
    genReqId: ({ headers }) => {
      const given = headers['x-request-id'];
      return typeof given === 'string' && saneRequestId.test(given) ? given : ids.next();
    },
  });
  const compiler = createSchemaCompiler();
  app.setValidatorCompiler(({ schema, httpPart }) =>
    compiler.compile(schema as Readonly<Record<string, unknown>>, httpPart === 'body' ? 'body' : 'text'),
  );
  // fast-json-stringify drops undeclared fields and turns null into text; handlers' answers are typed instead
  app.setSerializerCompiler(() => (data: unknown) => JSON.stringify(data));
  app.addHook('onRoute', requireAccess);

  const shared: Omit<RequestState, 'context' | 'recorded'> = {
    openStreams,
    checkAnswers: options.checkAnswers ?? false,
    ...(options.idempotency !== undefined && { idempotency: options.idempotency }),
    ...(options.onSensitive && { onSensitive: options.onSensitive }),
  };
  app.decorateRequest('tidemill');
  app.addHook('onRequest', async (request, reply) => {
    request.tidemill = { ...shared };
    void reply.header('x-request-id', request.id);
    await admit(request, reply, options, allowedHosts, closing.signal);
  });
  app.addHook('onSend', async (_request, reply) => {
    // a connection that may be used again would hold the stop up for as long as it is kept alive
    if (closing.signal.aborted) void reply.header('connection', 'close');
  });
  app.addHook('onResponse', async () => {
    // nor may one whose answer had begun before the stop, and is idle from now on
    if (closing.signal.aborted) setImmediate(() => app.server.closeIdleConnections());
  });
  if (metrics !== undefined)
    app.addHook('onResponse', async (request, reply) => {
      const operation = request.routeOptions.config.access?.id ?? 'none';
      metrics.observeRequest(operation, reply.statusCode, reply.elapsedTime / 1000);
    });

  app.setErrorHandler(async (thrown: FastifyError, request, reply) => {
    const limitBytes = request.routeOptions.bodyLimit ?? options.bodyLimitBytes;
    const { error, status } = toAppError(thrown, limitBytes);
    if (status >= 500) logFailure(logger, request, error, thrown);
    if (bodyWasRead.test(thrown.code)) await giveUpWhole(request, reply);
    void reply.status(status);
    if (status === 401) void reply.header('www-authenticate', 'Bearer');
    // an upload given up half-way: what is still to come of it would be read as the next request
    if (request.raw.destroyed && !request.raw.complete) void reply.header('connection', 'close');
    return render(error, request, reply);
  });
  app.setNotFoundHandler(async (request) => {
    throw httpErrors.ROUTE_NOT_FOUND(request.method, request.originalUrl.split('?')[0] ?? '');
  });
  const endSilentConnections = trackSilentConnections(app);
  app.addHook('preClose', async () => {
    closing.abort();
    for (const stream of openStreams) stream.close(); // else close would wait for readers that never leave
    endSilentConnections();
  });

  if (options.openApi ?? true) registerOpenApi(app, options.version ?? '0');
  registerHealth(app, options.readiness ?? []);
  if (metrics !== undefined)
    registerRawRoute(app, {
      id: 'metrics.read',
      method: 'GET',
      path: '/metrics',
      permission: 'read',
      handle: async (_request, reply) => await reply.type(metrics.contentType).send(await metrics.text()),
    });
  return app;
}

/** Node ends connections that idle between requests, but waits for those that never sent one: browsers open such ahead. */
function trackSilentConnections(app: FastifyInstance): () => void {
  const silent = new Set<Socket>();
  app.server.on('connection', (socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  app.server.on('request', ({ socket }) => silent.delete(socket));
  return () => {
    for (const socket of silent) socket.destroy();
  };
}

/** Who asks, from where, and whether they may: before the body is read. */
async function admit(
  request: FastifyRequest,
  reply: FastifyReply,
  options: HttpServerOptions,
  allowedHosts: ReadonlySet<string>,
  closing: AbortSignal,
): Promise<void> {
  const { access } = request.routeOptions.config;
  const probe = access?.anyHost === true || access?.id.startsWith('health.') === true;
  if (!probe) {
    const problem = callerProblem(request.method, request.headers, allowedHosts);
    if (problem !== undefined) throw problem;
  }
  if (access === undefined) return; // nothing is there: the not-found handler answers
  // what is open to all says nothing of a project, so that clients find out what this is before they name one
  const header = access.permission === 'public' ? undefined : options.projectHeader;
  const { project, named } = projectOf(request.raw, header);
  const principal = await identify(request, options.authenticate, access.permission);
  if (access.asksItself !== true && !principal.can(access.permission, project)) {
    options.onDenied?.({
      principal: principal.id,
      permission: access.permission,
      project,
      operation: access.id,
      requestId: request.id,
    });
    throw httpErrors.PERMISSION_DENIED(principal.id, access.permission, project);
  }
  const isAsked = access.permission !== 'public' && access.asksItself !== true;
  if (named && isAsked) await options.requireProject?.(project);
  request.tidemill.context = createRequestContext(request, reply, principal, project, closing);
}

async function identify(
  request: FastifyRequest,
  authenticate: Authenticate,
  permission: Permission,
): Promise<Principal> {
  if (permission === 'public') return anonymous;
  const { headers, ip, socket: connection } = request;
  const cookieToken = headers.authorization === undefined ? tokenInCookie(request.method, headers) : undefined;
  return await authenticate({ headers, ip, connection, ...(cookieToken !== undefined && { cookieToken }) });
}

function logFailure(logger: Logger, request: FastifyRequest, error: AppError, thrown: unknown): void {
  const known = isAppError(thrown) && thrown.kind !== 'internal';
  const facts = {
    requestId: request.id,
    method: request.method,
    url: request.originalUrl,
    code: error.code,
    err: thrown,
  };
  if (known) logger.warn(facts, error.message);
  else logger.error(facts, 'request failed');
}

function registerHealth(app: FastifyInstance, checks: readonly ReadinessCheck[]): void {
  registerOperation(app, getLiveness, async (_call, answer) => answer(200, { status: 'live' }));
  registerOperation(app, getReadiness, async (_call, answer) => {
    const results = await Promise.all(checks.map(runCheck));
    return results.every((result) => result.ok)
      ? answer(200, { status: 'ready', checks: results })
      : answer(503, { status: 'not_ready', checks: results });
  });
}

async function runCheck({ name, check }: ReadinessCheck): Promise<Readiness['checks'][number]> {
  try {
    await check();
    return { name, ok: true };
  } catch (error) {
    return { name, ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}
