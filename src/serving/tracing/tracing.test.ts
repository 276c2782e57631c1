import { expect, test } from 'vitest';
import { createTestClient } from '../grpc/testing/grpc-client.ts';
import { aControlPlane, aPlane, flush, ready, revisions } from '../testing/plane-in-test.ts';
import { aSpanCollector, attributesOf, type CollectedSpan } from '../testing/span-collector.ts';
import { aHome, anEndpoint, buildTimeoutMs, columnsBody, fixture, post } from '../testing/test-plane.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
const toCollector = (url: string, more: Readonly<Record<string, string>> = {}) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: url,
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
  OTEL_BSP_SCHEDULE_DELAY: '20',
  ...more,
});

/** The spans of one trace by name, the request's own as `request`. */
function byName(spans: readonly CollectedSpan[], trace: string): Readonly<Record<string, CollectedSpan>> {
  return Object.fromEntries(
    spans.filter((span) => span.traceId === trace).map((span) => [span.kind === 2 ? 'request' : span.name, span]),
  );
}

test(
  "a request goes on in its caller's trace with a span for each stage, and its record names the span",
  async () => {
    const [control, collector] = [await aControlPlane(), await aSpanCollector()];
    const [r1] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1])] });
    const plane = await aPlane(control, aHome(), {
      grpcPort: 0,
      otel: toCollector(collector.url, {
        OTEL_EXPORTER_OTLP_HEADERS: 'x-team=a%20b',
        OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test',
        OTEL_SERVICE_NAME: 'late',
      }),
    });
    await ready(control, 1);
    const headers = { traceparent, tracestate: 'a=1,b=2' };
    const answer = await post(plane.infer, columnsBody(3), headers);
    expect(answer.status).toBe(200);
    const spans = await collector.reached(7);
    const { request, ...stages } = byName(spans, traceId);
    expect(request).toMatchObject({
      parentSpanId: '00f067aa0ba902b7',
      traceState: 'a=1,b=2',
      name: 'POST /v2/models/{model}/infer',
    });
    expect(request?.status).toBeUndefined();
    expect(attributesOf(request as CollectedSpan)).toEqual({
      'http.request.method': 'POST',
      'http.route': '/v2/models/{model}/infer',
      'url.path': '/v2/models/m/infer',
      'http.response.status_code': '200',
      'tidemill.prediction_id': answer.headers.get('x-tidemill-prediction-id'),
      'tidemill.project': 'default',
      'tidemill.endpoint': 'm',
      'tidemill.revision': 'r1',
      'tidemill.model': 'model:test@1',
      'tidemill.rows': '1',
      'tidemill.reason': 'only',
    });
    // one after the other, inside the request's
    const names = ['receive', 'decode', 'queue', 'compute', 'record', 'encode'];
    expect(Object.keys(stages).toSorted()).toEqual(names.toSorted());
    let last = BigInt(request?.startTimeUnixNano ?? 0);
    for (const name of names) {
      const { parentSpanId, startTimeUnixNano, endTimeUnixNano } = stages[name] as CollectedSpan;
      expect([name, parentSpanId, BigInt(startTimeUnixNano) >= last]).toEqual([name, request?.spanId, true]);
      last = BigInt(endTimeUnixNano);
    }
    expect(last).toBeLessThanOrEqual(BigInt(request?.endTimeUnixNano ?? 0));
    expect(Math.abs(Number(last / 1_000_000n) - Date.now())).toBeLessThan(60_000);
    expect(attributesOf({ attributes: collector.resource })).toMatchObject({
      'service.name': 'late',
      'service.version': '0',
      'service.instance.id': 'r',
      'deployment.environment': 'test',
    });
    expect(collector.headers).toMatchObject({ path: '/v1/traces', 'x-team': 'a b', 'content-encoding': 'gzip' });

    const client = createTestClient(plane.grpcAddress ?? '');
    const inGrpc = traceId.replace('4b', '5c');
    const metadata = { traceparent: traceparent.replace(traceId, inGrpc), tracestate: 'c=3' };
    const { code } = await client.call('ModelInfer', { model_name: 'nothing' }, { metadata });
    expect((await client.call('TraceSetting', {})).value).toMatchObject({
      settings: { trace_level: { value: ['TIMESTAMPS'] } },
    });
    client.close();
    const setting = await (await fetch(`${plane.url}/v2/trace/setting`)).json();
    expect(setting).toMatchObject({ trace_level: ['TIMESTAMPS'] });
    expect(code).toBe(5);
    await collector.reached(8);
    const refused = byName(spans, inGrpc)['request'] as CollectedSpan;
    expect(refused).toMatchObject({ name: 'inference.GRPCInferenceService/ModelInfer', traceState: 'c=3' });
    expect(attributesOf(refused)).toMatchObject({ 'rpc.method': 'ModelInfer', 'rpc.grpc.status_code': '5' });
    await flush(control, 1);
    expect(control.records[0]?.traceparent).toBe(`00-${traceId}-${request?.spanId}-01`);
  },
  buildTimeoutMs,
);

test(
  'a shadow goes on below the span of its request, with what became of it, and its record names its own span',
  async () => {
    const [control, collector] = [await aControlPlane(), await aSpanCollector()];
    const all = revisions(control);
    const gather = control.revision('g', fixture('gather.onnx'));
    control.publish({
      endpoints: [anEndpoint([...all, gather], { shadows: [{ revision: 'r2' }, { revision: 'g' }] })],
    });
    const plane = await aPlane(control, aHome(), { otel: toCollector(collector.url) });
    await ready(control, 1);
    await post(plane.infer, columnsBody(3), { traceparent });
    const spans = (await collector.reached(7 + 5 + 3)).filter((span) => span.traceId === traceId);
    const request = spans.find(({ kind }) => kind === 2);
    const shadows = spans.filter(({ name }) => name === 'shadow');
    expect(shadows.map(({ parentSpanId, kind }) => [parentSpanId, kind])).toEqual([
      [request?.spanId, 1],
      [request?.spanId, 1],
    ]);
    const [good, failed] = ['r2', 'g'].map((id) =>
      shadows.find((span) => attributesOf(span)['tidemill.revision'] === id),
    );
    const below = (span: CollectedSpan | undefined) =>
      spans.filter(({ parentSpanId }) => parentSpanId === span?.spanId).map(({ name }) => name);
    expect(below(good)).toEqual(['wait', 'queue', 'compute', 'record']);
    expect(below(failed)).toEqual(['wait', 'record']);
    expect(failed?.status).toMatchObject({ code: 2, message: expect.stringContaining('index') });
    await flush(control, 2);
    const [primary, ...others] = control.records.toSorted((a, b) => a.role.localeCompare(b.role));
    expect(attributesOf(good as CollectedSpan)).toMatchObject({
      'tidemill.shadow_of': primary?.predictionId,
      'tidemill.reason': 'shadow',
    });
    expect(primary?.traceparent).toBe(`00-${traceId}-${request?.spanId}-01`);
    expect(new Set(others.map((record) => record.traceparent))).toEqual(
      new Set(shadows.map(({ spanId }) => `00-${traceId}-${spanId}-01`)),
    );

    // the caller records nothing: neither does the shadow
    const seen = collector.spans.length;
    await post(plane.infer, columnsBody(4), { traceparent: traceparent.replace(/01$/, '00') });
    await flush(control, 3);
    await post(plane.infer, columnsBody(5), { traceparent });
    await collector.reached(seen + 15);
    expect(collector.spans).toHaveLength(seen + 15);
  },
  buildTimeoutMs,
);

test(
  'requests that share a run link to it, and a caller that does not record is not recorded here',
  async () => {
    const [control, collector] = [await aControlPlane(), await aSpanCollector()];
    control.publish({
      endpoints: [anEndpoint([control.revision('r', fixture('columns-1.onnx'), { maxBatchDelayMs: 30 })])],
    });
    const plane = await aPlane(control, aHome(), { otel: toCollector(collector.url) });
    await ready(control, 1);
    const body = columnsBody(1);
    const { status } = await post(plane.infer, body, { traceparent: traceparent.replace(/01$/, '00') });
    expect(status).toBe(200);
    const answers = await Promise.all(Array.from({ length: 9 }, () => post(plane.infer, body)));
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 9 }, () => 200));
    const spans = await collector.reached(9 * 7);
    expect(spans.some((span) => span.traceId === traceId)).toBe(false);
    const runs = spans.filter(({ name }) => name === 'compute');
    const shared = runs.filter((span) => attributesOf(span)['tidemill.batch.shared'] === true);
    expect(shared.length).toBeGreaterThanOrEqual(2);
    for (const span of shared)
      for (const link of span.links) {
        const other = shared.find(({ spanId }) => spanId === link.spanId);
        expect(other?.traceId).toBe(link.traceId);
        expect(other?.links.some(({ spanId }) => spanId === span.spanId)).toBe(true);
        expect(other?.endTimeUnixNano).toBe(span.endTimeUnixNano);
      }
    expect(shared.every(({ links }) => links.length > 0)).toBe(true);
    expect(new Set(spans.map((span) => span.traceId)).size).toBe(9);
  },
  buildTimeoutMs,
);

test(
  'spans that a collector does not take are counted and hold no request up',
  async () => {
    const [control, collector] = [await aControlPlane(), await aSpanCollector()];
    const [r1] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1])] });
    const plane = await aPlane(control, aHome(), {
      otel: toCollector(collector.url, { OTEL_BSP_MAX_QUEUE_SIZE: '20', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '10' }),
    });
    await ready(control, 1);
    const figures = async () => {
      const text = await (await fetch(`${plane.url}/metrics`)).text();
      const figure = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
      return {
        sent: figure('tidemill_trace_spans_exported_total'),
        full: figure('tidemill_trace_spans_dropped_total\\{reason="queue_full"\\}'),
        failed: figure('tidemill_trace_spans_dropped_total\\{reason="export_failed"\\}'),
      };
    };
    collector.answer(200, { partialSuccess: { rejectedSpans: '2' } });
    await post(plane.infer, columnsBody(1));
    await expect.poll(figures, { timeout: 5_000, interval: 20 }).toEqual({ sent: 5, full: 0, failed: 2 });
    collector.answer(401);
    await post(plane.infer, columnsBody(1));
    await expect.poll(figures, { timeout: 5_000, interval: 20 }).toEqual({ sent: 5, full: 0, failed: 9 });
    collector.answer(503); // may pass: the batch is tried again, and what comes meanwhile finds the queue full
    await Promise.all(Array.from({ length: 12 }, () => post(plane.infer, columnsBody(1))));
    const { full } = await figures();
    expect(full).toBeGreaterThan(0);
    collector.answer(200);
    await expect.poll(async () => (await figures()).sent, { timeout: 5_000 }).toBeGreaterThan(5);
    const { sent, failed } = await figures();
    expect(sent + full + failed).toBe(14 * 7);
  },
  buildTimeoutMs,
);
