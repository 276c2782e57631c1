import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { OperationShape, Permission, SensitiveKind } from '#contracts/operation';
import type { AppError } from '../errors.ts';
import type { EventStream } from './event-stream.ts';
import type { Idempotency } from './idempotency.ts';
import type { RequestContext } from './request-context.ts';

/** What each route says about itself; the server refuses to register one that does not. */
export interface RouteAccess {
  /** Operation id: in metrics, OpenAPI and the log. */
  readonly id: string;
  readonly permission: Permission;
  /** The permission is asked by the handler, in projects that the request names otherwise: whoever is known comes in. */
  readonly asksItself?: boolean;
  /** Probes come by whatever address the prober has. */
  readonly anyHost?: boolean;
  /** A foreign protocol answers errors in its own form. */
  readonly renderError?: (error: AppError, request: FastifyRequest, reply: FastifyReply) => unknown;
}

/** A request that was let through to what nobody should read unseen. */
export interface SensitiveRead {
  readonly principal: string;
  readonly project: string;
  /** One, or as many as the request names. */
  readonly subjects: readonly string[];
  readonly operation: string;
  readonly requestId: string;
}

/** Whose data a route reads: what the first parameter of its path names, of one kind, or references that the request tells. */
export type Sensitive = SensitiveKind | ((request: FastifyRequest) => readonly string[]);

function subjectsOf(request: FastifyRequest, kind: Sensitive, project: string): readonly string[] {
  if (typeof kind === 'function') return kind(request);
  const [name = ''] = Object.values(request.params as Readonly<Record<string, string>>);
  return [kind === 'project' ? `project:${project}` : `${kind}:${name}`];
}

/** What the server keeps beside each request. */
export interface RequestState {
  readonly openStreams: Set<EventStream>;
  readonly checkAnswers: boolean;
  readonly idempotency?: Idempotency;
  /** Resolves once the read is written down. */
  readonly onSensitive?: (read: SensitiveRead) => Promise<void>;
  /** The record of a sensitive request, while it is written. */
  recorded?: Promise<void>;
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

/**
 * Hooks that write a sensitive request down: begun beside the handler, which it does not hold up, and waited for before
 * the answer leaves. What cannot be recorded is not answered.
 */
export function recordSensitive(operation: string, kind: Sensitive | undefined) {
  if (kind === undefined) return {};
  return {
    async preHandler(request: FastifyRequest): Promise<void> {
      const { principal, project } = contextOf(request);
      const { onSensitive } = request.tidemill;
      if (onSensitive === undefined) return;
      const subjects = subjectsOf(request, kind, project);
      if (subjects.length === 0) return;
      const recorded = onSensitive({ principal: principal.id, project, subjects, operation, requestId: request.id });
      recorded.catch(() => undefined); // heard of below, after the handler
      request.tidemill.recorded = recorded;
    },
    async onSend(request: FastifyRequest, _reply: FastifyReply, payload: unknown): Promise<unknown> {
      const { recorded } = request.tidemill;
      delete request.tidemill.recorded; // the answer that says so is not held up again
      try {
        await recorded;
        return payload;
      } catch (error) {
        if (payload instanceof Readable) payload.destroy();
        throw error;
      }
    },
  };
}
