import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import type { PredictionRecord } from '#contracts/prediction-record';
import type { ReplicaReport } from '#contracts/replica-report';
import { decodeFrames } from '#contracts/spool-frame';
import { builtModule } from '#platform/testing/built-program';
import { type FakeControlPlane, startFakeControlPlane } from './testing/fake-control-plane.ts';
import { aHome, anEndpoint, buildTimeoutMs, columnsBody, fixture, post, startTestPlane } from './testing/test-plane.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup();
  cleanups.length = 0;
});

async function aControlPlane(): Promise<FakeControlPlane> {
  const control = await startFakeControlPlane();
  cleanups.push(() => control.goAway());
  return control;
}

async function aPlane(control: FakeControlPlane, home: string, more: Parameters<typeof startTestPlane>[2] = {}) {
  const plane = await startTestPlane(control, home, more);
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= plane.stop());
  cleanups.push(stop);
  return { ...plane, stop, infer: `${plane.url}/v2/models/m/infer` };
}

const revisions = (control: FakeControlPlane) =>
  [control.revision('r1', fixture('columns-1.onnx')), control.revision('r2', fixture('columns-2.onnx'))] as const;
const ready = (control: FakeControlPlane, generation: number) =>
  control.reported(
    ({ observed, endpoints }) =>
      observed?.generation === generation && endpoints.every(({ state }) => state === 'ready'),
  );
const flush = async (control: FakeControlPlane, generation: number) => {
  control.publish({ flush: generation });
  await control.reported(({ flushed }) => flushed >= generation);
};
const scores = (answer: { json: { outputs?: readonly { data: unknown[] }[] } }) => answer.json.outputs?.[0]?.data[0];

/** Closed-loop callers until they are told to stop; what each answer was. */
function callInLoops(url: string, callers: number) {
  let going = true;
  const answered: {
    readonly id: string;
    readonly status: number;
    readonly revision: string | null;
    readonly score: unknown;
  }[] = [];
  let failures = 0;
  const loops = Array.from({ length: callers }, async (_, caller) => {
    for (let turn = 0; going; turn += 1) {
      try {
        const answer = await post(url, columnsBody(caller * 1_000 + (turn % 1_000)));
        answered.push({
          id: answer.headers.get('x-tidemill-prediction-id') ?? '',
          status: answer.status,
          revision: answer.headers.get('x-tidemill-revision'),
          score: scores(answer),
        });
      } catch {
        failures += 1;
        if (going) return; // the server is gone
      }
    }
  });
  return {
    answered,
    get failures() {
      return failures;
    },
    async stop() {
      going = false;
      await Promise.all(loops);
    },
    reached: async (count: number) => {
      while (answered.length < count) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test(
  'a prediction arrives with all that the contract says of it',
  async () => {
    const control = await aControlPlane();
    const [r1] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1], { replay: true, subject: 'carrier' })] });
    const plane = await aPlane(control, aHome());
    await ready(control, 1);
    const parameters = { keys: [['UA', 1545, '2013-01-01T05:00:00-05:00']], event_times: ['2013-01-01T10:00:00Z'] };
    const answer = await post(plane.infer, columnsBody(3, { id: 'q1', parameters }), { traceparent: '00-a-b-01' });
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
        traceparent: '00-a-b-01',
        subject: ['UA'],
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

const distanceOf = ({ inputs }: PredictionRecord) => Number(inputs[2]?.data[0]);
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
  'serving goes on while the control plane is away, a restart needs it not, and all is delivered when it is back',
  async () => {
    const control = await aControlPlane();
    const [r1] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1])] });
    const home = aHome();
    const first = await aPlane(control, home, { drainMs: 100 });
    await ready(control, 1);
    await control.goAway();
    const ids: (string | null)[] = [];
    const call = async (url: string) => {
      const answer = await post(url, columnsBody(1));
      expect(answer.status).toBe(200);
      ids.push(answer.headers.get('x-tidemill-prediction-id'));
    };
    for (let turn = 0; turn < 10; turn += 1) await call(first.infer);
    await first.stop();
    const second = await aPlane(control, home);
    for (;;) if ((await fetch(`${second.url}/health/ready`)).ok) break;
    for (let turn = 0; turn < 10; turn += 1) await call(second.infer);
    control.refuseDeliveries(503);
    await control.comeBack();
    // what a start before left is named until it is delivered: the control plane counts what is not named as lost
    const report = await control.reported(({ boot }) => boot === second.boot);
    expect(report.spool.epochs).toEqual([
      { epoch: first.boot, next: 10, delivered: 0 },
      expect.objectContaining({ epoch: second.boot }),
    ]);
    control.refuseDeliveries(undefined);
    await flush(control, 1);
    expect(control.records.map(({ predictionId }) => predictionId)).toEqual(ids);
    expect(control.reports.at(-1)?.spool.epochs).toEqual([{ epoch: second.boot, next: 10, delivered: 10 }]);
  },
  buildTimeoutMs,
);

test(
  'a control plane that takes nothing slows deliveries only; one that forgot is told what is lost',
  async () => {
    const control = await aControlPlane();
    const [r1] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1])] });
    const spool = { maxBytes: 2 ** 30, segmentBytes: 2_000, segmentMs: 60_000 }; // three or so records a segment
    const plane = await aPlane(control, aHome(), { spool });
    await ready(control, 1);
    control.refuseDeliveries(503);
    for (let turn = 0; turn < 20; turn += 1) expect((await post(plane.infer, columnsBody(turn))).status).toBe(200);
    expect(control.records).toEqual([]);
    control.refuseDeliveries(undefined);
    await flush(control, 1);
    expect(control.records.map(({ inputs }) => inputs[2]?.data[0])).toEqual(
      Array.from({ length: 20 }, (_, index) => index),
    );
    control.forgetCursors();
    await post(plane.infer, columnsBody(20));
    await flush(control, 2);
    const [lost] = control.lostOffsets;
    expect(lost?.from).toBe(0);
    expect(control.records.filter((_, index) => index >= 20).map(({ inputs }) => inputs[2]?.data[0])).toEqual(
      Array.from({ length: 21 - (lost?.to ?? 0) }, (_, index) => index + (lost?.to ?? 0)),
    );
  },
  buildTimeoutMs,
);

test(
  'a frame that the control plane cannot read is set aside and declared lost, and delivery goes on',
  async () => {
    const control = await aControlPlane();
    const [r1] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1])] });
    const home = aHome();
    const plane = await aPlane(control, home);
    await ready(control, 1);
    control.refuseRecords((record) => [4, 9].includes(distanceOf(record)));
    for (let turn = 0; turn < 10; turn += 1) await post(plane.infer, columnsBody(turn));
    await flush(control, 1);
    expect(control.records.map(distanceOf)).toEqual([0, 1, 2, 3, 5, 6, 7, 8]);
    const source = `r/${plane.boot}`;
    expect(control.lostOffsets).toEqual([
      { epoch: source, from: 4, to: 5 },
      { epoch: source, from: 9, to: 10 },
    ]);
    const kept = readdirSync(join(home, 'refused')).toSorted();
    const frames = kept.flatMap((name) => decodeFrames(readFileSync(join(home, 'refused', name))).frames);
    expect(frames.map(({ record }) => distanceOf(record))).toEqual([4, 9]);
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
  'a full spool loses and counts, or refuses, as the endpoint says',
  async () => {
    const control = await aControlPlane();
    const [r1] = revisions(control);
    control.refuseDeliveries(503);
    const refusing = anEndpoint([r1], {
      name: 'strict',
      capture: { enabled: true, onFull: 'refuse', durability: 'fsync' },
    });
    control.publish({
      endpoints: [anEndpoint([r1]), refusing, anEndpoint([r1], { name: 'silent', capture: { enabled: false } })],
    });
    const plane = await aPlane(control, aHome(), {
      drainMs: 100,
      spool: { maxBytes: 2_000, segmentBytes: 1_000, segmentMs: 60_000 },
    });
    await ready(control, 1);
    const call = async (name: string) => (await post(`${plane.url}/v2/models/${name}/infer`, columnsBody(1))).status;
    expect(await call('strict')).toBe(200);
    for (let turn = 0; turn < 5; turn += 1) expect(await call('m')).toBe(200);
    expect([await call('strict'), await call('m'), await call('silent')]).toEqual([503, 200, 200]);
    // The strict endpoint answered nothing that it could not keep: its refusal is counted, but not as an endpoint's loss.
    // A report may have left between the calls, before that.
    const report = await control.reported(
      ({ spool, endpoints }) =>
        spool.dropped >= 4 && endpoints.find(({ name }) => name === 'm')?.dropped === spool.dropped - 1,
    );
    expect(report.spool.bytes).toBeLessThanOrEqual(2_000);
    const droppedAt = (name: string) => report.endpoints.find((one) => one.name === name)?.dropped;
    expect(['strict', 'silent'].map(droppedAt)).toEqual([undefined, undefined]);
  },
  buildTimeoutMs,
);

test(
  'after kill -9 while predictions stream every answered one is in the spool exactly once, a segment cut in the middle included',
  async () => {
    await builtModule('serving/main.js');
    const control = await aControlPlane();
    const [r1] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1])] });
    const home = aHome();
    const answeredIds: string[] = [];
    for (let life = 0; life < 3; life += 1) {
      const { child, url } = await startProcess(control, home);
      for (;;) if ((await fetch(`${url}/v2/models/m/ready`)).ok) break;
      const calls = callInLoops(`${url}/v2/models/m/infer`, 16);
      await calls.reached(200);
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
      await calls.stop();
      answeredIds.push(...calls.answered.map(({ id }) => id));
      // What a power cut or a full disk leaves: half a frame behind the last whole one.
      const epochs = readdirSync(join(home, 'spool/local')).toSorted();
      const folder = join(home, 'spool/local', epochs.at(-1) ?? '');
      const last = join(folder, readdirSync(folder).toSorted().at(-1) ?? '');
      const { frames, readBytes } = decodeFrames(readFileSync(last));
      expect(frames.length).toBeGreaterThan(0);
      appendFileSync(last, readFileSync(last).subarray(0, 100));
      expect(decodeFrames(readFileSync(last)).readBytes).toBe(readBytes);
    }
    const { child } = await startProcess(control, home);
    await flush(control, 1);
    const counts = new Map<string, number>();
    for (const { predictionId } of control.records) counts.set(predictionId, (counts.get(predictionId) ?? 0) + 1);
    expect(answeredIds.filter((id) => counts.get(id) !== 1)).toEqual([]);
    expect([...counts.values()].every((count) => count === 1)).toBe(true);
    expect(control.lostOffsets).toEqual([]);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  },
  buildTimeoutMs,
);

test(
  'a segment damaged in the middle gives what lies before the damage and what lies after in later segments',
  async () => {
    const control = await aControlPlane();
    const [r1] = revisions(control);
    control.publish({ endpoints: [anEndpoint([r1])] });
    const home = aHome();
    const spool = { maxBytes: 2 ** 30, segmentBytes: 2_000, segmentMs: 60_000 };
    control.refuseDeliveries(503);
    const first = await aPlane(control, home, { spool, drainMs: 50 });
    await ready(control, 1);
    for (let turn = 0; turn < 20; turn += 1) await post(first.infer, columnsBody(turn));
    await first.stop();
    const folder = join(home, 'spool/r', first.boot);
    const [damaged = '', following = ''] = readdirSync(folder).toSorted();
    const kept = decodeFrames(readFileSync(join(folder, damaged))).frames.length - 1;
    truncateSync(join(folder, damaged), readFileSync(join(folder, damaged)).length - 10);
    control.refuseDeliveries(undefined);
    await aPlane(control, home, { spool });
    await flush(control, 1);
    const rows = control.records.map(({ inputs }) => Number(inputs[2]?.data[0]));
    const next = Number(following.slice(0, 16));
    expect(rows).toEqual([...Array(20).keys()].filter((row) => row < kept || row >= next));
    expect(control.lostOffsets).toEqual([{ epoch: `r/${first.boot}`, from: kept, to: next }]);
  },
  buildTimeoutMs,
);

async function startProcess(control: FakeControlPlane, home: string): Promise<{ child: ChildProcess; url: string }> {
  const entry = fileURLToPath(await builtModule('serving/main.js'));
  const child = spawn(
    process.execPath,
    [entry, '--control-url', control.url, '--home', home, '--port', '0', '--deliver-every-ms', '20'],
    {
      env: { PATH: process.env['PATH'], TIDEMILL_POOL_TOKEN: control.token },
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  cleanups.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  });
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (data: Buffer) => resolve(data.toString()));
    child.once('exit', (code) => reject(new Error(`the data plane ended with code ${code}`)));
  });
  return { child, url: (JSON.parse(line) as { url: string }).url };
}
