import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Permission } from '#contracts/operation';
import type { WriteContext } from '../database/types.ts';

/** Who asks, and what they may do. */
export interface Principal {
  /** `user:local`, `token:<id>`, `step:<attempt>`, `replica:<pool>/<name>`. */
  readonly id: string;
  can(permission: Permission, project: string): boolean;
  /** What a step's or replica's token is limited to. */
  readonly scope?: { readonly attempt?: string; readonly pool?: string; readonly project?: string };
}

/** Finds the principal of a request; throws an `unauthenticated` AppError when there is none. */
export type Authenticate = (request: {
  readonly headers: IncomingHttpHeaders;
  readonly ip: string;
  /** Of a browser, with a request that reads: it counts where callers must say who they are and no header says it. */
  readonly cookieToken?: string;
  /** The same for each request of one connection. */
  readonly connection?: object;
}) => Promise<Principal>;

/** What every handler knows of its request. */
export interface RequestContext {
  readonly principal: Principal;
  /** From the prefix `/projects/<project>`, else `default`. */
  readonly project: string;
  readonly requestId: string;
  /** For `database.write`: the principal as actor, the request as cause. */
  readonly write: WriteContext;
  /** Aborts when the caller goes away before the answer is complete, and when the server is about to stop. */
  readonly signal: AbortSignal;
}

/** Asks for nothing and may do nothing: what a public operation sees. */
export const anonymous: Principal = { id: 'anonymous', can: (permission) => permission === 'public' };

export function createRequestContext(
  request: FastifyRequest,
  reply: FastifyReply,
  principal: Principal,
  project: string,
  closing: AbortSignal,
): RequestContext {
  let controller: AbortController | undefined; // made when first asked for: most handlers never do
  return {
    principal,
    project,
    requestId: request.id,
    write: { actor: principal.id, cause: request.id },
    get signal() {
      if (controller === undefined) {
        const created = new AbortController();
        controller = created;
        const stop = () => created.abort();
        if (closing.aborted) stop();
        else closing.addEventListener('abort', stop, { once: true });
        reply.raw.once('close', () => closing.removeEventListener('abort', stop));
        const check = () => {
          if (!reply.raw.writableFinished) created.abort();
        };
        if (reply.raw.closed) check();
        else reply.raw.once('close', check);
      }
      return controller.signal;
    },
  };
}
