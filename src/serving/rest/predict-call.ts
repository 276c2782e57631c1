import { servingHeaders } from '#contracts/serving';
import type { Endpoint } from '../endpoint.ts';
import type { InferRequest } from '../infer-request.ts';
import type { Inference } from '../inference.ts';
import { servingErrors } from '../serving-errors.ts';
import type { HeaderList } from './answers.ts';
import { readBody } from './request-body.ts';
import type { RestCall, RestResponse } from './rest-route.ts';
import type { RestServices } from './rest-services.ts';
import { beginTrace } from './trace-call.ts';

export type Predict = <Request extends InferRequest>(
  call: RestCall,
  parse: (body: Buffer, endpoint: Endpoint) => Request,
) => Promise<{ readonly parsed: Request; readonly inference: Inference }>;

/**
 * Whether the client is gone. A class, because V8 makes a hidden class of its own for each literal with a getter: it lives,
 * and with it all that the getter sees, until the next full collection.
 */
class ClientSignal {
  readonly #response: RestResponse;

  constructor(response: RestResponse) {
    this.#response = response;
  }

  get aborted(): boolean {
    return this.#response.destroyed; // set when the connection closes
  }
}

/** From the bytes of a call to the outputs, whatever dialect; `parse` makes the request that the core answers. */
export function createPredict(services: RestServices): Predict {
  const { endpoints, core, clock, memory, tracing } = services;
  return async (call, parse) => {
    const { request, response, project, model, version } = call;
    const startedMs = performance.now();
    const trace = tracing === undefined ? undefined : beginTrace(tracing, call, startedMs);
    const receivedAtMs = clock.nowMs();
    const { endpoint, principal } = endpoints.find(project, model, request);
    if (services.draining()) throw servingErrors.DRAINING();
    const { headers } = request;
    const ownLimit = endpoint.spec.limits?.maxBodyBytes ?? services.maxBodyBytes;
    const body = await readBody(call, Math.min(ownLimit, services.maxBodyBytes), memory);
    try {
      if (trace !== undefined) trace.receivedMs = performance.now();
      const parsed = parse(body, endpoint);
      const inference = await core.infer(endpoint, parsed, {
        version,
        principal,
        receivedAtMs,
        startedMs,
        requestId: headers[servingHeaders.requestId] as string | undefined,
        traceparent: headers['traceparent'] as string | undefined,
        trace,
        keyHeader: headers[servingHeaders.key] as string | undefined,
        eventTimeHeader: headers[servingHeaders.eventTime] as string | undefined,
        header: (name) => headers[name] as string | undefined,
        signal: new ClientSignal(response),
      });
      return { parsed, inference };
    } finally {
      memory.give(body.length);
    }
  };
}

/** Every answer names its prediction and the revision that made it. */
export const marksOf = ({ predictionId, revision }: Inference): HeaderList => [
  servingHeaders.predictionId,
  predictionId,
  servingHeaders.revision,
  revision.id,
];
