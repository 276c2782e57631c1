import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type TracesApi, toTraceBatches } from '#modules/traces';
import type { Database } from '#platform/database';
import { registerRawRoute } from '#platform/http';
import { renderMlflowError } from '../mlflow/index.ts';
import { encodingOf, renderOtlpError, sendExported } from './otlp-answers.ts';
import { bodyLimitBytes, decodeBody } from './otlp-body.ts';
import { malformed, otlpErrors } from './otlp-errors.ts';
import { decodeJson } from './otlp-json.ts';
import { decodeProtobuf } from './otlp-protobuf.ts';

export interface OpentelemetryDeps {
  readonly database: Database;
  readonly traces: TracesApi;
}

export interface OpentelemetryProtocol {
  readonly id: 'opentelemetry';
  routes(app: FastifyInstance): void;
}

/** So many spans are written in one unit; who sends more shares the writer with others. */
const spansOfUnit = 1000;

function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** MLflow's own client reads errors in MLflow's form; any other exporter in that of the protocol. */
const isMlflowClient = (request: FastifyRequest): boolean =>
  header(request, 'user-agent')?.startsWith('mlflow-python-client/') === true;

/** Batches in parts of about so many spans, each trace whole. */
function partsOf<Batch extends { readonly rows: readonly unknown[] }>(batches: readonly Batch[]): Batch[][] {
  const parts: Batch[][] = [];
  let count = spansOfUnit;
  for (const batch of batches) {
    if (count >= spansOfUnit) {
      parts.push([]);
      count = 0;
    }
    parts.at(-1)?.push(batch);
    count += batch.rows.length;
  }
  return parts;
}

/** The OpenTelemetry protocol over HTTP (OTLP/HTTP), for traces: `POST /v1/traces`. */
export function createOpentelemetryProtocol({ database, traces }: OpentelemetryDeps): OpentelemetryProtocol {
  return {
    id: 'opentelemetry',
    routes(app) {
      void app.register(async (scope) => {
        scope.removeAllContentTypeParsers();
        scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: bodyLimitBytes }, (_request, body, done) =>
          done(null, body),
        );
        registerRawRoute(scope, {
          id: 'opentelemetry export traces',
          method: 'POST',
          path: '/v1/traces',
          permission: 'write',
          bodyLimitBytes,
          renderError: (error, request, reply) =>
            (isMlflowClient(request) ? renderMlflowError : renderOtlpError)(error, request, reply),
          handle: async (request, reply, { project, write }) => {
            const encoding = encodingOf(request);
            if (encoding === undefined)
              throw malformed('the Content-Type is neither application/x-protobuf nor application/json');
            const experimentId = header(request, 'x-mlflow-experiment-id');
            if (experimentId === undefined) throw otlpErrors.OTLP_EXPERIMENT_MISSING();
            const given = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
            const body = await decodeBody(given, header(request, 'content-encoding'));
            const decoded = encoding === 'json' ? decodeJson(body) : decodeProtobuf(body);
            const runId = header(request, 'x-mlflow-run-id');
            // a sender whose request was written in part sends it again: each span is then the same
            for (const batches of partsOf(toTraceBatches(decoded.groups)))
              await database.write(write, (unit) => traces.logSpans(unit, { project, experimentId, batches, runId }));
            return sendExported(reply, encoding, decoded);
          },
        });
      });
    },
  };
}
