import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { OperationShape, Permission } from '#contracts/operation';
import type { AppError } from '../errors.ts';
import type { EventStream } from './event-stream.ts';
import type { Idempotency } from './idempotency.ts';
import type { RequestContext } from './request-context.ts';

/** What each route says about itself; the server refuses to register one that does not. */
export interface RouteAccess {
  /** Operation id: in metrics, OpenAPI and the log. */
  readonly id: string;
  readonly permission: Permission;
  /** Probes come by whatever address the prober has. */
  readonly anyHost?: boolean;
  /** A foreign protocol answers errors in its own form. */
  readonly renderError?: (error: AppError, request: FastifyRequest, reply: FastifyReply) => unknown;
}

/** What the server keeps beside each request. */
export interface RequestState {
  readonly openStreams: Set<EventStream>;
  readonly checkAnswers: boolean;
  readonly idempotency?: Idempotency;
  /** Set once the caller is known and allowed. */
  context?: RequestContext;
}

declare module 'fastify' {
  interface FastifyRequest {
    tidemill: RequestState;
  }
  interface FastifyContextConfig {
    access?: RouteAccess;
    /** What an operation of our own API says of itself. */
    operation?: OperationShape;
  }
}

/** The rule that no route is open by accident, checked when it is registered. */
export function requireAccess(route: RouteOptions): void {
  if (route.config?.access === undefined)
    throw new Error(
      `${String(route.method)} ${route.url} declares no permission: use registerOperation or registerRawRoute`,
    );
}

export function contextOf(request: FastifyRequest): RequestContext {
  const { context } = request.tidemill;
  if (context === undefined) throw new Error('the request was not authorised: it has no context');
  return context;
}
