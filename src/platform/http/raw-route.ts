import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { Permission } from '#contracts/operation';
import type { AppError } from '../errors.ts';
import type { RequestContext } from './request-context.ts';
import { contextOf, recordSensitive, type Sensitive } from './route-access.ts';

export interface RawRoute {
  /** Name in metrics and the log; default `<METHOD> <path>`. */
  readonly id?: string;
  readonly method: HTTPMethods | readonly HTTPMethods[];
  readonly path: string;
  readonly permission: Permission;
  /** As of a route's access. */
  readonly asksItself?: boolean;
  /** As of an operation (contracts/operation), or the references that a request says it reads. */
  readonly sensitive?: Sensitive;
  /** `stream`: `request.body` is the unread byte stream, of any content type and without the body limit. Default `json`. */
  readonly body?: 'json' | 'stream';
  /** Limit for a JSON body when it is not the server's. */
  readonly bodyLimitBytes?: number;
  /** Answers on any host name, for probes. */
  readonly anyHost?: boolean;
  /** A foreign protocol's form of an error: sets what it wants on the reply, whose status is set already, and returns the body. */
  readonly renderError?: (error: AppError, request: FastifyRequest, reply: FastifyReply) => unknown;
  /** What it returns is sent; it may also send by `reply` and return that. */
  readonly handle: (request: FastifyRequest, reply: FastifyReply, context: RequestContext) => unknown;
}

/** Registers a route outside our own API's form: foreign protocols, bytes, streams. Not part of OpenAPI. */
export function registerRawRoute(app: FastifyInstance, route: RawRoute): void {
  const methods: HTTPMethods[] = typeof route.method === 'string' ? [route.method] : [...route.method];
  const id = route.id ?? `${methods.join('|')} ${route.path}`;
  const add = (target: FastifyInstance) =>
    target.route({
      method: methods,
      url: route.path,
      ...(route.bodyLimitBytes !== undefined && { bodyLimit: route.bodyLimitBytes }),
      config: {
        access: {
          id,
          permission: route.permission,
          ...(route.asksItself !== undefined && { asksItself: route.asksItself }),
          ...(route.anyHost !== undefined && { anyHost: route.anyHost }),
          ...(route.renderError !== undefined && { renderError: route.renderError }),
        },
      },
      ...recordSensitive(id, route.sensitive),
      handler: async (request, reply) => await route.handle(request, reply, contextOf(request)),
    });
  if (route.body !== 'stream') {
    add(app);
    return;
  }
  // parsers belong to a scope, so a route that reads its own bytes gets one of its own
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    add(scope);
  });
}
