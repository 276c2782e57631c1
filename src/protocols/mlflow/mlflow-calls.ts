import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Permission } from '#contracts/operation';
import type { ArtifactsApi, UploadsApi, UrlSigner } from '#modules/artifacts';
import type { WebhooksApi } from '#modules/automation';
import type { EvaluationDatasetsApi, ScorersApi } from '#modules/evaluation';
import type { ProjectsApi } from '#modules/projects';
import type { RegistryApi } from '#modules/registry';
import type { TracesApi } from '#modules/traces';
import type { TrackingApi } from '#modules/tracking';
import type { BlobStore } from '#platform/blobs';
import type { Database } from '#platform/database';
import { quoteOddNumbers } from '#platform/exact-json';
import { type RequestContext, registerRawRoute, type Sensitive } from '#platform/http';
import type { Ids } from '#platform/ids';
import { invalidParameter, renderMlflowError } from './mlflow-errors.ts';
import { WireFields } from './wire-fields.ts';

/** What the adapter stands on: module doors and the places of bytes. */
export interface MlflowDeps {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly projects: ProjectsApi;
  readonly artifacts: Pick<ArtifactsApi, 'assertStored'>;
  readonly uploads: UploadsApi;
  readonly signer: UrlSigner;
  readonly tracking: TrackingApi;
  readonly traces: TracesApi;
  readonly registry: RegistryApi;
  readonly webhooks: WebhooksApi;
  readonly evaluationDatasets: EvaluationDatasetsApi;
  readonly scorers: ScorersApi;
  readonly ids: Ids;
  /** Largest artifact that a client may put. Default: no limit. */
  readonly uploadLimitBytes?: number;
  /** How long an upload may stall. Default a minute. */
  readonly uploadIdleMs?: number;
}

export interface CallInput {
  readonly fields: WireFields;
  /** Variable parts of the path, by name. */
  readonly params: Readonly<Record<string, string>>;
  readonly project: string;
  readonly context: RequestContext;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** One call of the REST API: `path` follows `/api` and `/ajax-api` alike. */
export interface MlflowCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly permission: Permission;
  /** As of a route's access. */
  readonly asksItself?: boolean;
  /** As of a raw route. */
  readonly sensitive?: Sensitive;
  /** What it returns is the answer's JSON; it may also send by `reply` and return that. */
  readonly handle: (input: CallInput) => Promise<unknown>;
}

/** Room for a data set's profile, the largest thing that travels as JSON. */
const jsonLimitBytes = 32 * 1024 * 1024;

function tryParse(read: () => string): unknown {
  try {
    return JSON.parse(read());
  } catch {
    return undefined;
  }
}

/** Half of a surrogate pair, which no text holds and no database keeps: Python writes it for bytes that are not UTF-8. */
const escape = /\\(?:ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|u(d[89a-f][0-9a-f]{2})|[^])/gi;
const withoutHalves = (text: string): string =>
  /\\ud/i.test(text)
    ? text.replaceAll(escape, (found, half?: string) => (half === undefined ? found : '\ufffd'))
    : text;

/** Malformed JSON counts as an empty body (the missing fields are then named), as in MLflow. */
function parseBody(given: string, encoded = 0): unknown {
  const text = withoutHalves(given.startsWith('\ufeff') ? given.slice(1) : given);
  const value = tryParse(() => text) ?? tryParse(() => quoteOddNumbers(text));
  // some old clients encode twice
  if (typeof value === 'string') return encoded === 0 ? parseBody(value, 1) : {};
  return value ?? {};
}

function requireJson(request: FastifyRequest): void {
  const type = request.headers['content-type'];
  if (request.method === 'POST' && !/^application\/json\s*(?:;|$)/i.test(type ?? ''))
    throw invalidParameter("Bad Request. Content-Type must be one of ['application/json'].");
}

const variables = (params: unknown) =>
  typeof params === 'object' && params !== null ? (params as Record<string, string>) : {};

/** Registers calls under both prefixes, in a scope of their own that reads bodies as MLflow does. */
export function registerCalls(app: FastifyInstance, calls: readonly MlflowCall[]): void {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'string', bodyLimit: jsonLimitBytes }, (_request, text, done) =>
      done(null, text),
    );
    for (const { method, path, permission, asksItself, sensitive, handle } of calls)
      for (const prefix of ['/api', '/ajax-api'])
        registerRawRoute(scope, {
          id: `mlflow ${method} ${path}`,
          method,
          path: `${prefix}${path}`,
          permission,
          ...(asksItself !== undefined && { asksItself }),
          ...(sensitive !== undefined && { sensitive }),
          bodyLimitBytes: jsonLimitBytes,
          renderError: renderMlflowError,
          handle: async (request, reply, context) => {
            requireJson(request);
            const fields = new WireFields(
              method === 'GET' ? request.query : typeof request.body === 'string' ? parseBody(request.body) : {},
            );
            const { project } = context;
            return handle({ fields, params: variables(request.params), project, context, request, reply });
          },
        });
  });
}
