import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ReplicaReport } from '#contracts/replica-report';
import { aControlPlane, aPlane, callInLoops, flush, ready, revisions, scores } from './testing/plane-in-test.ts';
import { aHome, anEndpoint, buildTimeoutMs, columnsBody, fixture, post } from './testing/test-plane.ts';

test(
  'a prediction arrives with all that the contract says of it',
  async () => {
    const control = await aControlPlane();
    const [r1] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1], { replay: true, subject: 'carrier' })] });
    const plane = await aPlane(control, aHome());
    await ready(control, 1);
    const parameters = { keys: [['UA', 1545, '2013-01-01T05:00:00-05:00']], event_times: ['2013-01-01T10:00:00Z'] };
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const answer = await post(plane.infer, columnsBody(3, { id: 'q1', parameters }), { traceparent });
    await flush(control, 1);
    expect(control.records).toEqual([
      {
        version: 1,
        predictionId: answer.headers.get('x-tidemill-prediction-id'),
        requestId: 'q1',
        keys: ['["UA",1545,"2013-01-01T10:00:00Z"]'],
        rows: 1,
        eventTimesMs: [Date.parse('2013-01-01T10:00:00Z')],
        receivedAtMs: expect.any(Number),
        durationUs: expect.any(Number),
        project: 'default',
        endpoint: 'm',
        revision: 'r1',
        modelRef: 'model:test@1',
        role: 'primary',
        reason: 'only',
        propensity: 1,
        status: 'ok',
        principal: 'user:local',
        traceparent,
        subject: ['UA'],
        stagesUs: {
          input: expect.any(Number),
          queue: expect.any(Number),
          infer: expect.any(Number),
          output: expect.any(Number),
        },
        inputs: [
          { name: 'carrier', datatype: 'BYTES', shape: [1, 1], data: ['UA'] },
          { name: 'flight', datatype: 'INT64', shape: [1, 1], data: BigInt64Array.of(1545n) },
          { name: 'distance', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(3) },
        ],
        outputs: [
          { name: 'score', datatype: 'FP32', shape: [1, 1], data: Float32Array.of(4) },
          { name: 'carrier_out', datatype: 'BYTES', shape: [1, 1], data: ['UA'] },
          { name: 'flight_out', datatype: 'INT64', shape: [1, 1], data: BigInt64Array.of(1545n) },
        ],
      },
    ]);
    const [made] = control.records;
    const stagesUs = Object.values(made?.stagesUs ?? {}).reduce((sum, us) => sum + us, 0);
    expect([stagesUs > 0, stagesUs <= (made?.durationUs ?? 0) + 1_000]).toEqual([true, true]);
    const counters = control.reports.at(-1)?.endpoints[0]?.revisions[0]?.primary;
    expect(counters).toMatchObject({
      requests: 1,
      rows: 1,
      errors: {},
      maxEventTimeMs: Date.parse('2013-01-01T10:00:00Z'),
    });
    expect(counters?.latencyCounts.reduce((sum, count) => sum + count, 0)).toBe(1);
  },
  buildTimeoutMs,
);

test(
  'shadows score the same rows after the answer, each under its own id',
  async () => {
    const control = await aControlPlane();
    const [r1, r2] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1, r2], { shadows: [{ revision: 'r2' }] })] });
    const plane = await aPlane(control, aHome());
    await ready(control, 1);
    for (let row = 0; row < 20; row += 1) expect(scores(await post(plane.infer, columnsBody(row)))).toBe(row + 1);
    await flush(control, 1);
    const primary = control.records.filter(({ role }) => role === 'primary');
    const shadow = control.records.filter(({ role }) => role === 'shadow');
    expect([primary.length, shadow.length]).toEqual([20, 20]);
    expect(new Set(shadow.map(({ shadowOf }) => shadowOf))).toEqual(
      new Set(primary.map(({ predictionId }) => predictionId)),
    );
    for (const { shadowOf, revision, reason, outputs } of shadow) {
      const first = primary.find(({ predictionId }) => predictionId === shadowOf);
      expect([revision, reason, outputs[0]?.data[0]]).toEqual(['r2', 'shadow', Number(first?.outputs[0]?.data[0]) + 1]);
    }
    expect(new Set(control.records.map(({ predictionId }) => predictionId)).size).toBe(40);
  },
  buildTimeoutMs,
);

test(
  'a sticky key is answered by one revision, and the records say with which propensity',
  async () => {
    const control = await aControlPlane();
    const [r1, r2] = revisions(control);
    const traffic = [
      { revision: 'r1', basisPoints: 7_000 },
      { revision: 'r2', basisPoints: 3_000 },
    ];
    control.publish({ endpoints: [anEndpoint([r1, r2], { traffic, sticky: { by: 'key', salt: 's' } })] });
    const plane = await aPlane(control, aHome());
    await ready(control, 1);
    const seen = new Map<string, Set<string | null>>();
    for (let turn = 0; turn < 2; turn += 1)
      for (let key = 0; key < 100; key += 1) {
        const answer = await post(plane.infer, columnsBody(1), { 'x-tidemill-key': `k${key}` });
        seen.set(`k${key}`, (seen.get(`k${key}`) ?? new Set()).add(answer.headers.get('x-tidemill-revision')));
      }
    expect([...seen.values()].every(({ size }) => size === 1)).toBe(true);
    const toSecond = [...seen.values()].filter((set) => set.has('r2')).length;
    expect(toSecond).toBeGreaterThan(15);
    expect(toSecond).toBeLessThan(45);
    await flush(control, 1);
    for (const { reason, propensity, revision } of control.records)
      expect([reason, propensity]).toEqual(['sticky', revision === 'r1' ? 0.7 : 0.3]);
    const pinned = await post(`${plane.url}/v2/models/m/versions/2/infer`, columnsBody(1));
    expect([pinned.headers.get('x-tidemill-revision'), scores(pinned)]).toEqual(['r2', 3]);
  },
  buildTimeoutMs,
);

test(
  'revisions are swapped under load without one failed request',
  async () => {
    const control = await aControlPlane();
    const [r1, r2] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1])] });
    const plane = await aPlane(control, aHome());
    await ready(control, 1);
    const calls = callInLoops(plane.infer, 8);
    for (let generation = 2; generation <= 7; generation += 1) {
      await calls.reached(calls.answered.length + 50);
      control.publish({ endpoints: [anEndpoint([generation % 2 === 0 ? r2 : r1])] });
      await ready(control, generation);
    }
    await calls.stop();
    expect([calls.failures, calls.answered.filter(({ status }) => status !== 200)]).toEqual([0, []]);
    expect(new Set(calls.answered.map(({ revision }) => revision))).toEqual(new Set(['r1', 'r2']));
    await flush(control, 1);
    expect(control.records.map(({ predictionId }) => predictionId).toSorted()).toEqual(
      calls.answered.map(({ id }) => id).toSorted(),
    );
  },
  buildTimeoutMs,
);

test(
  'a revision that fails leaves the last good state, and the report says why',
  async () => {
    const control = await aControlPlane();
    const [r1, r2] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1])] });
    const plane = await aPlane(control, aHome());
    await ready(control, 1);
    const noModel = control.revision('bad', fixture('make-fixtures.py'));
    control.publish({ endpoints: [anEndpoint([noModel, r2])] });
    const report = await control.reported(({ endpoints }) => endpoints[0]?.state === 'degraded');
    expect(report.endpoints[0]?.error).toContain('cannot be loaded');
    expect(report.endpoints[0]?.revisions.find(({ revision }) => revision === 'bad')?.state).toBe('failed');
    expect(scores(await post(plane.infer, columnsBody(1)))).toBe(2);
    const mismatch = {
      ...r2,
      id: 'r3',
      signature: { inputs: [{ name: 'carrier', datatype: 'FP32' as const, shape: [-1, 1] }], outputs: [] },
    };
    control.publish({ endpoints: [anEndpoint([mismatch])] });
    const second = await control.reported(
      ({ observed, endpoints }) =>
        observed?.generation === 3 && endpoints[0]?.state === 'degraded' && endpoints[0].error?.includes('r3') === true,
    );
    expect(second.endpoints[0]?.error).toContain('"carrier" is BYTES in the model and FP32 in the signature');
    control.publish({ endpoints: [anEndpoint([r2])] });
    await ready(control, 4);
    expect(scores(await post(plane.infer, columnsBody(1)))).toBe(3);
  },
  buildTimeoutMs,
);

const servingOf = ({ endpoints }: ReplicaReport) =>
  endpoints[0]?.serving.map(({ revision, basisPoints }) => `${revision} ${basisPoints}`).join(', ');
const split = (first: string, second: string) => [
  { revision: first, basisPoints: 9_000 },
  { revision: second, basisPoints: 1_000 },
];

test(
  'a shadow or a next revision that fails stands in the way of no change of traffic, and is reported',
  async () => {
    const control = await aControlPlane();
    const [r1, r2] = revisions(control);
    const bad = control.revision('bad', fixture('make-fixtures.py'));
    control.publish({ endpoints: [anEndpoint([r1])] });
    await aPlane(control, aHome());
    await ready(control, 1);
    control.publish({
      endpoints: [anEndpoint([r1, r2, bad], { traffic: split('r1', 'r2'), shadows: [{ revision: 'bad' }] })],
    });
    const report = await control.reported(
      (one) => servingOf(one) === 'r1 9000, r2 1000' && one.endpoints[0]?.state === 'degraded',
    );
    expect(report.endpoints[0]?.error).toContain('revision "bad"');
    control.publish({ endpoints: [anEndpoint([r2, bad])] });
    await control.reported((one) => servingOf(one) === 'r2 10000' && one.endpoints[0]?.state === 'degraded');
  },
  buildTimeoutMs,
);

test(
  'a revision whose bytes are slow to come holds up neither the traffic beside it nor a newer spec',
  async () => {
    const control = await aControlPlane();
    const [r1, r2] = revisions(control);
    const slow = control.revision('slow', fixture('gather.onnx'));
    const release = control.holdFiles(slow);
    control.publish({ endpoints: [anEndpoint([r1, slow], { shadows: [{ revision: 'slow' }] })] });
    const plane = await aPlane(control, aHome());
    const first = await control.reported((one) => servingOf(one) === 'r1 10000');
    expect(first.endpoints[0]?.state).toBe('loading');
    expect(scores(await post(plane.infer, columnsBody(1)))).toBe(2);
    control.publish({ endpoints: [anEndpoint([r2, slow])] });
    await control.reported((one) => servingOf(one) === 'r2 10000');
    control.publish({ endpoints: [anEndpoint([r2])] });
    await ready(control, 3);
    release();
    const gone = await control.reported(({ endpoints }) => {
      const own = endpoints[0]?.revisions.find(({ revision }) => revision === 'slow');
      return own?.state === 'unloaded';
    });
    expect(servingOf(gone)).toBe('r2 10000');
  },
  buildTimeoutMs,
);

test(
  'a start that finds one revision of the split broken answers by the others, and says so until it is mended',
  async () => {
    const control = await aControlPlane();
    const [r1, r2] = revisions(control);
    const bad = control.revision('bad', fixture('make-fixtures.py'));
    control.publish({ endpoints: [anEndpoint([r1, bad], { traffic: split('r1', 'bad') })] });
    const plane = await aPlane(control, aHome());
    const report = await control.reported(({ endpoints }) => endpoints[0]?.state === 'degraded');
    expect(servingOf(report)).toBe('r1 10000');
    expect(report.endpoints[0]?.error).toContain('revision "bad"');
    for (let turn = 0; turn < 20; turn += 1) expect((await post(plane.infer, columnsBody(turn))).status).toBe(200);
    control.publish({ endpoints: [anEndpoint([r1, r2], { traffic: split('r1', 'r2') })] });
    await ready(control, 2);
    expect(servingOf(await control.reported(() => true))).toBe('r1 9000, r2 1000');
    control.publish({ endpoints: [anEndpoint([bad], { name: 'lost' })] });
    const lost = await control.reported(({ endpoints }) => endpoints[0]?.state === 'failed');
    expect(servingOf(lost)).toBe('');
  },
  buildTimeoutMs,
);

test(
  'limits follow the newest spec, for revisions that are loaded already too',
  async () => {
    const control = await aControlPlane();
    const [r1] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1])] });
    const plane = await aPlane(control, aHome());
    await ready(control, 1);
    control.publish({ endpoints: [anEndpoint([r1], { limits: { maxQueued: 1 } })] });
    await ready(control, 2);
    const refused = async () => {
      const answers = await Promise.all(Array.from({ length: 32 }, (_, at) => post(plane.infer, columnsBody(at))));
      return answers.find(({ status }) => status !== 200);
    };
    let answer: Awaited<ReturnType<typeof refused>>;
    while (answer === undefined) answer = await refused();
    expect([answer.status, answer.json.error]).toEqual([503, expect.stringContaining('wait')]);
  },
  buildTimeoutMs,
);

test(
  'a model whose file was damaged on disk is fetched again, and answers',
  async () => {
    const control = await aControlPlane();
    const [r1] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1])] });
    const home = aHome();
    const first = await aPlane(control, home);
    await ready(control, 1);
    await first.stop();
    const [file = ''] = readdirSync(join(home, 'files')).filter((name) => name.length === 64);
    const path = join(home, 'files', file);
    const whole = readFileSync(path);
    writeFileSync(path, Buffer.alloc(whole.length, 7));
    const second = await aPlane(control, home);
    await control.reported(({ boot, endpoints }) => boot === second.boot && endpoints[0]?.state === 'ready');
    expect((await post(second.infer, columnsBody(1))).status).toBe(200);
    expect(readFileSync(path).equals(whole)).toBe(true);
  },
  buildTimeoutMs,
);
