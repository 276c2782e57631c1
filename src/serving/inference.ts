import type { PredictionEnvelope } from '#contracts/prediction-record';
import { prepareRecord } from '#contracts/spool-frame';
import { emptyData, type Tensor } from '#contracts/tensor';
import { type AppError, isAppError } from '#platform/errors';
import type { Ids } from '#platform/ids';
import type { BatchRun, RunTerms } from '#runtimes/batcher';
import { type CheckedInputs, checkInputs } from '#runtimes/check-inputs';
import type { CallContext } from './call-context.ts';
import { chooseRevision } from './choose-revision.ts';
import { classify } from './classification.ts';
import type { FailureKind } from './counters.ts';
import type { Endpoint } from './endpoint.ts';
import type { InferRequest } from './infer-request.ts';
import type { LiveRevision } from './live-revision.ts';
import { errorOf, redactedOf, stageTimesUs, subjectOf, toUs, traceOf } from './prediction-envelope.ts';
import type { Redaction } from './redaction.ts';
import { cacheKey } from './response-cache.ts';
import { type RowFacts, readRowFacts } from './row-facts.ts';
import { readTerms, routedTerms } from './run-terms.ts';
import { servingErrors } from './serving-errors.ts';
import type { ShadowQueue } from './shadows.ts';
import type { Spool } from './spool.ts';

export type { CallContext } from './call-context.ts';

export interface Inference {
  readonly predictionId: string;
  readonly revision: LiveRevision;
  readonly outputs: readonly Tensor[];
}

export interface InferenceCore {
  /** One request, from its tensors to its outputs; the record is in the spool when it resolves. */
  infer(endpoint: Endpoint, request: InferRequest, call: CallContext): Promise<Inference>;
}

/** Carries what a failed request's answer still names. */
export interface FailedInference {
  readonly predictionId: string;
  readonly revision: string;
}
const failures = new WeakMap<Error, FailedInference>();
export const findFailedInference = (error: Error): FailedInference | undefined => failures.get(error);

/** What came of asking the model, or of looking the answer up. */
interface Outcome {
  readonly outputs: readonly Tensor[];
  readonly askedMs: number;
  /** Absent when it did not run. */
  readonly run?: BatchRun;
  readonly cached?: boolean;
  readonly failure?: AppError;
  /** Which branches of a graph the rows took. */
  readonly branches?: PredictionEnvelope['branches'];
}

export function createInferenceCore(deps: {
  readonly spool: Spool;
  readonly shadows: ShadowQueue;
  readonly ids: Ids;
  readonly random?: () => number;
}): InferenceCore {
  const { spool, shadows, ids, random = Math.random } = deps;

  /** Which requests are recorded; one that must be is refused when there is no room. */
  function isCaptured({ capture }: Endpoint['spec']): boolean {
    if (!capture.enabled) return false;
    const captured = capture.sampleRate === undefined || capture.sampleRate >= 1 || random() < capture.sampleRate;
    if (captured && capture.onFull === 'refuse' && spool.full) throw servingErrors.SPOOL_FULL();
    return captured;
  }

  async function record(
    endpoint: Endpoint,
    envelope: PredictionEnvelope,
    redaction: Redaction | undefined,
    inputs: readonly Tensor[],
    outputs: readonly Tensor[],
  ): Promise<void> {
    const { spec } = endpoint;
    const result = await spool.append(
      prepareRecord(envelope, redaction?.apply(inputs) ?? inputs, redaction?.apply(outputs) ?? outputs),
      spec.capture.durability === 'fsync',
    );
    if (result !== 'lost') return;
    if (spec.capture.onFull === 'refuse') throw servingErrors.SPOOL_FULL();
    endpoint.drop();
  }

  return {
    async infer(endpoint, asked, call) {
      endpoint.rate.take(call.principal, call.startedMs);
      const { serving, choice } = chooseRevision(endpoint, asked, call, random);
      const revision = choice.target;
      const redaction = endpoint.redaction.of(revision);
      const counters = revision.record.primary;
      const predictionId = ids.next();
      counters.received();
      try {
        const request = asked.readAs === undefined ? asked : { ...asked, inputs: asked.readAs(revision.signature) };
        const checked = check(endpoint, revision, request);
        const { rows } = checked;
        const facts = readFacts(endpoint, request, call, rows);
        const captured = isCaptured(endpoint.spec);
        const outcome = await ask(endpoint, revision, request, checked, facts, call);
        const { outputs, run, cached, failure, branches } = outcome;
        call.trace?.ran(outcome.askedMs, run);
        const durationUs = toUs(performance.now() - call.startedMs);
        const stagesUs = run && stageTimesUs(call.completeMs ?? call.startedMs, outcome.askedMs, run);
        const envelope: PredictionEnvelope = {
          version: 1,
          predictionId,
          requestId: request.id ?? call.requestId ?? predictionId,
          keys: facts.keys as string[],
          rows,
          eventTimesMs: facts.eventTimesMs as number[],
          receivedAtMs: call.receivedAtMs,
          durationUs,
          project: endpoint.project,
          endpoint: endpoint.name,
          revision: revision.id,
          modelRef: revision.modelRef,
          role: 'primary',
          reason: choice.reason,
          propensity: choice.propensity,
          status: failure === undefined ? 'ok' : 'error',
          ...(failure !== undefined && { error: errorOf(failure, redaction) }),
          principal: call.principal,
          ...traceOf(call),
          ...subjectOf(endpoint.spec, facts.subject, revision, checked, redaction),
          ...(stagesUs !== undefined && { stagesUs }),
          ...(branches !== undefined && { branches }),
          ...(cached === true && { cached }),
          ...redactedOf(redaction),
        };
        if (captured) await record(endpoint, envelope, redaction, checked.inputs, outputs);
        call.trace?.tellPrediction(envelope);
        if (failure !== undefined) throw failure;
        counters.answered(rows, durationUs, greatest(facts.eventTimesMs) ?? call.receivedAtMs);
        if (run !== undefined && stagesUs !== undefined) counters.ran(run, stagesUs);
        if (cached !== undefined) counters.cacheLookedUp(cached, durationUs);
        if (serving.shadows.length > 0 && rows > 0)
          shadows.offer(endpoint, serving, { envelope, inputs: request.inputs, outputs, captured, trace: call.trace });
        return {
          predictionId,
          revision,
          outputs: classify(select(outputs, request.outputs), request.classes, revision.signature),
        };
      } catch (error) {
        counters.failed(kindOf(error), toUs(performance.now() - call.startedMs));
        call.trace?.fail(
          isAppError(error, 'MODEL_RUN_FAILED') || isAppError(error, 'INPUT_INVALID')
            ? errorOf(error, redaction)
            : isAppError(error)
              ? error.message
              : 'unexpected',
        );
        if (error instanceof Error) failures.set(error, { predictionId, revision: revision.id });
        throw error;
      }
    },
  };
}

/** The answer from the cache or the model; a model that raised is an outcome, which is recorded. */
async function ask(
  endpoint: Endpoint,
  revision: LiveRevision,
  request: InferRequest,
  { inputs, rows }: CheckedInputs,
  facts: RowFacts,
  call: CallContext,
): Promise<Outcome> {
  const askedMs = performance.now();
  if (rows === 0) return { outputs: emptyOutputs(revision), askedMs };
  const terms = readTerms(request.parameters, call, revision.takesParameters);
  if (revision.isGraph) {
    const routed = routedTerms(revision, terms, facts.keys);
    return { ...(await runOnce(endpoint, revision, inputs, routed.terms, askedMs)), ...routed.branches() };
  }
  return runOnce(endpoint, revision, inputs, terms, askedMs);
}

async function runOnce(
  endpoint: Endpoint,
  revision: LiveRevision,
  inputs: readonly Tensor[],
  terms: RunTerms,
  askedMs: number,
): Promise<Outcome> {
  const isCached = endpoint.spec.cache !== undefined && !revision.takesKeys;
  const key = isCached ? cacheKey(revision.id, inputs, terms.parameters) : undefined;
  const known = key === undefined ? undefined : endpoint.cache.find(key);
  if (known !== undefined) return { outputs: known, askedMs, cached: true };
  try {
    const { outputs, run } = await revision.predict(inputs, terms);
    if (key === undefined) return { outputs, askedMs, run };
    endpoint.cache.keep(key, outputs);
    return { outputs, askedMs, run, cached: false };
  } catch (error) {
    if (!isAppError(error, 'MODEL_RUN_FAILED')) throw error;
    return { outputs: [], askedMs, failure: error };
  }
}

function readFacts(endpoint: Endpoint, request: InferRequest, call: CallContext, rows: number): RowFacts {
  return readRowFacts(rows, {
    parameters: request.parameters,
    keyHeader: call.keyHeader,
    eventTimeHeader: call.eventTimeHeader,
    receivedAtMs: call.receivedAtMs,
    replay: endpoint.spec.replay === true,
  });
}

function kindOf(error: unknown): FailureKind {
  if (isAppError(error, 'SPOOL_FULL')) return 'unrecorded';
  if (isAppError(error, 'REQUEST_ABANDONED')) return 'abandoned';
  return isAppError(error) ? error.kind : 'internal';
}

function check(endpoint: Endpoint, revision: LiveRevision, request: InferRequest): CheckedInputs {
  for (const { name, hasNull } of request.inputs)
    if (hasNull && !revision.nullable.has(name) && revision.signature.inputs.some((input) => input.name === name))
      throw servingErrors.REQUEST_MALFORMED(`input "${name}" has a null, and the model's signature does not allow one`);
  const checked = checkInputs(revision.signature, request.inputs);
  const maxRows = endpoint.spec.limits?.maxRows ?? 100_000;
  if (checked.rows > maxRows)
    throw servingErrors.REQUEST_MALFORMED(`the request has ${checked.rows} rows; this model takes ${maxRows} at once`);
  for (const name of request.outputs ?? [])
    if (!revision.signature.outputs.some((output) => output.name === name))
      throw servingErrors.REQUEST_MALFORMED(
        `the model has no output "${name}"; it has ${revision.signature.outputs.map((output) => output.name).join(', ')}`,
      );
  return checked;
}

function select(outputs: readonly Tensor[], names: readonly string[] | undefined): readonly Tensor[] {
  return names === undefined
    ? outputs
    : names.flatMap((name) => outputs.filter((output) => output.name === name).slice(0, 1));
}

function emptyOutputs(revision: LiveRevision): readonly Tensor[] {
  return revision.signature.outputs.map(({ name, datatype, shape }) => ({
    name,
    datatype,
    shape: shape.length === 0 ? [0] : shape.map((dimension, index) => (index === 0 ? 0 : Math.max(dimension, 0))),
    data: datatype === 'BYTES' ? [] : emptyData(datatype, 0),
  }));
}

function greatest(times: readonly number[]): number | undefined {
  let latest = times[0];
  for (const time of times) if (latest === undefined || time > latest) latest = time;
  return latest;
}
