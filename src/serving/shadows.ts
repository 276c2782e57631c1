import type { PredictionEnvelope } from '#contracts/prediction-record';
import { prepareRecord } from '#contracts/spool-frame';
import type { Tensor } from '#contracts/tensor';
import { isAppError } from '#platform/errors';
import type { Ids } from '#platform/ids';
import type { Logger } from '#platform/log';
import type { BatchRun, RunTerms } from '#runtimes/batcher';
import { checkInputs } from '#runtimes/check-inputs';
import { differenceOf } from './answer-difference.ts';
import type { FailureKind } from './counters.ts';
import type { Endpoint, ServingState } from './endpoint.ts';
import type { LiveRevision } from './live-revision.ts';
import { errorOf, redactedOf, stageTimesUs, toUs } from './prediction-envelope.ts';
import type { Redaction } from './redaction.ts';
import { routedTerms } from './run-terms.ts';
import type { Spool } from './spool.ts';
import type { RequestTrace } from './tracing/request-trace.ts';

/**
 * Runs the same rows on revisions whose answers nobody waits for. Work starts after the primary has been answered, a few
 * requests at a time so that they are batched among themselves; what does not fit the queue, in number or in bytes, is
 * dropped and counted. How their answers differ from the primary's is recorded and counted.
 */
export interface ShadowQueue {
  offer(endpoint: Endpoint, serving: ServingState, answered: AnsweredRequest): void;
  /** Resolves when all that was offered by now is done; what comes meanwhile is not waited for. */
  idle(): Promise<void>;
}

/** What the primary made of a request. */
export interface AnsweredRequest {
  readonly envelope: PredictionEnvelope;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly captured: boolean;
  /** When its spans are recorded. */
  readonly trace: RequestTrace | undefined;
}

interface Shadow extends AnsweredRequest {
  readonly endpoint: Endpoint;
  readonly revision: LiveRevision;
  readonly redaction: Redaction | undefined;
  readonly bytes: number;
}

export function createShadowQueue(deps: {
  readonly spool: Spool;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly maxQueued?: number;
  /** Of inputs and outputs that wait; default 64 MiB. */
  readonly maxQueuedBytes?: number;
  readonly atOnce?: number;
  readonly random?: () => number;
}): ShadowQueue {
  const { spool, ids, logger, maxQueued = 4_096, atOnce = 64, random = Math.random } = deps;
  const { maxQueuedBytes = 64 * 1024 ** 2 } = deps;
  let queuedBytes = 0;
  let queue: Shadow[] = [];
  let running = false;
  let offered = 0;
  let done = 0;
  let waiting: { readonly upTo: number; readonly resolve: () => void }[] = [];

  async function drain(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.slice(0, atOnce);
      queue = queue.slice(atOnce);
      for (const { bytes } of batch) queuedBytes -= bytes;
      await Promise.all(
        batch.map((shadow) =>
          runShadow(shadow).catch((error: unknown) => {
            shadow.endpoint.drop();
            shadow.trace?.end(true);
            logger.error({ err: error, revision: shadow.revision.id }, 'a shadow could not be recorded');
          }),
        ),
      );
      done += batch.length;
      for (const { upTo, resolve } of waiting) if (upTo <= done) resolve();
      waiting = waiting.filter(({ upTo }) => upTo > done);
    }
    running = false;
  }

  async function runShadow(offer: Shadow): Promise<void> {
    const { endpoint, revision, redaction, envelope: primary, inputs, outputs: before, captured, trace } = offer;
    const { record } = revision;
    if (record.state !== 'ready') {
      record.shadowsDropped += 1;
      trace?.fail('the revision was replaced while the request waited');
      trace?.end(true);
      return;
    }
    const counters = record.shadow;
    const startedMs = performance.now();
    counters.received();
    // Another version may take fewer columns: it gets those that it knows.
    const known = inputs.filter(({ name }) => revision.signature.inputs.some((input) => input.name === name));
    const routed = revision.isGraph ? routedTerms(revision, {}, primary.keys) : undefined;
    const answer = await run(revision, known, routed?.terms);
    const durationUs = toUs(performance.now() - startedMs);
    const { outputs, failure, batch } = answer;
    trace?.ran(startedMs, batch);
    const stagesUs = batch && stageTimesUs(startedMs, startedMs, batch);
    if (failure !== undefined) counters.failed(failure.kind, durationUs);
    else counters.answered(primary.rows, durationUs, undefined);
    if (batch !== undefined && stagesUs !== undefined) counters.ran(batch, stagesUs);
    const difference = failure === undefined ? differenceOf(before, outputs, primary.rows) : undefined;
    if (difference !== undefined) {
      record.rowsCompared += primary.rows;
      record.rowsDiffering += difference.rows;
    }
    const { cached: _cached, stagesUs: _stagesUs, branches: _branches, redacted: _redacted, ...shared } = primary;
    const envelope: PredictionEnvelope = {
      ...shared,
      predictionId: ids.next(),
      shadowOf: primary.predictionId,
      role: 'shadow',
      reason: 'shadow',
      propensity: endpoint.serving?.shadows.find((shadow) => shadow.revision === revision)?.sampleRate ?? 1,
      revision: revision.id,
      modelRef: revision.modelRef,
      durationUs,
      ...(trace !== undefined && { traceparent: trace.traceparent }),
      ...routed?.branches(),
      ...(stagesUs !== undefined && { stagesUs }),
      status: failure === undefined ? 'ok' : 'error',
      ...(failure !== undefined && { error: errorOf(failure, redaction) }),
      ...redactedOf(redaction),
      ...(difference !== undefined && { difference }),
    };
    if (captured) await keep(offer, envelope, known, outputs);
    trace?.tellPrediction(envelope);
    if (failure !== undefined) trace?.fail(errorOf(failure, redaction));
    trace?.end(failure !== undefined);
  }

  async function keep(
    { endpoint, redaction }: Shadow,
    envelope: PredictionEnvelope,
    inputs: readonly Tensor[],
    outputs: readonly Tensor[],
  ): Promise<void> {
    const prepared = prepareRecord(envelope, redaction?.apply(inputs) ?? inputs, redaction?.apply(outputs) ?? outputs);
    const result = await spool.append(prepared, false);
    if (result === 'lost') endpoint.drop();
  }

  return {
    offer(endpoint, serving, answered) {
      const bytes = bytesOf(answered.inputs) + bytesOf(answered.outputs);
      for (const { revision, sampleRate } of serving.shadows) {
        if (sampleRate < 1 && random() >= sampleRate) continue;
        const isFull = queue.length >= maxQueued || queuedBytes + bytes > maxQueuedBytes;
        if (isFull || revision.record.state !== 'ready') {
          revision.record.shadowsDropped += 1;
          continue;
        }
        const redaction = endpoint.redaction.of(revision);
        const trace = answered.trace?.shadow(performance.now());
        queue.push({ ...answered, endpoint, revision, redaction, bytes, trace });
        queuedBytes += bytes;
        offered += 1;
      }
      if (running || queue.length === 0) return;
      running = true;
      setImmediate(() => void drain()); // the primary is answered first
    },
    idle: () =>
      done === offered ? Promise.resolve() : new Promise((resolve) => void waiting.push({ upTo: offered, resolve })),
  };
}

interface ShadowAnswer {
  readonly outputs: readonly Tensor[];
  readonly batch?: BatchRun;
  readonly failure?: { readonly kind: FailureKind; readonly message: string };
}

/** A shadow that fails is an outcome too. */
async function run(
  revision: LiveRevision,
  inputs: readonly Tensor[],
  terms: RunTerms | undefined,
): Promise<ShadowAnswer> {
  try {
    const { outputs, run: batch } = await revision.predict(checkInputs(revision.signature, inputs).inputs, terms);
    return { outputs, batch };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { outputs: [], failure: { kind: isAppError(error) ? error.kind : 'internal', message } };
  }
}

function bytesOf(tensors: readonly Tensor[]): number {
  let total = 0;
  for (const { data } of tensors)
    if (ArrayBuffer.isView(data)) total += data.byteLength;
    else for (const element of data) total += 2 * element.length;
  return total;
}
