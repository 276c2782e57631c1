import type { Metadata, ServerDuplexStream, ServerUnaryCall, sendUnaryData, UntypedHandleCall } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { servingHeaders } from '#contracts/serving';
import type { Clock } from '#platform/clock';
import type { Logger } from '#platform/log';
import type { CallableEndpoints } from '../callable-endpoints.ts';
import type { CallContext, InferenceCore } from '../inference.ts';
import type { RequestMemory } from '../request-memory.ts';
import { servingErrors } from '../serving-errors.ts';
import type { RequestTrace } from '../tracing/request-trace.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { type AnyCall, addressOf, callerOf, type GrpcCaller } from './grpc-caller.ts';
import { grpcErrors } from './grpc-errors.ts';
import { namesOf, toStatus } from './grpc-status.ts';
import { beginTrace, endTrace } from './grpc-trace.ts';
import { decodeInferRequest, type InferMessage } from './infer-request-codec.ts';
import { encodeInferResponse, encodeStreamResponse, type InferAnswer } from './infer-response-codec.ts';
import type { OpenStreams } from './open-streams.ts';
import { readRequestTensors } from './request-tensors.ts';
import { createUnreadAnswers } from './unread-answers.ts';

export interface InferCallsDeps {
  readonly endpoints: CallableEndpoints;
  readonly core: InferenceCore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly streams: OpenStreams;
  readonly memory: RequestMemory;
  /** Ends the connection of a peer. */
  readonly cut: (peer: string) => void;
  readonly draining: () => boolean;
  /** Undefined: no call is traced. */
  readonly tracing: Tracing | undefined;
}

interface Answered {
  readonly answer: InferAnswer;
  readonly names: Metadata;
}

/** Requests of one stream that may be under way at once; further ones wait where they come from. */
const maxInFlight = 64;

/** `ModelInfer` and `ModelStreamInfer`: from bytes to tensors, through the core, and back. */
export function createInferCalls(
  deps: InferCallsDeps,
): Readonly<Record<'ModelInfer' | 'ModelStreamInfer', UntypedHandleCall>> {
  const { endpoints, core, clock, logger, streams, memory, cut, tracing } = deps;

  async function infer(
    bytes: Buffer,
    message: InferMessage,
    call: AnyCall,
    caller: GrpcCaller,
    startedMs: number,
    trace: RequestTrace | undefined,
  ): Promise<Answered> {
    const receivedAtMs = clock.nowMs();
    if (deps.draining()) throw servingErrors.DRAINING();
    const { project, model } = addressOf(message.modelName, caller);
    const { endpoint, principal } = endpoints.find(project, model, caller);
    const maxBytes = endpoint.spec.limits?.maxBodyBytes;
    if (maxBytes !== undefined && bytes.length > maxBytes) throw servingErrors.BODY_TOO_LARGE(maxBytes);
    refuseSequences(message);
    const context: CallContext = {
      version: message.modelVersion === '' ? undefined : message.modelVersion,
      principal,
      receivedAtMs,
      startedMs,
      requestId: caller.header(servingHeaders.requestId),
      traceparent: caller.header('traceparent'),
      trace,
      keyHeader: caller.header(servingHeaders.key),
      eventTimeHeader: caller.header(servingHeaders.eventTime),
      ...deadlineOf(call, receivedAtMs, startedMs),
      signal: new CallSignal(call),
      header: (name) => caller.header(name),
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

  /** The bytes of a request count until it is answered. */
  async function withRoom<Result>(request: Buffer, work: () => Promise<Result>): Promise<Result> {
    memory.take(request.length);
    try {
      return await work();
    } finally {
      memory.give(request.length);
    }
  }

  function modelInfer(call: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>): void {
    const startedMs = performance.now();
    const caller = callerOf(call);
    const trace = tracing === undefined ? undefined : beginTrace(tracing, caller, 'ModelInfer', startedMs);
    const answered = async (): Promise<void> => {
      const { answer, names } = await withRoom(call.request, () =>
        infer(call.request, decodeInferRequest(call.request), call, caller, startedMs, trace),
      );
      const bytes = encodeInferResponse(answer);
      const unread = createUnreadAnswers(call, memory, cut);
      unread.hold(bytes.length);
      unread.waiting();
      respond(null, bytes, names);
      if (trace !== undefined) endTrace(trace, status.OK);
    };
    answered().catch((error: unknown) => {
      const told = toStatus(error, logger);
      respond(told);
      if (trace !== undefined) endTrace(trace, told.code);
    });
  }

  /** One answer of a stream, whatever comes of it: a failure is told in it, and the stream goes on. */
  async function answerInBand(bytes: Buffer, call: AnyCall): Promise<Buffer> {
    let message: InferMessage | undefined;
    const startedMs = performance.now();
    const caller = callerOf(call);
    const trace = tracing === undefined ? undefined : beginTrace(tracing, caller, 'ModelStreamInfer', startedMs);
    try {
      const decoded = (message = decodeInferRequest(bytes));
      const { answer } = await withRoom(bytes, () => infer(bytes, decoded, call, caller, startedMs, trace));
      const encoded = encodeStreamResponse(encodeInferResponse(withFinal(answer, message)), '');
      if (trace !== undefined) endTrace(trace, status.OK);
      return encoded;
    } catch (error) {
      const { code, details = '' } = toStatus(error, logger);
      if (trace !== undefined) endTrace(trace, code);
      const { modelName = '', modelVersion = '', id = '' } = message ?? {};
      const failed: InferAnswer = { modelName, modelVersion, id, parameters: [], outputs: [], raw: true };
      return encodeStreamResponse(encodeInferResponse(withFinal(failed, message)), details);
    }
  }

  /** Answers come in the order of their requests, which run beside one another. */
  function modelStreamInfer(call: ServerDuplexStream<Buffer, Buffer>): void {
    let inFlight = 0;
    let tail: Promise<void> = Promise.resolve();
    let stopping = false;
    const unread = createUnreadAnswers(call, memory, cut);

    const send = async (before: Promise<void>, answer: Promise<Buffer>): Promise<void> => {
      const made = answer.then((bytes) => {
        unread.hold(bytes.length);
        return bytes;
      });
      await before;
      const bytes = await made;
      if (!call.cancelled && !call.write(bytes, () => unread.release(bytes.length))) {
        unread.waiting();
        await drained(call);
        unread.settled();
      }
      inFlight -= 1;
      if (inFlight < maxInFlight && !stopping) call.resume();
    };
    call.on('data', (bytes: Buffer) => {
      if (stopping) return; // came after the end was decided: the caller sees which requests have no answer
      inFlight += 1;
      if (inFlight >= maxInFlight) call.pause();
      tail = send(tail, answerInBand(bytes, call));
    });
    const endAfter = (finish: () => void): void => void tail.then(finish, finish);
    call.on('end', () => endAfter(() => call.end()));
    call.on('error', () => undefined); // the status that ends the call
    streams.add(call, () => {
      stopping = true;
      call.pause();
      endAfter(() => call.emit('error', { code: status.UNAVAILABLE, details: servingErrors.DRAINING().message }));
    });
  }

  return { ModelInfer: modelInfer, ModelStreamInfer: modelStreamInfer };
}

/** Waits until more may be written, or the caller is gone. */
function drained(call: ServerDuplexStream<Buffer, Buffer>): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      call.off('drain', done);
      call.off('cancelled', done);
      resolve();
    };
    call.on('drain', done);
    call.on('cancelled', done);
    if (call.cancelled) done();
  });
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

/** A deadline comes by the clock of the day; ours is on the scale of performance.now(). */
function deadlineOf(call: AnyCall, receivedAtMs: number, startedMs: number): { readonly deadlineMs?: number } {
  const deadline = Number(call.getDeadline());
  return Number.isFinite(deadline) ? { deadlineMs: startedMs + (deadline - receivedAtMs) } : {};
}

/** Whether the client is gone; a class for the reason of REST's. */
class CallSignal {
  readonly #call: AnyCall;

  constructor(call: AnyCall) {
    this.#call = call;
  }

  get aborted(): boolean {
    return this.#call.cancelled;
  }
}
