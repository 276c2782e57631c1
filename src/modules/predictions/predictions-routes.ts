import type { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { encodeKey } from '#contracts/entity-key';
import { getPrediction, getPredictionLog, type PushedTruths, pushTruth } from '#contracts/predictions';
import type { Clock } from '#platform/clock';
import type { Database } from '#platform/database';
import { registerOperation, registerRawRoute } from '#platform/http';
import type { Delivery, DeliveryAnswer } from './intake-service.ts';
import type { Lookup } from './lookup-service.ts';
import type { PredictionsApi, PushedValue } from './predictions-api.ts';
import { predictionsErrors } from './predictions-errors.ts';

interface RouteDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly api: PredictionsApi;
  readonly lookup: Lookup;
  readonly take: (context: { readonly actor: string }, delivery: Delivery) => Promise<DeliveryAnswer>;
}

const plainName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

export function registerPredictionRoutes(app: FastifyInstance, deps: RouteDeps): void {
  const { database, clock, api, lookup } = deps;

  registerRawRoute(app, {
    id: 'data-plane.spool',
    method: 'PUT',
    path: '/data-plane/replicas/:replica/spool/:epoch',
    permission: 'replica',
    body: 'stream',
    async handle(request, reply, { principal, write }) {
      const { replica, epoch } = request.params as { readonly replica: string; readonly epoch: string };
      const { from: text = '', lost } = request.query as { readonly from?: string; readonly lost?: string };
      const from = Number(text);
      if (text === '' || !Number.isSafeInteger(from) || from < 0)
        throw predictionsErrors.SPOOL_ADDRESS_INVALID(`"from" must be an offset, not "${text.slice(0, 40)}"`);
      if (!plainName.test(replica) || !plainName.test(epoch))
        throw predictionsErrors.SPOOL_ADDRESS_INVALID('replica and epoch are plain names');
      if (principal.id.startsWith('replica:') && !principal.id.endsWith(`/${replica}`))
        throw predictionsErrors.SPOOL_REPLICA_FORBIDDEN(replica);
      const mayWrite = (project: string) => principal.can('replica', project);
      const body = request.body as Readable;
      const answer = await deps.take(write, { replica, epoch, from, lost: lost === '1', body, mayWrite });
      // what is not read any more would hold the connection up
      if (answer.outcome === 'refused') body.resume();
      reply.status(answer.outcome === 'taken' ? 200 : 409);
      return { next: answer.next };
    },
  });

  registerOperation(app, pushTruth, async ({ body, context }, answer) => {
    const nowMs = clock.nowMs();
    const truths = body.truths.map((truth, index) => toPushed(truth, index, nowMs));
    const result = await api.pushTruth(context.write, { project: context.project, endpoint: body.deployment, truths });
    return result.waiting > 0 ? answer(202, result) : answer(200, result);
  });

  registerOperation(app, getPrediction, async ({ params, context }, answer) => {
    const found = await lookup.find(database.read, context.project, params.predictionId);
    if (found === undefined) throw predictionsErrors.PREDICTION_NOT_FOUND(params.predictionId);
    return answer(200, found);
  });

  registerOperation(app, getPredictionLog, async ({ params, context }, answer) => {
    const progress = await api.progress(database.read, context.project, params.name);
    if (progress === undefined) throw predictionsErrors.ENDPOINT_UNKNOWN(params.name, []);
    const { settledMs, rows, files, caughtUp, truthWaiting, truthUnmatched, truthPending } = progress;
    return answer(200, {
      deployment: params.name,
      rows,
      files,
      ...(settledMs !== undefined && { settledAt: new Date(settledMs).toISOString() }),
      caughtUp,
      truthWaiting,
      truthUnmatched,
      truthPending,
    });
  });
}

const idShape = /^([A-Za-z0-9-]+)(?:\.(\d+))?$/;

function toPushed(truth: PushedTruths[number], index: number, nowMs: number): PushedValue {
  const { value: given, observedAt } = truth;
  const observedMs = observedAt === undefined ? nowMs : instantOf(observedAt, 'observedAt', index);
  const value = typeof given === 'boolean' ? Number(given) : given;
  if ('prediction' in truth) {
    const [, predictionId, row] = idShape.exec(truth.prediction) ?? [];
    if (predictionId === undefined)
      throw predictionsErrors.TRUTH_INVALID(index, `"${truth.prediction}" is no prediction id, nor <id>.<row>`);
    return { lookup: { predictionId, row: row === undefined ? undefined : Number(row) }, value, observedMs };
  }
  const key = encodeKey(Array.isArray(truth.key) ? truth.key : [truth.key]);
  return { lookup: { key, eventMs: instantOf(truth.eventTime, 'eventTime', index) }, value, observedMs };
}

function instantOf(text: string, field: string, index: number): number {
  const atMs = Date.parse(text);
  if (Number.isNaN(atMs)) throw predictionsErrors.TRUTH_INVALID(index, `${field} "${text}" is no instant (RFC 3339)`);
  return atMs;
}
