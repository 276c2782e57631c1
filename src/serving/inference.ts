import type { PredictionEnvelope } from '#contracts/prediction-record';
import { prepareRecord } from '#contracts/spool-frame';
import { emptyData, type Tensor } from '#contracts/tensor';
import { type AppError, isAppError } from '#platform/errors';
import type { Ids } from '#platform/ids';
import { checkInputs } from '#runtimes/check-inputs';
import type { FailureKind } from './counters.ts';
import type { Endpoint, ServingState } from './endpoint.ts';
import type { InferRequest } from './infer-request.ts';
import type { LiveRevision } from './live-revision.ts';
import { type Choice, chooseShare } from './router.ts';
import { readRowFacts } from './row-facts.ts';
import { readTerms } from './run-terms.ts';
import { servingErrors } from './serving-errors.ts';
import type { ShadowQueue } from './shadows.ts';
import type { Spool } from './spool.ts';

/** What the transport knows of a request beside its body. */
export interface CallContext {
  readonly version: string | undefined;
  readonly principal: string;
  readonly receivedAtMs: number;
  /** performance.now() at receipt. */
  readonly startedMs: number;
  readonly requestId: string | undefined;
  readonly traceparent: string | undefined;
  readonly keyHeader: string | undefined;
  readonly eventTimeHeader: string | undefined;
  /** On the scale of performance.now(): when nobody wants the answer any more, as a gRPC deadline says. */
  readonly deadlineMs?: number;
  /** Says that the client is gone; looked at before the model runs, so it needs no event. An AbortSignal is one. */
  readonly signal?: Pick<AbortSignal, 'aborted'>;
  header(name: string): string | undefined;
}

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

export function createInferenceCore(deps: {
  readonly spool: Spool;
  readonly shadows: ShadowQueue;
  readonly ids: Ids;
  readonly random?: () => number;
}): InferenceCore {
  const { spool, shadows, ids, random = Math.random } = deps;

  return {
    async infer(endpoint, request, call) {
      const serving = endpoint.serving ?? unavailable(endpoint);
      const choice = choose(endpoint, serving, request, call, random);
      const revision = choice.target;
      const counters = revision.record.primary;
      const { capture } = endpoint.spec;
      const predictionId = ids.next();
      counters.received();
      try {
        const checked = check(endpoint, revision, request);
        const { rows } = checked;
        const facts = readRowFacts(rows, {
          parameters: request.parameters,
          keyHeader: call.keyHeader,
          eventTimeHeader: call.eventTimeHeader,
          receivedAtMs: call.receivedAtMs,
          replay: endpoint.spec.replay === true,
        });
        const captured =
          capture.enabled &&
          (capture.sampleRate === undefined || capture.sampleRate >= 1 || random() < capture.sampleRate);
        const refuseUnrecorded = captured && capture.onFull === 'refuse';
        if (refuseUnrecorded && spool.full) throw servingErrors.SPOOL_FULL();

        let outputs: readonly Tensor[] = [];
        let failure: AppError | undefined;
        try {
          outputs =
            rows === 0
              ? emptyOutputs(revision)
              : await revision.batcher.predict(checked.inputs, readTerms(request.parameters, call));
        } catch (error) {
          if (!isAppError(error, 'MODEL_RUN_FAILED')) throw error;
          failure = error;
        }
        const durationUs = Math.round((performance.now() - call.startedMs) * 1000);
        const envelope: PredictionEnvelope = {
          version: 1,
          predictionId,
          requestId: request.id ?? call.requestId ?? predictionId,
          keys: [...facts.keys],
          rows,
          eventTimesMs: [...facts.eventTimesMs],
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
          ...(failure !== undefined && { error: failure.message }),
          principal: call.principal,
          ...(call.traceparent !== undefined && { traceparent: call.traceparent }),
          ...subjectOf(endpoint, facts.subject, checked.inputs, rows),
        };
        if (captured) {
          const result = await spool.append(
            prepareRecord(envelope, checked.inputs, outputs),
            capture.durability === 'fsync',
          );
          if (result === 'lost' && refuseUnrecorded) throw servingErrors.SPOOL_FULL();
          if (result === 'lost') endpoint.drop();
        }
        if (failure !== undefined) throw failure;
        counters.answered(rows, durationUs, greatest(facts.eventTimesMs));
        if (serving.shadows.length > 0 && rows > 0)
          shadows.offer(endpoint, serving, envelope, request.inputs, captured);
        return { predictionId, revision, outputs: select(outputs, request.outputs) };
      } catch (error) {
        counters.failed(kindOf(error));
        if (error instanceof Error) failures.set(error, { predictionId, revision: revision.id });
        throw error;
      }
    },
  };
}

function kindOf(error: unknown): FailureKind {
  if (isAppError(error, 'SPOOL_FULL')) return 'unrecorded';
  if (isAppError(error, 'REQUEST_ABANDONED')) return 'abandoned';
  return isAppError(error) ? error.kind : 'internal';
}

function unavailable(endpoint: Endpoint): never {
  switch (endpoint.state) {
    case 'loading':
      throw servingErrors.ENDPOINT_LOADING(endpoint.name);
    case 'failed':
      throw servingErrors.ENDPOINT_FAILED(endpoint.name, endpoint.error ?? 'its model could not be loaded');
    default:
      throw servingErrors.ENDPOINT_WITHOUT_MODEL(endpoint.name);
  }
}

function choose(
  endpoint: Endpoint,
  serving: ServingState,
  request: InferRequest,
  call: CallContext,
  random: () => number,
): Choice<LiveRevision> {
  if (call.version !== undefined) {
    const target = findVersion(serving, call.version);
    if (target !== undefined) return { target, reason: 'pinned', propensity: 1 };
    const known = [...serving.revisions.values()].map(({ version }) => version).join(', ');
    throw servingErrors.VERSION_NOT_FOUND(endpoint.name, call.version, known);
  }
  const value = stickyValue(serving.sticky, request, call);
  const sticky = serving.sticky === undefined || value === undefined ? undefined : { salt: serving.sticky.salt, value };
  return chooseShare(serving.traffic, sticky, random) ?? unavailable(endpoint);
}

/** By version, else by the revision's id; of two revisions of one version the one with more traffic. */
export function findVersion(serving: ServingState, version: string): LiveRevision | undefined {
  const byTraffic = serving.traffic.toSorted((a, b) => b.basisPoints - a.basisPoints).map(({ target }) => target);
  const candidates = [...byTraffic, ...serving.revisions.values()];
  return candidates.find((revision) => revision.version === version) ?? serving.revisions.get(version);
}

/** A request of several rows stays together: its first key decides. */
function stickyValue(sticky: ServingState['sticky'], request: InferRequest, call: CallContext): string | undefined {
  if (sticky === undefined) return undefined;
  if (sticky.by === 'principal') return call.principal;
  if (sticky.by === 'header') return sticky.header === undefined ? undefined : call.header(sticky.header.toLowerCase());
  const rows = request.inputs[0]?.shape[0] ?? 1;
  if (rows === 0) return undefined;
  const facts = { keyHeader: call.keyHeader, eventTimeHeader: undefined, receivedAtMs: 0, replay: true };
  const { keys } = readRowFacts(rows, { ...facts, parameters: { keys: request.parameters['keys'] } });
  return keys[0] ?? undefined;
}

function check(endpoint: Endpoint, revision: LiveRevision, request: InferRequest) {
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

function subjectOf(
  endpoint: Endpoint,
  given: readonly (string | null)[] | undefined,
  inputs: readonly Tensor[],
  rows: number,
): { subject?: (string | null)[] } {
  if (given !== undefined) return { subject: [...given] };
  const column =
    endpoint.spec.subject === undefined ? undefined : inputs.find(({ name }) => name === endpoint.spec.subject);
  if (column === undefined || column.data.length !== rows) return {};
  return { subject: Array.from<unknown, string>(column.data as ArrayLike<unknown>, String) };
}

function greatest(times: readonly number[]): number | undefined {
  let latest = times[0];
  for (const time of times) if (latest === undefined || time > latest) latest = time;
  return latest;
}
