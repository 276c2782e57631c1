import { servingHeaders } from '#contracts/serving';
import type { Clock } from '#platform/clock';
import type { Logger } from '#platform/log';
import type { CallableEndpoints } from '../callable-endpoints.ts';
import type { CallContext, InferenceCore } from '../inference.ts';
import { servingErrors } from '../serving-errors.ts';
import type { RequestTrace } from '../tracing/request-trace.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { Conversation, GrpcCall, GrpcMethod, UnaryAnswer } from './grpc-call.ts';
import { addressOf } from './grpc-caller.ts';
import { grpcErrors } from './grpc-errors.ts';
import { namesOf, toStatus } from './grpc-status.ts';
import { beginTrace, endTrace } from './grpc-trace.ts';
import { decodeInferRequest, type InferMessage } from './infer-request-codec.ts';
import { encodeInferResponse, encodeStreamResponse, type InferAnswer } from './infer-response-codec.ts';
import type { OpenStreams } from './open-streams.ts';
import { readRequestTensors } from './request-tensors.ts';
import { type Names, status } from './status-codes.ts';

export interface InferCallsDeps {
  readonly endpoints: CallableEndpoints;
  readonly core: InferenceCore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly streams: OpenStreams;
  readonly draining: () => boolean;
  /** Undefined: no call is traced. */
  readonly tracing: Tracing | undefined;
}

interface Answered {
  readonly answer: InferAnswer;
  readonly names: Names;
}

/** Requests of one stream that may be under way at once; further ones wait where they come from. */
const maxInFlight = 64;

/** `ModelInfer` and `ModelStreamInfer`: from bytes to tensors, through the core, and back. */
export function createInferCalls(
  deps: InferCallsDeps,
): Readonly<Record<'ModelInfer' | 'ModelStreamInfer', GrpcMethod>> {
  const { endpoints, core, clock, logger, streams, tracing } = deps;

  async function infer(
    bytes: Buffer,
    message: InferMessage,
    call: GrpcCall,
    startedMs: number,
    trace: RequestTrace | undefined,
  ): Promise<Answered> {
    const receivedAtMs = clock.nowMs();
    if (deps.draining()) throw servingErrors.DRAINING();
    const { project, model } = addressOf(message.modelName, call);
    const { endpoint, principal } = endpoints.find(project, model, call);
    const maxBytes = endpoint.spec.limits?.maxBodyBytes;
    if (maxBytes !== undefined && bytes.length > maxBytes) throw servingErrors.BODY_TOO_LARGE(maxBytes);
    refuseSequences(message);
    const context: CallContext = {
      version: message.modelVersion === '' ? undefined : message.modelVersion,
      principal,
      receivedAtMs,
      startedMs,
      requestId: call.header(servingHeaders.requestId),
      traceparent: call.header('traceparent'),
      trace,
      keyHeader: call.header(servingHeaders.key),
      eventTimeHeader: call.header(servingHeaders.eventTime),
      ...(call.deadlineMs !== undefined && { deadlineMs: call.deadlineMs }),
      signal: call,
      header: (name) => call.header(name),
    };
    const request = {
      id: message.id === '' ? undefined : message.id,
      parameters: message.parameters,
      inputs: readRequestTensors(bytes, message),
      outputs: message.outputs.length === 0 ? undefined : message.outputs,
      classes: message.classes,
    };
    const { predictionId, revision, outputs } = await core.infer(endpoint, request, context);
    return {
      answer: {
        modelName: message.modelName,
        modelVersion: revision.version,
        id: message.id,
        // the metadata of a call is out of reach of some clients, and is one for all answers of a stream
        parameters: [
          ['prediction_id', predictionId],
          ['revision', revision.id],
        ],
        outputs,
        raw: message.raw.length > 0,
      },
      names: namesOf(predictionId, revision.id),
    };
  }

  async function modelInfer(bytes: Buffer, call: GrpcCall): Promise<UnaryAnswer> {
    const startedMs = performance.now();
    const trace = tracing === undefined ? undefined : beginTrace(tracing, call, 'ModelInfer', startedMs);
    if (trace !== undefined) call.onOver((code) => endTrace(trace, code));
    const { answer, names } = await infer(bytes, decodeInferRequest(bytes), call, startedMs, trace);
    return { message: encodeInferResponse(answer), names };
  }

  /** One answer of a stream, whatever comes of it: a failure is told in it, and the stream goes on. */
  async function answerInBand(bytes: Buffer, call: GrpcCall): Promise<Buffer> {
    let message: InferMessage | undefined;
    const startedMs = performance.now();
    const trace = tracing === undefined ? undefined : beginTrace(tracing, call, 'ModelStreamInfer', startedMs);
    try {
      const decoded = (message = decodeInferRequest(bytes));
      const { answer } = await infer(bytes, decoded, call, startedMs, trace);
      const encoded = encodeStreamResponse(encodeInferResponse(withFinal(answer, message)), '');
      if (trace !== undefined) endTrace(trace, status.OK);
      return encoded;
    } catch (error) {
      const { code, details = '' } = toStatus(error, logger);
      if (trace !== undefined) endTrace(trace, code);
      const { modelName = '', modelVersion = '', id = '' } = message ?? {};
      const failed: InferAnswer = { modelName, modelVersion, id, parameters: [], outputs: [], raw: true };
      return encodeStreamResponse(encodeInferResponse(withFinal(failed, message)), details);
    } finally {
      call.release(bytes);
    }
  }

  /** Answers come in the order of their requests, which run beside one another. */
  function modelStreamInfer(call: GrpcCall): Conversation {
    let inFlight = 0;
    let tail: Promise<void> = Promise.resolve();
    let stopping = false;

    const send = async (before: Promise<void>, answer: Promise<Buffer>): Promise<void> => {
      await before;
      call.send(await answer);
      await call.sent();
      inFlight -= 1;
      if (inFlight < maxInFlight && !stopping) call.resume();
    };
    const endAfter = (finish: () => void): void => void tail.then(finish, finish);
    /** Ends after the answers to what has come. */
    const stop = (why: unknown): void => {
      stopping = true;
      call.pause();
      endAfter(() => call.fail(why));
    };
    streams.add(call, () => stop(servingErrors.DRAINING()));
    return {
      failed: stop,
      message(bytes) {
        inFlight += 1;
        if (inFlight >= maxInFlight) call.pause();
        tail = send(tail, answerInBand(bytes, call));
      },
      end: () => endAfter(() => call.end()),
    };
  }

  return { ModelInfer: { unary: modelInfer }, ModelStreamInfer: { stream: modelStreamInfer } };
}

/** Clients of streams may ask to be told that an answer is the last one to its request; here each request has one. */
function withFinal(answer: InferAnswer, message: InferMessage | undefined): InferAnswer {
  if (message?.parameters['triton_enable_empty_final_response'] !== true) return answer;
  return { ...answer, parameters: [...answer.parameters, ['triton_final_response', true]] };
}

function refuseSequences({ parameters }: InferMessage): void {
  const sequence = parameters['sequence_id'];
  if (sequence !== undefined && sequence !== 0 && sequence !== '')
    throw grpcErrors.CALL_NOT_SUPPORTED(
      'requests of a sequence are not served: send each by itself, without a sequence_id',
    );
}
