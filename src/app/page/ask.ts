import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { OperationShape } from '#contracts/operation';
import { AppError } from '#platform/errors';

/** A list is sent as one key for each of its items. */
type Query = Readonly<Record<string, string | number | readonly string[]>>;

/** Asks the operations of this very server, in the process, as the caller of a request. */
export interface Ask {
  /** Undefined when there is none. */
  one<T>(operation: OperationShape, params: Readonly<Record<string, string>>): Promise<T | undefined>;
  /** The first page. */
  list<T>(operation: OperationShape, params?: Readonly<Record<string, string>>, query?: Query): Promise<readonly T[]>;
}

const passedOn = ['host', 'authorization', 'cookie'] as const;

export function createAsk(app: FastifyInstance, project: string, request: FastifyRequest): Ask {
  const headers = Object.fromEntries(
    passedOn.flatMap((name) => (request.headers[name] === undefined ? [] : [[name, request.headers[name]]])),
  );

  async function get(
    operation: OperationShape,
    params: Readonly<Record<string, string>>,
    query: Query,
  ): Promise<unknown> {
    const path = operation.path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
    const search = new URLSearchParams(
      Object.entries(query).flatMap(([key, value]) =>
        [value].flat().map((item): [string, string] => [key, String(item)]),
      ),
    );
    const answer = await app.inject({
      method: 'GET',
      url: `/projects/${project}${path}?${search.toString()}`,
      headers,
    });
    if (answer.statusCode === 404) return undefined;
    const body = answer.json<{ error?: { code: string; message: string } }>();
    if (answer.statusCode >= 400)
      throw new AppError(body.error?.code ?? 'INTERNAL', 'internal', `${operation.id}: ${body.error?.message}`);
    return body;
  }

  return {
    one: async <T>(operation: OperationShape, params: Readonly<Record<string, string>>) =>
      (await get(operation, params, {})) as T | undefined,
    list: async <T>(operation: OperationShape, params = {}, query = {}) =>
      ((await get(operation, params, query)) as { readonly items: readonly T[] } | undefined)?.items ?? [],
  };
}
