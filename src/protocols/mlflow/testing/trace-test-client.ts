import type { TestDatabase } from '#platform/testing/database';
import { useMlflow } from './mlflow-test-client.ts';

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

/** `useMlflow`, and the calls about traces that its tests make. */
export function useTraces(open: () => Promise<TestDatabase>) {
  const { state, makeProject, inject } = useMlflow(open);
  async function send(options: Parameters<typeof inject>[0]): Promise<{ status: number; body: Body }> {
    const { statusCode, body } = await inject(options);
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

  return { state, makeProject, send, call, get, spans, tell, search, idsOf };
}
