import { expect, test } from 'vitest';
import { getTrace } from '../../src/contracts/traces.ts';
import { aControlPlane, aPlane, ready, revisions } from '../../src/serving/testing/plane-in-test.ts';
import { aHome, anEndpoint, columnsBody, post } from '../../src/serving/testing/test-plane.ts';
import { startControlPlane } from '../support/control-plane.ts';

test('traces of requests that are sent to a control plane are read there', async () => {
  const { url, client } = await startControlPlane();
  const pool = await aControlPlane();
  const [r1] = revisions(pool);
  pool.publish({ endpoints: [anEndpoint([r1])] });
  const plane = await aPlane(pool, aHome(), {
    otel: {
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-mlflow-experiment-id=0',
      OTEL_BSP_SCHEDULE_DELAY: '10',
    },
  });
  await ready(pool, 1);
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const parent = '00f067aa0ba902b7';
  const asked = await post(plane.infer, columnsBody(3), {
    traceparent: `00-${traceId}-${parent}-01`,
    tracestate: 'a=1',
  });
  const broken = await post(plane.infer, 'nothing', { traceparent: `00-${traceId}-${parent}-01` });
  expect([asked.status, broken.status]).toEqual([200, 400]);

  const read = () => client.call(getTrace, { params: { traceId: `tr-${traceId}` } });
  await expect.poll(async () => (await read().catch(() => ({ spans: [] }))).spans.length).toBe(9);
  const { spans } = await read();
  const [request, ...stages] = spans.filter(
    ({ id, parent: of }) => of === parent && spans.some((one) => one.parent === id),
  );
  const ofRequest = spans.filter((span) => span.parent === request?.id);
  expect(ofRequest.map(({ name }) => name)).toEqual(['receive', 'decode', 'queue', 'compute', 'record', 'encode']);
  expect(request).toMatchObject({
    name: 'POST /v2/models/{model}/infer',
    attributes: {
      'tidemill.prediction_id': asked.headers.get('x-tidemill-prediction-id'),
      'tidemill.model': 'model:test@1',
      'tidemill.rows': 1,
      'http.response.status_code': 200,
    },
  });
  expect(stages).toMatchObject([{ attributes: { 'http.response.status_code': 400 } }]);
});
