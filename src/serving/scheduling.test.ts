import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { SpecEndpoint } from '#contracts/deployment-spec';
import { aControlPlane, aPlane, flush, ready, revisions, scores } from './testing/plane-in-test.ts';
import { aHome, anEndpoint, buildTimeoutMs, columnsBody, fixture, post } from './testing/test-plane.ts';

/** A data plane that serves one endpoint, with two revisions described. */
async function served(more: Partial<SpecEndpoint>) {
  const control = await aControlPlane();
  control.publish({ endpoints: [anEndpoint(revisions(control), more)] });
  const plane = await aPlane(control, aHome());
  await ready(control, 1);
  const metrics = async () => (await fetch(`${plane.url}/metrics`)).text();
  return { control, plane, metrics };
}

const split = [
  { revision: 'r1', basisPoints: 5_000 },
  { revision: 'r2', basisPoints: 5_000 },
];

test(
  "a request's own timeout is honoured before the model runs, and a foolish one is refused",
  async () => {
    const { plane } = await served({});
    const late = await post(plane.infer, columnsBody(1, { parameters: { timeout: 1 } }));
    expect([late.status, late.json.error]).toEqual([504, expect.stringContaining('own deadline passed')]);
    const patient = await post(plane.infer, columnsBody(1, { parameters: { timeout: 60_000_000, priority: 1 } }));
    expect(patient.status).toBe(200);
    const foolish = await post(plane.infer, columnsBody(1, { parameters: { timeout: 'soon' } }));
    expect([foolish.status, foolish.json.error]).toEqual([400, expect.stringContaining('"timeout"')]);
  },
  buildTimeoutMs,
);

test(
  'an equal question is answered from the cache under an id and a record of its own, for one revision of one endpoint',
  async () => {
    const control = await aControlPlane();
    const all = revisions(control);
    const cache = { maxBytes: 1_000_000 };
    const other = anEndpoint(all, { project: 'other', cache });
    control.publish({ endpoints: [anEndpoint(all, { cache }), other] });
    const plane = await aPlane(control, aHome());
    await ready(control, 1);
    const first = await post(plane.infer, columnsBody(1));
    const second = await post(plane.infer, columnsBody(1));
    const foreign = await post(`${plane.url}/projects/other/v2/models/m/infer`, columnsBody(1));
    const pinned = await post(`${plane.url}/v2/models/m/versions/2/infer`, columnsBody(1));
    expect([first, second, foreign, pinned].map(scores)).toEqual([2, 2, 2, 3]);
    const ids = [first, second, foreign].map(({ headers }) => headers.get('x-tidemill-prediction-id'));
    expect(new Set(ids).size).toBe(3);
    await flush(control, 1);
    const cached = ids.map((id) => control.records.find(({ predictionId }) => predictionId === id)?.cached);
    expect(cached).toEqual([undefined, true, undefined]);
    const text = await (await fetch(`${plane.url}/metrics`)).text();
    const labels = 'project="default",endpoint="m",revision="r1",role="primary"';
    expect(text).toContain(`tidemill_serving_cache_hits_total{${labels}} 1`);
    expect(text).toContain(`tidemill_serving_cache_misses_total{${labels}} 1`);
  },
  buildTimeoutMs,
);

test(
  'a caller above the rate is told when to come back, and no revision is judged by it',
  async () => {
    const { plane, metrics, control } = await served({ limits: { rate: { perSecond: 0.1, burst: 2 } } });
    const answers = [];
    for (let turn = 0; turn < 3; turn += 1) answers.push(await post(plane.infer, columnsBody(turn)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(Number(answers[2]?.headers.get('retry-after'))).toBeGreaterThan(5);
    expect(await metrics()).toContain('tidemill_serving_rate_limited_total{project="default",endpoint="m"} 1');
    const { endpoints } = await control.reported((report) => report.endpoints[0]?.revisions[0]?.primary.rows === 2);
    expect(endpoints[0]?.revisions[0]?.primary).toMatchObject({ requests: 2, errors: {} });
  },
  buildTimeoutMs,
);

test(
  'what is redacted is in no record, of the primary or of a shadow',
  async () => {
    const { control, plane } = await served({
      capture: { enabled: true, redact: ['carrier', 'carrier_out'] },
      shadows: [{ revision: 'r2' }],
    });
    const answer = await post(plane.infer, columnsBody(1));
    expect(answer.json.outputs?.map(({ name }) => name)).toContain('carrier_out');
    await flush(control, 1);
    expect(control.records.map(({ role }) => role).toSorted()).toEqual(['primary', 'shadow']);
    for (const { inputs, outputs, redacted } of control.records) {
      expect(inputs.map(({ name }) => name)).toEqual(['flight', 'distance']);
      expect(outputs.map(({ name }) => name)).not.toContain('carrier_out');
      expect(redacted).toEqual(['carrier', 'carrier_out']);
    }
  },
  buildTimeoutMs,
);

test(
  'of requests that are sampled, so many are recorded, and all are answered',
  async () => {
    const { control, plane } = await served({ capture: { enabled: true, sampleRate: 0.5 } });
    const answers = await Promise.all(Array.from({ length: 60 }, (_, row) => post(plane.infer, columnsBody(row))));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    await flush(control, 1);
    // of 60 fair coins fewer than 8 or more than 52 heads come once in 10^9 times
    expect(control.records.length).toBeGreaterThanOrEqual(8);
    expect(control.records.length).toBeLessThanOrEqual(52);
  },
  buildTimeoutMs,
);

test.each([
  ['a header', { by: 'header', header: 'x-customer' } as const],
  ['a cookie', { by: 'cookie', cookie: 'customer' } as const],
  ['a column', { by: 'column', column: 'distance' } as const],
])(
  'traffic that is sticky by %s stays with its revision, and both get some',
  async (_what, by) => {
    const { plane } = await served({ traffic: split, sticky: { ...by, salt: 's' } });
    const ask = async (customer: number) => {
      const headers = { 'x-customer': `c${customer}`, cookie: `theme=dark; customer=c${customer}` };
      return (await post(plane.infer, columnsBody(customer), headers)).headers.get('x-tidemill-revision');
    };
    const seen = [];
    for (let customer = 0; customer < 30; customer += 1) seen.push(await ask(customer));
    const again = [];
    for (let customer = 0; customer < 30; customer += 1) again.push(await ask(customer));
    expect(again).toEqual(seen);
    expect(new Set(seen).size).toBe(2);
  },
  buildTimeoutMs,
);

test(
  'how the answers of a shadow differ is recorded and counted',
  async () => {
    const { control, plane, metrics } = await served({ shadows: [{ revision: 'r2' }] });
    await post(plane.infer, columnsBody(1));
    await flush(control, 1);
    const shadow = control.records.find(({ role }) => role === 'shadow');
    expect(shadow?.difference).toEqual({ rows: 1, maxAbs: 1 });
    const labels = 'project="default",endpoint="m",revision="r2"';
    expect(await metrics()).toContain(`tidemill_serving_shadow_rows_differing_total{${labels}} 1`);
  },
  buildTimeoutMs,
);

test(
  'models beyond the budget of memory leave it and come back when they are asked',
  async () => {
    const control = await aControlPlane();
    const [r1, r2] = revisions(control);
    const endpoints = ['a', 'b', 'c'].map((name, at) => anEndpoint([at === 1 ? r2 : r1], { name }));
    control.publish({ endpoints });
    const plane = await aPlane(control, aHome(), { memoryBytes: 1 });
    await ready(control, 1);
    for (let turn = 0; turn < 3; turn += 1) {
      const answers = await Promise.all(
        ['a', 'b', 'c'].map((name) => post(`${plane.url}/v2/models/${name}/infer`, columnsBody(turn))),
      );
      expect(answers.map(scores)).toEqual([turn + 1, turn + 2, turn + 1]);
    }
    await expect
      .poll(async () => (await fetch(`${plane.url}/metrics`)).text())
      .toContain('tidemill_serving_model_memory_bytes 0\n');
    const { endpoints: reported } = await control.reported(({ endpoints: list }) => list.length === 3);
    expect(reported.map(({ state }) => state)).toEqual(['ready', 'ready', 'ready']);
  },
  buildTimeoutMs,
);

test(
  'after a restart the state of before answers when the newest one cannot be served',
  async () => {
    const control = await aControlPlane();
    const home = aHome();
    const [r1] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1])] });
    const before = await aPlane(control, home);
    await ready(control, 1);
    const path = join(home, 'broken.onnx');
    writeFileSync(path, 'no model');
    control.publish({ endpoints: [anEndpoint([control.revision('r3', path)])] });
    const isDegraded = (boot: string) =>
      control.reported(
        (report) =>
          report.boot === boot && report.observed?.generation === 2 && report.endpoints[0]?.state === 'degraded',
      );
    await isDegraded(before.boot);
    await before.stop();
    // The spec that it starts with is the one that it cannot serve.
    const plane = await aPlane(control, home);
    const report = await isDegraded(plane.boot);
    expect(report.endpoints[0]?.serving).toEqual([{ revision: 'r1', basisPoints: 10_000 }]);
    expect(report.endpoints[0]?.error).toContain('r3');
    const answer = await post(plane.infer, columnsBody(1));
    expect([answer.status, answer.headers.get('x-tidemill-revision'), scores(answer)]).toEqual([200, 'r1', 2]);
    // Also when the newer one is there before the one of the start was loaded.
    await plane.stop();
    control.publish({ endpoints: [anEndpoint([r1])] });
    const again = await aPlane(control, home);
    await ready(control, 3);
    await again.stop();
    control.publish({ endpoints: [anEndpoint([control.revision('r3', path)])] });
    const last = await aPlane(control, home);
    await control.reported(
      ({ boot, observed, endpoints }) =>
        boot === last.boot && observed?.generation === 4 && endpoints[0]?.state === 'degraded',
    );
    expect(scores(await post(last.infer, columnsBody(1)))).toBe(2);
    // What is good again takes over.
    control.publish({ endpoints: [anEndpoint([control.revision('r4', fixture('columns-2.onnx'))])] });
    await ready(control, 5);
    expect(scores(await post(last.infer, columnsBody(1)))).toBe(3);
  },
  buildTimeoutMs,
);

test(
  "Triton's names stand beside ours, and a name that nobody serves makes no series",
  async () => {
    const { plane, metrics } = await served({});
    await post(plane.infer, columnsBody(1));
    expect((await post(`${plane.url}/v2/models/made-up/infer`, columnsBody(1))).status).toBe(404);
    const text = await metrics();
    const labels = 'model="m",version="1",project="default",revision="r1"';
    expect(text).toContain(`nv_inference_request_success{${labels}} 1`);
    expect(text).toContain(`nv_inference_exec_count{${labels}} 1`);
    expect(text).toMatch(/nv_inference_compute_infer_duration_us\{[^}]*revision="r1"\} [1-9]/);
    expect(text).toContain(
      'tidemill_serving_stage_duration_seconds_count{project="default",endpoint="m",revision="r1",role="primary",stage="queue"} 1',
    );
    expect(text).not.toContain('made-up');
  },
  buildTimeoutMs,
);
