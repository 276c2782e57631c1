import type { Clock } from '#platform/clock';
import type { CallableEndpoints } from '../callable-endpoints.ts';
import type { Endpoint } from '../endpoint.ts';
import type { InferenceCore } from '../inference.ts';
import type { ModelControl } from '../model-control.ts';
import type { RequestMemory } from '../request-memory.ts';
import type { Tracing } from '../tracing/tracing.ts';

/** What the routes of the REST listener stand on. */
export interface RestServices {
  readonly endpoints: CallableEndpoints;
  readonly core: InferenceCore;
  readonly models: ModelControl;
  readonly memory: RequestMemory;
  readonly clock: Clock;
  /** Undefined: no request is traced. */
  readonly tracing: Tracing | undefined;
  readonly programVersion: string;
  /** Of one request's body, packed or not; an endpoint may take less. */
  readonly maxBodyBytes: number;
  /** Why the process is not ready; undefined when it is. */
  readonly unreadiness: () => string | undefined;
  readonly draining: () => boolean;
  /** The figures of these endpoints, as Prometheus reads them. */
  readonly metrics: (endpoints: readonly Endpoint[]) => string;
}
