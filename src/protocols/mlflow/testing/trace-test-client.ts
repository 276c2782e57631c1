import type { InjectOptions } from 'fastify';
import type { MlflowTestServer } from '../mlflow-test-server.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- answers of a foreign API, compared with what its clients expect
export type Body = any;

export const traceId = (number: number) => `tr-${number.toString(16).padStart(32, '0')}`;
const spanId = (number: number) => number.toString(16).padStart(16, '0');

interface SpanSketch {
  readonly id: number;
  readonly parent?: number;
  readonly name?: string;
  readonly ms?: readonly [number, number];
  readonly error?: boolean;
  readonly attributes?: Readonly<Record<string, object>>;
}

const toOtlp = (trace: number, spans: readonly SpanSketch[]) => ({
  resourceSpans: [
    {
      scopeSpans: [
        {
          spans: spans.map(({ id, parent, name = `span ${id}`, ms = [1000, 2000], error, attributes = {} }) => ({
            traceId: trace.toString(16).padStart(32, '0'),
            spanId: spanId(id),
            ...(parent !== undefined && { parentSpanId: spanId(parent) }),
            name,
            startTimeUnixNano: `${ms[0]}000000`,
            endTimeUnixNano: `${ms[1]}000000`,
            status: { code: error ? 2 : 1 },
            attributes: Object.entries(attributes).map(([key, value]) => ({ key, value })),
          })),
        },
      ],
    },
  ],
});

/** Calls about traces, of the project that is current, as tests make them. */
export function createTraceTestClient(server: () => MlflowTestServer, project: () => string) {
  async function send(options: InjectOptions & { readonly url: string }): Promise<{ status: number; body: Body }> {
    const { statusCode, body } = await server().app.inject({
      ...options,
      url: `/projects/${project()}${options.url}`,
      headers: { host: 'localhost', ...options.headers },
    });
    return { status: statusCode, body: body === '' ? {} : JSON.parse(body) };
  }
  const call = (method: 'POST' | 'PATCH' | 'DELETE', path: string, payload: object, version = '3.0') =>
    send({ method, url: `/api/${version}/mlflow/traces${path}`, payload });
  const get = (path: string, query: Record<string, string | string[]> = {}, version = '3.0') =>
    send({ method: 'GET', url: `/api/${version}/mlflow/traces${path}`, query });
  const spans = (trace: number, sketches: readonly SpanSketch[], headers: Record<string, string> = {}) =>
    send({
      method: 'POST',
      url: '/v1/traces',
      payload: toOtlp(trace, sketches),
      headers: { 'x-mlflow-experiment-id': '0', ...headers },
    });
  const tell = (number: number, more: object = {}) =>
    call('POST', '', {
      trace: {
        trace_info: {
          trace_id: traceId(number),
          trace_location: { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id: '0' } },
          request_time: new Date(number * 1000).toISOString(),
          execution_duration: '1.5s',
          state: 'OK',
          tags: { 'mlflow.traceName': `trace ${number}` },
          ...more,
        },
      },
    });
  const search = async (filter: string, more: object = {}): Promise<Body> =>
    (
      await call('POST', '/search', {
        locations: [{ type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id: '0' } }],
        filter,
        ...more,
      })
    ).body;
  const idsOf = async (filter: string, more: object = {}): Promise<string[]> =>
    ((await search(filter, more)).traces ?? []).map(({ trace_id }: { trace_id: string }) => trace_id);

  return { send, call, get, spans, tell, search, idsOf };
}
