import type { FastifyInstance } from 'fastify';
import { ErrorBody } from '#contracts/errors';
import type { OperationShape } from '#contracts/operation';
import { registerRawRoute } from './raw-route.ts';
import { closed } from './validation.ts';

type Json = Readonly<Record<string, unknown>>;

/** GET /api/v1/openapi.json: printed from the registered operations, on first request. */
export function registerOpenApi(app: FastifyInstance, version: string): void {
  const operations: OperationShape[] = [];
  app.addHook('onRoute', ({ config, method }) => {
    // Fastify adds a HEAD route beside each GET
    if (config?.operation !== undefined && config.operation.method === method) operations.push(config.operation);
  });
  let printed: Json | undefined;
  registerRawRoute(app, {
    id: 'openapi.read',
    method: 'GET',
    path: '/api/v1/openapi.json',
    permission: 'public',
    handle: () => {
      printed ??= printOpenApi(operations, version);
      return printed;
    },
  });
}

/** The operations as one OpenAPI 3.1 document, whose schemas are JSON Schema as ours are. */
function printOpenApi(operations: readonly OperationShape[], version: string): Json {
  const schemas: Record<string, unknown> = {};
  const paths: Record<string, Record<string, Json>> = {};
  for (const operation of operations) {
    const path = operation.path.replaceAll(/:([A-Za-z]+)/g, '{$1}');
    paths[path] = { ...paths[path], [operation.method.toLowerCase()]: describe(operation, schemas) };
  }
  return { openapi: '3.1.0', info: { title: 'Tidemill', version }, paths, components: { schemas } };
}

function describe({ id, summary, params, query, body, responses }: OperationShape, schemas: Record<string, unknown>) {
  const content = (schema: unknown): Json => ({ 'application/json': { schema: withReferences(schema, schemas) } });
  const parameters = [...parametersOf(params, 'path'), ...parametersOf(query, 'query')];
  return {
    operationId: id,
    summary,
    tags: [id.split('.')[0] ?? id],
    ...(parameters.length > 0 && { parameters: withReferences(parameters, schemas) }),
    ...(body !== undefined && { requestBody: { required: true, content: content(closed(body)) } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(responses).map(([status, schema]) => [
          status,
          { description: 'the answer', ...(status !== '204' && { content: content(schema) }) },
        ]),
      ),
      default: { description: 'what went wrong', content: content(ErrorBody) },
    },
  };
}

function parametersOf(schema: OperationShape['query'], place: 'path' | 'query'): readonly Json[] {
  const required = new Set<string>(schema?.required ?? []);
  return Object.entries(schema?.properties ?? {}).map(([name, member]) => {
    const { description } = member as { readonly description?: string };
    return {
      name,
      in: place,
      required: place === 'path' || required.has(name),
      ...(description !== undefined && { description }),
      schema: member,
    };
  });
}

/** A schema that has a name is printed once, under it. */
function withReferences(value: unknown, schemas: Record<string, unknown>): unknown {
  if (Array.isArray(value)) return value.map((member) => withReferences(member, schemas));
  if (typeof value !== 'object' || value === null) return value;
  const { $id, ...fields } = value as { readonly $id?: unknown };
  const copy = Object.fromEntries(
    Object.entries(fields).map(([key, member]) => [key, withReferences(member, schemas)]),
  );
  if (typeof $id !== 'string') return copy;
  schemas[$id] = copy;
  return { $ref: `#/components/schemas/${$id}` };
}
